"""The images of a student's task at the student's size: held-out ones to check on, training ones to calibrate with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.tasks import NO_LABEL, Task, read_groups
from engine.tasks.pixel_file import open_pixels

AT_ONCE = 64  # images that are in memory together: 10 MB at 224 px


@dataclass(frozen=True)
class TaskImages:
    """Images of a task at the size of a student."""

    task: Task
    size: int
    same_revision: bool  # whether the task is still what the student was trained on
    learned_all: bool  # whether the student learned from all images with a label, held-out ones included

    @property
    def held_out(self) -> bool:
        """Whether what a format is checked on was held out from the student: accuracies on other images say little."""
        return self.same_revision and not self.learned_all and len(self.task.test_rows) > 0

    @property
    def noun(self) -> str:
        """What a format is checked on, in words."""
        return "held-out image" if self.held_out else "image of its task"

    def checked_rows(self, most: int) -> NDArray[np.int64]:
        """Rows of images that a format is checked on, at most so many, spread evenly over the table: held-out ones
        where there are any.
        """
        return _spread(self.task.test_rows if len(self.task.test_rows) else self.task.train_rows, most)

    def training_rows(self, most: int) -> NDArray[np.int64]:
        """Rows of the training split, at most so many, spread evenly over the table."""
        return _spread(self.task.train_rows, most)

    def labels(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Their labels; -1 where there is none, and for all of a task that has changed since: its classes may have."""
        if not self.same_revision:
            return np.full(len(rows), NO_LABEL)
        return np.asarray(self.task.labels[rows], dtype=np.int64)

    def groups(self, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
        """Their groups, -1 for an image that stands alone; None where all do. Raises DamagedFileError."""
        groups = read_groups(self.task.folder)
        return None if groups is None else groups[rows]

    def pixels(self, rows: NDArray[np.int64]) -> Iterator[NDArray[np.uint8]]:
        """The images of `rows`, `[B, size, size, 3]`, a batch at a time. Raises StorageError, DamagedFileError."""
        images = open_pixels(self.task, self.size, [rows])[0]
        for start in range(0, len(rows), AT_ONCE):
            yield np.ascontiguousarray(images[start : start + AT_ONCE].numpy().transpose(0, 2, 3, 1))


def _spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
