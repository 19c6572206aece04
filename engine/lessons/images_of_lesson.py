"""What lessons are about: a few labeled training images of a task, and what its teachers say of them.

N images, C classes of the task. Test images take no part. Enough for a page to compute on while somebody waits: it is
read from the cache of features, and a lesson says how many images it is about.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.features import FeatureStore
from engine.runs import candidates, ranked_rows
from engine.similarity import score
from engine.tasks import NO_LABEL, Draw, Task
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

METRIC = "parc"  # by which lessons rank: the default of the program, and the one whose formula a lesson takes apart
# Images that teachers are ranked on, and all of them: on so many a lesson computes in about a second (ours).
MOST_DRAWN, MOST_IMAGES = 240, 400
FEWEST_A_CLASS = 4  # below, some classes are taken instead of a few images of all: two to rank, two to judge
FEWEST_TEACHERS = 2
_IMAGE_STREAM, _CLASS_STREAM = 0x1E550, 0x1E551


@dataclass(frozen=True)
class LessonMaterial:
    """Arrays are in the order of `rows [N]` of the task's image table.

    drawn: `[N]`, images of the draw, on which teachers are ranked. known: `[N]`, images whose label a lesson uses; of
    the others it is held back, to judge what is said of them. features: `[N, d_s]` by teacher. pseudo_labels:
    `[N, Z_s]`, of those teachers that have classes. similarities: PARC by teacher, -100 to 100, higher is better.
    recorded: whether it came with the program.
    """

    task: Task
    draw: Draw
    teachers: tuple[TeacherRecord, ...]  # the most similar first
    rows: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    drawn: npt.NDArray[np.bool_]
    known: npt.NDArray[np.bool_]
    features: Mapping[str, npt.NDArray[np.float32]]
    pseudo_labels: Mapping[str, npt.NDArray[np.float32]]
    similarities: Mapping[str, float]
    recorded: bool = False

    def spread(self, count: int, *, with_classes: bool = False) -> tuple[TeacherRecord, ...]:
        """At most `count` teachers from all over the ranking, the first and the last among them, best first.

        with_classes: of those that have classes of their own.
        """
        able = [t for t in self.teachers if not with_classes or t.name in self.pseudo_labels]
        places = np.unique(np.linspace(0, len(able) - 1, min(count, len(able))).round().astype(int))
        return tuple(able[place] for place in places)


def lesson_material(workspace: Workspace, task: Task, draw: Draw) -> LessonMaterial | None:
    """What is there for lessons on a task, or None: too few of its teachers' outputs are in the cache, or too few
    labels. Raises InvalidInputError for a task without labels, DamagedFileError, StorageError.
    """
    everyone = [candidate for candidate in candidates(workspace, task) if candidate.allowed]
    stores = {c.teacher.name: FeatureStore(workspace, task, c.teacher) for c in everyone}
    wanted = ranked_rows(task, draw)
    ready = [c for c in everyone if not len(stores[c.teacher.name].missing(wanted, 0))]
    if len(ready) < FEWEST_TEACHERS:
        return None
    held = task.train_rows[task.labels[task.train_rows] != NO_LABEL]
    for candidate in ready:
        held = np.setdiff1d(held, stores[candidate.teacher.name].missing(held, 0))
    drawn = _evenly(task, wanted, draw, MOST_DRAWN, FEWEST_A_CLASS)
    others = held[np.isin(task.labels[held], task.labels[drawn])]
    others = _evenly(task, np.setdiff1d(others, wanted), draw, MOST_IMAGES - len(drawn), 1)
    rows = np.sort(np.concatenate([drawn, others]))
    outputs = {c.teacher.name: stores[c.teacher.name].read(rows) for c in ready}
    return material_of(
        task,
        draw,
        rows,
        drawn,
        [c.teacher for c in ready],
        {name: found.features for name, found in outputs.items()},
        {c.teacher.name: outputs[c.teacher.name].pseudo_labels for c in ready if c.teacher.has_pseudo_labels},
    )


def material_of(
    task: Task,
    draw: Draw,
    rows: npt.NDArray[np.int64],
    drawn_rows: npt.NDArray[np.int64],
    teachers: Sequence[TeacherRecord],
    features: Mapping[str, npt.NDArray[np.float32]],
    pseudo_labels: Mapping[str, npt.NDArray[np.float32]],
    *,
    recorded: bool = False,
) -> LessonMaterial | None:
    """The same of arrays in the order of `rows [N]`; None where fewer than two teachers can be ranked."""
    labels, drawn = task.labels[rows], np.isin(rows, drawn_rows)
    similarities: dict[str, float] = {}
    for teacher in teachers:
        try:
            similarities[teacher.name] = score(METRIC, features=features[teacher.name][drawn], labels=labels[drawn])
        except TooFewLabelsError:
            return None
        except InvalidInputError:  # of one odd teacher, which the page Teachers names
            continue
    known = _known(labels, drawn)
    ranked = sorted((t for t in teachers if t.name in similarities), key=lambda t: (-similarities[t.name], t.name))
    if len(ranked) < FEWEST_TEACHERS or known.all() or len(np.unique(labels[known])) < 2:
        return None
    return LessonMaterial(
        task=task,
        draw=draw,
        teachers=tuple(ranked),
        rows=rows,
        labels=labels,
        drawn=drawn,
        known=known,
        features={t.name: features[t.name] for t in ranked},
        pseudo_labels={t.name: pseudo_labels[t.name] for t in ranked if t.name in pseudo_labels},
        similarities=similarities,
        recorded=recorded,
    )


def _known(labels: npt.NDArray[np.int64], drawn: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which labels a lesson uses: those of the draw; where nearly all are drawn, every other one of each class."""
    if (~drawn).sum() >= len(np.unique(labels)):
        return drawn
    known = drawn.copy()
    for label in np.unique(labels[drawn]):
        known[np.flatnonzero(drawn & (labels == label))[1::2]] = False
    return known


def _evenly(task: Task, rows: npt.NDArray[np.int64], draw: Draw, most: int, fewest: int) -> npt.NDArray[np.int64]:
    """At most `most` of labeled `rows`, sorted: as many of each class as there is room for, or some classes alone where
    that would be less than `fewest`.
    """
    if len(rows) <= most:
        return rows
    labels = task.labels[rows]
    counts = np.bincount(labels, minlength=len(task.classes))
    room = bisect_right(range(1, most + 1), most, key=lambda each: int(np.minimum(counts, each).sum()))
    classes = np.arange(len(counts))
    if room < fewest:
        room = fewest
        order = np.random.default_rng([draw.seed, _CLASS_STREAM]).permutation(len(counts))
        classes = order[np.cumsum(np.minimum(counts, room)[order]) <= most]
    chosen = []
    for label in np.sort(classes):
        of_class = rows[labels == label]
        order = np.random.default_rng([draw.seed, _IMAGE_STREAM, int(label)]).permutation(len(of_class))
        chosen.append(of_class[order[:room]])
    return np.sort(np.concatenate(chosen))
