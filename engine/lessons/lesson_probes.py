"""What probes on each teacher's features say of the images of a lesson, in the task's own classes, and how often that
is right of images whose label was held back.

N images, C classes, S teachers. A probe takes milliseconds, so that a lesson can fit it anew while somebody watches.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.consensus import Ensemble, Graphs, consensus
from engine.lessons.images_of_lesson import METRIC, LessonMaterial
from engine.methods import distill_consensus
from engine.probes import fit_ridge
from engine.similarity import METRICS
from engine.weighting import active, effective_number, weights

BUDGETS = (1, 2, 3, 5, 8, 12, 20, 40, 80)  # labels per class, as far as there are so many


@dataclass(frozen=True)
class WeightStep:
    """Weights at one exponent p. alpha: by teacher, all of them, small ones dropped. effective: number of teachers,
    from 1. accuracy: share 0..1 of the images held back that the weighted mean of all probes gets right.
    """

    p: float
    alpha: Mapping[str, float]
    effective: float
    accuracy: float


@dataclass(frozen=True)
class LabelStep:
    """What labels are worth: labels_per_class of them at most; labeled_images: how many that are. nearest, consensus:
    share 0..1 of the images held back that the most similar teacher's probe, and the mean of all, get right.
    """

    labels_per_class: int
    labeled_images: int
    nearest: float
    consensus: float


@dataclass(frozen=True)
class ConsensusStages:
    """What is said of each image, `[N, C]`, rows sum to 1: by each teacher's probe, by all of them averaged with
    `alpha` and sharpened, and after label propagation. neighbors: of each image, places and weights of its neighbors,
    the strongest first. accuracies: 0..1 on the images held back, of the most similar teacher's probe and the two
    others.
    """

    alpha: Mapping[str, float]
    single: Mapping[str, npt.NDArray[np.float64]]
    averaged: npt.NDArray[np.float32]
    spread: npt.NDArray[np.float32]
    neighbors: tuple[tuple[tuple[int, float], ...], ...]
    accuracies: tuple[float, float, float]


def weights_at(material: LessonMaterial, p: float) -> dict[str, float]:
    """Each teacher's weight at exponent `p`, small ones dropped, summing to 1."""
    names = [teacher.name for teacher in material.teachers]
    found = active(weights([material.similarities[name] for name in names], p, METRICS[METRIC].rule))
    return {name: float(share) for name, share in zip(names, found, strict=True)}


def weights_that_count(material: LessonMaterial, p: float) -> dict[str, float]:
    """The same of those teachers alone that have a weight; the most similar one is among them."""
    return {name: share for name, share in weights_at(material, p).items() if share}


def probe_answers(
    material: LessonMaterial,
    labels: npt.NDArray[np.int64] | None = None,
    known: npt.NDArray[np.bool_] | None = None,
    among: Container[str] | None = None,
) -> dict[str, npt.NDArray[np.float64]]:
    """Class probabilities `[N, C]` of all images by each teacher's probe, fitted on the known labels.

    labels: `[N]`, in place of the right ones. known: `[N]`, in place of the images whose label a lesson uses. among:
    the teachers who are asked, in place of all.
    """
    told = material.labels if labels is None else labels
    known, classes = material.known if known is None else known, len(material.task.classes)
    return {
        teacher.name: fit_ridge(material.features[teacher.name][known], told[known], classes).predict_proba(
            material.features[teacher.name]
        )
        for teacher in material.teachers
        if among is None or teacher.name in among
    }


def weight_steps(
    material: LessonMaterial, answers: Mapping[str, npt.NDArray[np.float64]], exponents: Sequence[float]
) -> tuple[WeightStep, ...]:
    """Weights at each exponent, and how often the mean of the probes' `answers` with these weights is right."""
    found = []
    for p in exponents:
        alpha = weights_at(material, p)
        mean = sum(share * answers[name] for name, share in alpha.items() if share)
        found.append(
            WeightStep(p, alpha, effective_number(list(alpha.values())), accuracy_of(material, np.asarray(mean)))
        )
    return tuple(found)


def label_steps(material: LessonMaterial, p: float = distill_consensus.P) -> tuple[LabelStep, ...]:
    """Probes with 1, 2, 3, 5, ... of the known labels of each class, up to all of them, on the same images held
    back.
    """
    alpha = weights_that_count(material, p)
    most = int(np.bincount(material.labels[material.known]).max())
    nth = np.zeros(len(material.rows), dtype=np.int64)  # of an image: which one of its class it is, among the known
    for label in np.unique(material.labels):
        places = np.flatnonzero(material.known & (material.labels == label))
        nth[places] = np.arange(len(places))
    found = []
    for budget in (*(number for number in BUDGETS if number < most), most):
        known = material.known & (nth < budget)
        answers = probe_answers(material, known=known, among=alpha)
        mean = np.asarray(sum(share * answers[name] for name, share in alpha.items()))
        nearest = answers[material.teachers[0].name]
        found.append(LabelStep(budget, int(known.sum()), accuracy_of(material, nearest), accuracy_of(material, mean)))
    return tuple(found)


def accuracy_of(material: LessonMaterial, said: npt.NDArray[np.floating]) -> float:
    """Share 0..1 of the images held back whose class has the largest of the class scores `said [N, C]`."""
    held = ~material.known
    return float(np.mean(said[held].argmax(axis=1) == material.labels[held]))


def consensus_stages(
    material: LessonMaterial, answers: Mapping[str, npt.NDArray[np.float64]], p: float = distill_consensus.P
) -> ConsensusStages:
    """The consensus of the teachers on these images, step by step, as DistillConsensus computes it of all images."""
    alpha = weights_that_count(material, p)
    known = np.flatnonzero(material.known)
    graphs: Graphs = {}

    def said(how: Ensemble) -> npt.NDArray[np.float32]:
        labels, classes = material.labels[known], len(material.task.classes)
        return consensus(material.features, alpha, known, labels, classes, how, graphs=graphs)

    averaged, spread = said(Ensemble(neighbors=0)), said(Ensemble())
    (graph,) = graphs.values()
    neighbors = []
    for place in range(len(material.rows)):
        of_place = slice(*graph.indptr[place : place + 2])
        pairs = zip(graph.indices[of_place].tolist(), graph.data[of_place].tolist(), strict=True)
        neighbors.append(tuple(sorted(pairs, key=lambda pair: (-pair[1], pair[0]))))
    first = answers[material.teachers[0].name]
    accuracies = (accuracy_of(material, first), accuracy_of(material, averaged), accuracy_of(material, spread))
    single = {name: answers[name] for name in alpha}
    return ConsensusStages(alpha, single, averaged, spread, tuple(neighbors), accuracies)
