"""Which images of a task are worth a label next, by what is known of them so far."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.features import FeatureStore
from engine.runs.ranking import allowed_teachers
from engine.selection import k_center
from engine.tasks import Task, given_label_numbers, read_small
from engine.workspace import Workspace

# Ours: half a second of one core with features of 1,280 numbers.
CONSIDERED = 5_000  # images among which the next ones are looked for; of more, a sample is drawn
REMEMBERED = 1_000  # labeled images from which the next ones are to be far; of more, a sample is drawn
ENOUGH = 0.5  # share of the images that a teacher must have seen for its features to count


@dataclass(frozen=True)
class Suggestion:
    """Rows to label next, the most telling first, and the title of the teacher whose features say so; "" where none
    has seen enough, and small copies of the images serve instead.
    """

    rows: NDArray[np.int64]
    teacher: str


def unlabeled_rows(task: Task) -> NDArray[np.int64]:
    """Training rows without a label, neither from the source nor by hand, sorted."""
    rows = task.train_rows
    return rows[given_label_numbers(task)[rows] < 0]


def worth_a_label(
    workspace: Workspace, task: Task, count: int, *, passed: Collection[int] = (), seed: int = 0
) -> Suggestion:
    """The `count` unlabeled training images that cover the others best (k-center), `passed` ones left out.

    Features are those of the teacher that has seen the most of them. Raises InvalidInputError, DamagedFileError.
    """
    waiting = np.setdiff1d(unlabeled_rows(task), np.array(sorted(passed), dtype=np.int64))
    rows = _some(waiting, CONSIDERED, seed)
    labels = given_label_numbers(task)
    known = _some(task.train_rows[labels[task.train_rows] >= 0], REMEMBERED, seed)
    teacher, features, of = "", None, np.concatenate([rows, known])
    best = _most_seen(workspace, task, rows)
    if best is not None:
        seen = np.setdiff1d(of, best.missing(of, 0))
        rows, known = rows[np.isin(rows, seen)], known[np.isin(known, seen)]
        of = np.concatenate([rows, known])
        teacher, features = best.teacher.title, best.read_features(of)
    elif (small := read_small(task.folder)) is not None:
        features = small[of].astype(np.float32) - small[of].mean(dtype=np.float32)
    if features is None:
        return Suggestion(rows[:count], "")
    picked = k_center(features, np.arange(len(rows), len(of)), count, seed=seed)
    chosen = of[picked[picked < len(rows)]]
    more = np.setdiff1d(rows, chosen)[: max(0, count - len(chosen))]  # copies of others: they want a label as well
    return Suggestion(np.concatenate([chosen, more]), teacher)


def _most_seen(workspace: Workspace, task: Task, rows: NDArray[np.int64]) -> FeatureStore | None:
    """The features of the teacher that has seen the most of `rows`, if that is enough of them."""
    stores = [FeatureStore(workspace, task, teacher) for teacher in allowed_teachers(workspace, task)]
    seen = [len(rows) - len(store.missing(rows, 0)) for store in stores]
    best = int(np.argmax(seen)) if seen else -1
    return stores[best] if best >= 0 and len(rows) and seen[best] >= ENOUGH * len(rows) else None


def _some(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    if len(rows) <= most:
        return rows
    return np.sort(np.random.default_rng([seed, _STREAM]).choice(rows, most, replace=False))


_STREAM = 0x1ABE1
