"""A student's test images as errors are read from them: what each is, what it was taken for, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.evaluation import PairedAccuracies, paired_accuracies
from engine.predictions import Predictions
from engine.tasks import NO_LABEL, Task, read_groups

Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Judged:
    """The test images whose class was known to the run. Arrays are `[n]`, in the order of the predictions.

    rows: of the image table, -1 for an image that the task has no more. labels, predicted: class numbers. confidence:
    probability of the predicted class. groups: None where no image has one. now: the label as it is now, a class number
    of the run or -1 for none of them.
    """

    task: Task
    title: str
    key: str  # of the student, for widgets and caches; its run, where there is one
    classes: tuple[str, ...]
    image_ids: tuple[str, ...]
    rows: Numbers
    labels: Numbers
    predicted: Numbers
    confidence: NDArray[np.float64]
    groups: Numbers | None
    now: Numbers

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each image is recognized."""
        return np.asarray(self.predicted == self.labels)

    def taken(self, places: Numbers) -> Judged:
        """The same of some images alone, in that order."""
        return replace(
            self,
            image_ids=tuple(self.image_ids[place] for place in places.tolist()),
            rows=self.rows[places],
            labels=self.labels[places],
            predicted=self.predicted[places],
            confidence=self.confidence[places],
            groups=None if self.groups is None else self.groups[places],
            now=self.now[places],
        )


def judge(found: Predictions, task: Task, title: str, key: str) -> Judged:
    """What a student said of the test images whose class is known. Raises DamagedFileError, StorageError."""
    known = np.flatnonzero(found.labels >= 0)
    ids = tuple(found.image_ids[place] for place in known.tolist())
    place_of = {image: row for row, image in enumerate(task.images.image_ids)}
    rows = np.array([place_of.get(image, -1) for image in ids], dtype=np.int64)
    groups = read_groups(task.folder)
    return Judged(
        task=task,
        title=title,
        key=key,
        classes=found.classes,
        image_ids=ids,
        rows=rows,
        labels=found.labels[known],
        predicted=found.predicted[known],
        confidence=found.confidence[known].astype(np.float64),
        groups=None if groups is None else _at(groups, rows, -1),
        now=_labels_now(task, rows, found.classes),
    )


def shared_by(first: Judged, second: Judged) -> tuple[Judged, Judged]:
    """Two students on the test images that both were asked about with the same label, in the same order."""
    where = {image: place for place, image in enumerate(second.image_ids)}
    pairs = [(i, where[image]) for i, image in enumerate(first.image_ids) if image in where]
    pairs = [(i, j) for i, j in pairs if first.classes[first.labels[i]] == second.classes[second.labels[j]]]
    mine, other = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return first.taken(mine), second.taken(other)


def _labels_now(task: Task, rows: Numbers, classes: Sequence[str]) -> Numbers:
    """The labels as they are now, as class numbers of the run."""
    number = {name: index for index, name in enumerate(classes)}
    named = np.array([number.get(name, NO_LABEL) for name in task.classes] + [NO_LABEL], dtype=np.int64)
    return named[_at(task.labels, rows, NO_LABEL)]  # -1 finds the last one


def _at(values: Numbers, rows: Numbers, otherwise: int) -> Numbers:
    """`values` of `rows`; `otherwise` for a row of -1, and for images that came after the values."""
    there = (rows >= 0) & (rows < len(values))
    return np.where(there, values[np.where(there, rows, 0)] if len(values) else otherwise, otherwise).astype(np.int64)


def paired(first: Judged, second: Judged) -> PairedAccuracies:
    """How two students compare on images that `shared_by` gave."""
    return paired_accuracies(first.right.astype(np.int64), second.right.astype(np.int64), first.groups)
