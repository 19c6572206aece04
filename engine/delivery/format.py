"""What an export format is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.delivery.task_images import TaskImages
from engine.results import RunResult
from engine.student import StudentRecord, load_student
from engine.teachers import Network

# From pixels [N, S, S, 3], 0..255 and already resized, to class probabilities [N, K].
Classify: TypeAlias = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class FinishedStudent:
    """A finished run's student, verified."""

    weights: Path  # safetensors, under timm's names
    record: StudentRecord
    result: RunResult
    images: TaskImages | None = None  # of its task; None where that is gone, which `without_images` says in a sentence
    without_images: str = ""

    @cached_property
    def network(self) -> Network:
        """The student in PyTorch, in evaluation mode. Raises DamagedFileError."""
        return load_student(self.weights.parent)


@dataclass(frozen=True)
class Answers:
    """What the student and a format of it say of the same held-out images."""

    student: NDArray[np.float32]  # [N, K] probabilities
    written: NDArray[np.float32]  # [N, K]
    labels: NDArray[np.int64]  # [N]; -1 where it is not known what was held out from this student


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
    needs: str = ""  # the package that has to be installed beside this program, if there is one
