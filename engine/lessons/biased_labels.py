"""A secretly biased data set for a lesson: some labels of one class say another one. It is found, repaired and trained
again with probes, in seconds. Nothing of it is written: the task's labels stay as they are.

N images, C classes of the task.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.consensus import doubts
from engine.evaluation import confusion_matrix
from engine.lessons.images_of_lesson import LessonMaterial
from engine.lessons.lesson_probes import accuracy_of, probe_answers, weights_that_count
from engine.methods import distill_consensus
from engine.probes import left_out

TRIES = 12  # pairs of classes
FEWEST_LABELS = 4  # of the class that is biased, and of the one that it is said to be
SHARE = 0.6  # of the class's known labels that are wrong
_STREAM = 0xB1A5


@dataclass(frozen=True)
class BiasedLabels:
    """labels: `[N]`, with the wrong ones among those that are known. wrong: places of these. true, said: the class that
    they are of, and the class that they say.
    """

    labels: npt.NDArray[np.int64]
    wrong: tuple[int, ...]
    true: int
    said: int


@dataclass(frozen=True)
class TrainedOn:
    """What probes learned from labels: accuracy 0..1 on the images held back, and whom they take for whom, `[C, C]`."""

    accuracy: float
    confusion: npt.NDArray[np.int64]


def biased(material: LessonMaterial, secret: int) -> BiasedLabels | None:
    """A bias that the number `secret` draws, the same each time; None where no two classes have labels enough.

    Of some pairs of classes the first one is taken whose confusion stands out, so that it can be found: no two other
    classes are confused as often. Where there is none, the one that is confused most.
    """
    able = _able(material)
    if len(able) < 2:
        return None
    generator = np.random.default_rng([secret, _STREAM])
    best: tuple[int, BiasedLabels | None] = (-len(material.rows) - 1, None)
    for _ in range(TRIES):
        true, said = (int(label) for label in generator.choice(able, 2, replace=False))
        found = _with_wrong_labels(material, true, said, generator)
        confused = trained_on(material, found.labels).confusion.copy()
        own = int(confused[found.true, found.said])
        np.fill_diagonal(confused, 0)
        confused[found.true, found.said] = 0
        lead = own - int(confused.max())
        best = max(best, (lead, found), key=lambda pair: pair[0])
        if lead > 0:
            break
    return best[1]


def _able(material: LessonMaterial) -> npt.NDArray[np.int64]:
    """Classes with labels enough, of which some image is held back, by which a bias is found."""
    known, held = (
        np.bincount(material.labels[which], minlength=len(material.task.classes))
        for which in (material.known, ~material.known)
    )
    return np.flatnonzero((known >= FEWEST_LABELS) & (held > 0))


def _with_wrong_labels(material: LessonMaterial, true: int, said: int, generator: np.random.Generator) -> BiasedLabels:
    places = np.flatnonzero(material.known & (material.labels == true))
    wrong = np.sort(generator.permutation(places)[: math.ceil(SHARE * len(places))])
    labels = material.labels.copy()
    labels[wrong] = said
    return BiasedLabels(labels, tuple(wrong.tolist()), true, said)


def can_be_biased(material: LessonMaterial) -> bool:
    """Whether two classes have labels enough for it."""
    return len(_able(material)) > 1


def trained_on(material: LessonMaterial, labels: npt.NDArray[np.int64]) -> TrainedOn:
    """Probes of the teachers that have a weight, averaged by it, fitted on the known ones of `labels [N]` and judged by
    true labels.
    """
    alpha = weights_that_count(material, distill_consensus.P)
    answers = probe_answers(material, labels, among=alpha)
    mean = np.asarray(sum(share * answers[name] for name, share in alpha.items()))
    held = ~material.known
    matrix = confusion_matrix(mean[held].argmax(axis=1), material.labels[held], len(material.task.classes))
    return TrainedOn(accuracy_of(material, mean), matrix)


def doubted(material: LessonMaterial, labels: npt.NDArray[np.int64]) -> tuple[int, ...]:
    """Places of the known images whose label among `labels [N]` the others speak against, the most doubtful first, as
    Results, section Labels, finds them.
    """
    places = np.flatnonzero(material.known)
    told, classes = labels[places], len(material.task.classes)
    said = sum(
        share * left_out(material.features[name][places], told, classes)
        for name, share in weights_that_count(material, distill_consensus.P).items()
    )
    return tuple(int(places[place]) for place in doubts(np.asarray(said), told).places)


def repaired(material: LessonMaterial, labels: npt.NDArray[np.int64], places: Collection[int]) -> npt.NDArray[np.int64]:
    """`labels [N]` with the true ones at `places`: what a person who looks at these images would give them."""
    found = labels.copy()
    for place in places:
        found[place] = material.labels[place]
    return found
