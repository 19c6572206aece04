"""What a run hands its method before the first step: what its teachers say of the training split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from engine.features import FeatureStore
from engine.images.views import boxes
from engine.jobs import Reporter
from engine.runs.dividing import extract_beside
from engine.tasks import Task
from engine.teachers import TeacherRecord, get_teacher
from engine.training import Rows
from engine.workspace import Workspace


@dataclass(frozen=True)
class RunMaterial:
    """Of all labels, only those of `labeled_rows` can be read here. Teachers' outputs are computed when asked for."""

    workspace: Workspace
    task: Task
    labeled_rows: NDArray[np.int64]
    alpha: Mapping[str, float]  # active teachers only
    threads: int | None
    device: str
    report: Reporter

    @property
    def classes(self) -> int:
        """How many classes the task has."""
        return len(self.task.classes)

    @property
    def labeled(self) -> NDArray[np.int64]:
        """Positions of the labeled rows in the training split."""
        return np.searchsorted(self.task.train_rows, self.labeled_rows)

    @property
    def labels(self) -> NDArray[np.int64]:
        """Their labels."""
        return np.asarray(self.task.labels[self.labeled_rows])

    def features(self) -> Mapping[str, NDArray[np.float32]]:
        """Of whole images. Each teacher's are read when they are asked for, and not kept: together they are many."""
        self._extract([0])
        return _FeaturesByTeacher(self.task.train_rows, self._stores)

    def pseudo_labels(self, views: int) -> Mapping[str, Rows]:
        """Of the first fixed views. They stay on disk: a step reads its images' alone."""
        self._extract(range(views))
        self.progress("Reading the pseudo-labels")
        rows = self.task.train_rows
        return {name: store.map_pseudo_labels(rows, range(views)) for name, store in self._stores.items()}

    def boxes(self, views: int) -> Float[Tensor, "views n 5"]:
        """Of the first fixed views."""
        ids = [self.task.images.image_ids[row] for row in self.task.train_rows]
        return torch.from_numpy(np.stack([boxes(ids, view, flip=self.task.record.flip) for view in range(views)]))

    def progress(self, stage: str, done: int = 0, total: int | None = None, unit: str = "images") -> None:
        """Say it where the run is watched."""
        self.report.check_cancelled()
        self.report.progress(done, len(self.task.train_rows) if total is None else total, unit, stage)

    @cached_property
    def _teachers(self) -> Mapping[str, TeacherRecord]:
        return {name: get_teacher(self.workspace, name) for name in self.alpha}

    @property
    def _stores(self) -> dict[str, FeatureStore]:
        return {name: FeatureStore(self.workspace, self.task, teacher) for name, teacher in self._teachers.items()}

    def _extract(self, views: Sequence[int]) -> None:
        teachers, rows = list(self._teachers.values()), self.task.train_rows
        extract_beside(self.workspace, self.task, teachers, rows, views=views, device=self.device, report=self.report)


@dataclass(frozen=True)
class _FeaturesByTeacher(Mapping[str, NDArray[np.float32]]):
    """Features `[n, d]` by teacher, read from the cache each time."""

    rows: NDArray[np.int64]
    stores: Mapping[str, FeatureStore]

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        return self.stores[name].read_features(self.rows)

    def __contains__(self, name: object) -> bool:
        return name in self.stores  # without reading what it says

    def __iter__(self) -> Iterator[str]:
        return iter(self.stores)

    def __len__(self) -> int:
        return len(self.stores)
