"""Features in the real cache without running a network: a teacher tells the classes apart as well as we want."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.features import FeatureStore
from engine.runs import candidates
from engine.tasks import Task
from engine.workspace import Workspace

DIMENSIONS = 24


def extracted(
    home: Path, task: Task, rows: NDArray[np.int64], strengths: Mapping[str, float], usual: float = 1.0
) -> None:
    """Give every teacher that may teach outputs for `rows`; the larger its strength, the farther apart the classes."""
    for candidate in candidates(Workspace.from_environment(), task):
        if candidate.allowed:
            strength = strengths.get(candidate.teacher.name, usual)
            generator = np.random.default_rng(len(candidate.teacher.name))
            centers = np.random.default_rng(7).normal(size=(len(task.classes), DIMENSIONS))
            features = strength * centers[task.labels[rows]] + generator.normal(size=(len(rows), DIMENSIONS))
            pseudo_labels = generator.dirichlet(np.ones(len(candidate.teacher.classes)), len(rows))
            store = FeatureStore(home, task, candidate.teacher)
            store.write(rows, 0, features.astype(np.float16), pseudo_labels.astype(np.float16))
