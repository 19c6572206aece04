"""What is known of a task's images from features that lie in the cache already: how well each teacher keeps the classes
apart, what it calls them, what all of them together say, and where two differ. Nothing here runs a network.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.consensus import Ensemble, consensus
from engine.features import FeatureStore
from engine.methods import distill_consensus
from engine.neighborhoods import Separation, most_alike, separation
from engine.probes import fit_ridge
from engine.runs.ranking import Ranking, active_weights, ranked_rows
from engine.runs.suspects import largest_weights
from engine.tasks import Draw, Task, read_groups
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

# Ours: propagating over all images takes minutes where there are many; each image is judged by itself here.
ALONE = Ensemble(neighbors=0)


@dataclass(frozen=True)
class TopLabels:
    """The likeliest of a teacher's own classes for each of n images: its number `[n]`, and its probability `[n]`."""

    classes: NDArray[np.int64]
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Proposals:
    """Which of the task's classes the teachers' probes together propose for each of n images.

    probabilities: `[n, C]`, rows sum to 1. teachers: who was asked, with weights that sum to 1.
    """

    probabilities: NDArray[np.float32]
    teachers: dict[str, float]


def has_ranked_features(workspace: Workspace, task: Task, teacher: TeacherRecord, draw: Draw) -> bool:
    """Whether a teacher's features of all `ranked_rows` of a draw are in the cache."""
    rows = ranked_rows(task, draw)
    return bool(len(rows)) and not len(FeatureStore(workspace, task, teacher).missing(rows, 0))


def separation_by(workspace: Workspace, task: Task, teacher: TeacherRecord, draw: Draw) -> Separation | None:
    """How well a teacher's features keep the classes apart on `ranked_rows` of a draw; None where too few classes have
    two labels. Raises InvalidInputError if these features are not all in the cache.
    """
    rows, groups = ranked_rows(task, draw), read_groups(task.folder)
    features = FeatureStore(workspace, task, teacher).read_features(rows)
    return separation(features, task.labels[rows], None if groups is None else groups[rows])


def top_pseudo_labels(
    workspace: Workspace, task: Task, teacher: TeacherRecord, rows: NDArray[np.int64]
) -> TopLabels | None:
    """What a teacher calls the images of `rows`; None where it has no classes, or its outputs are not in the cache."""
    store = FeatureStore(workspace, task, teacher)
    if not teacher.has_pseudo_labels or not len(rows) or len(store.missing(rows, 0)):
        return None
    said = store.read(rows).pseudo_labels
    return TopLabels(said.argmax(axis=1), said.max(axis=1))


def proposals(workspace: Workspace, task: Task, ranking: Ranking, rows: NDArray[np.int64]) -> Proposals | None:
    """What the consensus of the teachers with the largest weights says of `rows`, each image by itself: without the
    propagation that a student learns from. Teachers whose features of these images, and of the labeled ones, are not in
    the cache are left out; None where that leaves none. Raises as `engine.consensus.consensus`.
    """
    labeled = task.labeled_rows(ranking.draw)
    asked = np.union1d(rows, labeled)
    stores = {t.name: FeatureStore(workspace, task, t) for t in ranking.candidates}
    alpha = active_weights(ranking.alpha(distill_consensus.P, features_suffice=True))
    able = {name: share for name, share in alpha.items() if not len(stores[name].missing(asked, 0))}
    if not able or not len(rows):
        return None
    able = largest_weights(able)
    features = {name: stores[name].read_features(asked) for name in able}
    places = np.searchsorted(asked, labeled)
    said = consensus(features, able, places, task.labels[labeled], len(task.classes), ALONE)
    return Proposals(said[np.searchsorted(asked, rows)], able)


def disagreement(
    workspace: Workspace, task: Task, draw: Draw, pair: tuple[TeacherRecord, TeacherRecord], rows: NDArray[np.int64]
) -> NDArray[np.float32] | None:
    """How far two teachers differ about each image of `rows`, 0 (not at all) to 1: the total variation between what a
    ridge probe on the features of each says, in the task's classes. None where features are missing.
    """
    labeled, said = task.labeled_rows(draw), []
    for teacher in pair:
        store = FeatureStore(workspace, task, teacher)
        if not len(rows) or not len(labeled) or len(store.missing(np.union1d(rows, labeled), 0)):
            return None
        probe = fit_ridge(store.read_features(labeled), task.labels[labeled], len(task.classes))
        said.append(probe.single_precision(store.read_features(rows)))
    return np.asarray(np.abs(said[0] - said[1]).sum(axis=1) / 2, dtype=np.float32)


def images_like(
    workspace: Workspace, task: Task, teacher: TeacherRecord, row: int, among: NDArray[np.int64], count: int
) -> NDArray[np.int64] | None:
    """The `count` rows of `among` whose images are most like that of `row` in a teacher's features, the nearest first,
    `row` itself left out; None where some of these features are not in the cache.
    """
    store, rows = FeatureStore(workspace, task, teacher), np.union1d(among, [row])
    if len(store.missing(rows, 0)):
        return None
    places, _ = most_alike(store.read_features(rows), int(np.searchsorted(rows, row)), count)
    return np.asarray(rows[places])
