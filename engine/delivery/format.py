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

    def classify(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Class probabilities `[N, K]` of pixels `[N, S, S, 3]`, by PyTorch."""
        found: NDArray[np.float32] = predict(self.network, torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
        return found

    @cached_property
    def on_task(self) -> OnTask | None:
        """Its answers on at most MOST_CHECKED images of its task; None where that is gone."""
        if self.images is None:
            return None
        rows = self.images.checked_rows(MOST_CHECKED)
        said = np.concatenate([self.classify(pixels) for pixels in self.images.pixels(rows)])
        return OnTask(rows, self.images.labels(rows), said, self.images.noun)


@dataclass(frozen=True)
class Answers:
    """What the student and a format of it say of the same images."""

    student: NDArray[np.float32]  # [N, K] probabilities
    written: NDArray[np.float32]  # [N, K]
    labels: NDArray[np.int64]  # [N]; as OnTask has them, and so the next one
    noun: str = "held-out image"


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
