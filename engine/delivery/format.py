"""What an export format is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from engine.delivery.task_images import TaskImages
from engine.delivery.temperature import Temperature, temperature_of
from engine.errors import DamagedFileError, FullDiskError, StorageError
from engine.results import RunResult
from engine.student import StudentRecord, load_student
from engine.teachers import Network
from engine.training import predict
from engine.workspace import Workspace

MOST_CHECKED = 2_000  # images; ours: a difference of arithmetic shows on far fewer

# From pixels [N, S, S, 3], 0..255 and already resized, to class probabilities [N, K].
Classify: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
Prepare: TypeAlias = Callable[[bytes], NDArray[np.uint8]]  # from a file's bytes to such pixels, [S, S, 3]


@dataclass(frozen=True)
class OnTask:
    """What the student says of images of its task that a format is checked on."""

    rows: NDArray[np.int64]  # [N], of the task's image table
    labels: NDArray[np.int64]  # [N]; -1 where it is not known
    student: NDArray[np.float32]  # [N, K] probabilities
    noun: str  # what one of the images is: "held-out image" where it was held out from the student
    groups: NDArray[np.int64] | None = None  # [N], -1 for one that stands alone; None where all do


@dataclass(frozen=True)
class FinishedStudent:
    """A finished run's student, verified."""

    workspace: Workspace
    weights: Path  # safetensors, under timm's names
    record: StudentRecord
    result: RunResult
    images: TaskImages | None = None  # of its task; None where that is gone, which `without_images` says in a sentence
    without_images: str = ""

    @cached_property
    def network(self) -> Network:
        """The student in PyTorch, in evaluation mode. Raises DamagedFileError."""
        return load_student(self.weights.parent)

    @cached_property
    def temperature(self) -> Temperature:
        """At which its probabilities are calibrated. No file of it is, but for what a program beside it prints."""
        return temperature_of(self.workspace, self.result.run)

    def classify(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities `[N, K]` of pixels `[N, S, S, 3]`, by PyTorch."""
        found: NDArray[np.float32] = predict(self.network, torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
        return found

    @property
    def on_task(self) -> OnTask | None:
        """Its answers on at most MOST_CHECKED images of its task; None where there are none, which `without_answers`
        says. Raises FullDiskError.
        """
        return None if isinstance(self._asked, str) else self._asked

    @property
    def without_answers(self) -> str:
        """Why there are no answers on images of its task, a sentence; "" where there are. Raises FullDiskError."""
        return self._asked if isinstance(self._asked, str) else ""

    @cached_property
    def _asked(self) -> OnTask | str:
        if self.images is None:
            return f"Not checked on images, as there are none: {self.without_images}."
        rows = self.images.checked_rows(MOST_CHECKED)
        try:
            said = np.concatenate([self.classify(pixels) for pixels in self.images.pixels(rows)])
            groups = self.images.groups(rows)
        except FullDiskError:
            raise
        except (DamagedFileError, StorageError) as error:
            return f"Not checked on images, as those of its task cannot be read: {error}"
        return OnTask(rows, self.images.labels(rows), said, self.images.noun, groups)


@dataclass(frozen=True)
class Answers:
    """What the student and a format of it say of the same images."""

    student: NDArray[np.float32]  # [N, K] probabilities
    written: NDArray[np.float32]  # [N, K]
    labels: NDArray[np.int64]  # [N]; as OnTask has them, and so the next one
    noun: str = "held-out image"
    groups: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Format:
    """One way to write a student down."""

    key: str  # on the command line
    title: str
    write: Callable[[FinishedStudent, Path], None]  # puts its files into a folder, beside student.json and result.json
    # Opens what was written in a folder, to run it on so many threads. None for what holds no network.
    load: Callable[[Path, int], Classify] | None = None
    # What its answers must be beside the student's: a sentence with the numbers, or an error that refuses the format.
    # (answers, whether the user wants it in any case). None where what is written is the student itself.
    check: Callable[[Answers, bool], str] | None = None
    prepare: Callable[[Path], Prepare] | None = None  # opens a program in that folder that reads image files itself
