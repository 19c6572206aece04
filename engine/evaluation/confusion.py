"""Which classes are taken for which, and how well each class is recognized. Arrays only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_vector, group_codes, require_same_length
from engine.evaluation.groups import are_groups, ratio_intervals
from engine.evaluation.intervals import LEVEL, Interval, wilson_interval


@dataclass(frozen=True)
class Estimate:
    """A share 0..1, higher is better, and its interval. None: it is not defined, or its interval cannot be known."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True)
class ClassScores:
    """How well one class is recognized. images: of this class; predicted: images said to be of it; right: both.

    precision = right / predicted; recall = right / images, which is the class's accuracy; f1 is their harmonic mean.
    """

    label: int
    images: int
    predicted: int
    right: int
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True)
class Confused:
    """A pair of classes: `images` of class `label` were taken for `predicted`, a `share` 0..1 of all of that class."""

    label: int
    predicted: int
    images: int
    share: float


@dataclass(frozen=True)
class Baselines:
    """Accuracies that cost nothing, 0..1. chance: guessing one of all classes, each as often. majority_share: saying
    `majority`, the most frequent class of the images, each time.
    """

    chance: float
    majority: int
    majority_share: float


def confusion_matrix(predicted: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int) -> IntArray:
    """How many images of class i (row) were taken for class j (column), `[C, C]`; the right ones are on the diagonal.

    Raises InvalidInputError if a class id is not between 0 and C-1, or `predicted [n]` and `labels [n]` differ in
    length.

    >>> confusion_matrix([0, 1, 1], [0, 0, 1], 2).tolist()
    [[1, 1], [0, 1]]
    """
    guesses, truth = _in_range(predicted, labels, number_of_classes)
    flat = np.bincount(truth * number_of_classes + guesses, minlength=number_of_classes**2)
    return flat.reshape(number_of_classes, number_of_classes).astype(np.int64)


def most_confused(matrix: IntArray, count: int) -> tuple[Confused, ...]:
    """The `count` pairs of a `confusion_matrix` with the most images, by number, then share; fewer if there are fewer.

    >>> most_confused(np.array([[1, 3], [0, 2]]), 5)
    (Confused(label=0, predicted=1, images=3, share=0.75),)
    """
    totals = matrix.sum(axis=1)
    rows, columns = np.nonzero(matrix * (1 - np.eye(len(matrix), dtype=np.int64)))
    images = matrix[rows, columns]
    shares = images / totals[rows]
    order = np.lexsort((columns, rows, -shares, -images))[:count]
    return tuple(Confused(int(rows[i]), int(columns[i]), int(images[i]), float(shares[i])) for i in order)


def most_confused_classes(matrix: IntArray, count: int) -> IntArray:
    """At most `count` classes of a `confusion_matrix`, by number: those of the pairs that are confused most; without
    any error the first ones.

    >>> most_confused_classes(np.array([[1, 0, 0], [0, 2, 5], [0, 1, 0]]), 2).tolist()
    [1, 2]
    """
    worst: dict[int, None] = {}
    for pair in most_confused(matrix, len(matrix)):
        pair_of = dict.fromkeys((pair.label, pair.predicted))
        if len(worst | pair_of) <= count:
            worst |= pair_of
    return np.array(sorted(worst) or range(min(count, len(matrix))), dtype=np.int64)


def class_scores(
    predicted: npt.ArrayLike,
    labels: npt.ArrayLike,
    number_of_classes: int,
    groups: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of each class 0 ... C-1 with intervals, from class ids `[n]`.

    Independent images: Wilson intervals; that of F1 is Wilson's for right / (images + predicted - right), of which F1
    is a rising function, 2s / (1 + s). With `groups [n]` (an id an image, negative for none) of which some have several
    images: a bootstrap over groups, None for a class in fewer than 5. A score without any image that could tell is
    None. Raises InvalidInputError as `confusion_matrix` does.

    >>> [cat, dog] = class_scores([0, 1, 1, 1], [0, 0, 1, 1], 2)
    >>> cat.recall.value, round(dog.precision.value, 3), round(dog.f1.value, 3)
    (0.5, 0.667, 0.8)
    """
    guesses, truth = _in_range(predicted, labels, number_of_classes)
    right = np.bincount(truth[guesses == truth], minlength=number_of_classes)
    images = np.bincount(truth, minlength=number_of_classes)
    said = np.bincount(guesses, minlength=number_of_classes)
    if groups is not None and are_groups(groups):
        codes = group_codes(groups)
        require_same_length(predicted=guesses, groups=codes)
        intervals = _grouped(guesses, truth, codes, number_of_classes, level)
    else:
        intervals = [_independent(*counts, level) for counts in zip(right, said, images, strict=True)]
    return tuple(
        ClassScores(
            label=label,
            images=int(images[label]),
            predicted=int(said[label]),
            right=int(right[label]),
            precision=_estimate(right[label], said[label], intervals[label][0]),
            recall=_estimate(right[label], images[label], intervals[label][1]),
            f1=_estimate(2 * right[label], said[label] + images[label], intervals[label][2]),
        )
        for label in range(number_of_classes)
    )


def baselines(labels: npt.ArrayLike, number_of_classes: int) -> Baselines:
    """What chance and the most frequent class would reach on images of these labels `[n]`.

    Raises InvalidInputError if a label is not between 0 and C-1.

    >>> baselines([0, 2, 2, 2], 4)
    Baselines(chance=0.25, majority=2, majority_share=0.75)
    """
    truth, _ = _in_range(labels, labels, number_of_classes)
    counts = np.bincount(truth, minlength=number_of_classes)
    return Baselines(1 / number_of_classes, int(counts.argmax()), float(counts.max() / len(truth)))


def errors_by_confidence(predicted: npt.ArrayLike, labels: npt.ArrayLike, confidence: npt.ArrayLike) -> IntArray:
    """Places of the images that are wrong, the most confident first; of equal ones the earlier first.

    predicted, labels: class ids `[n]`; confidence: of the predicted class `[n]`. Raises InvalidInputError if they
    differ in length.

    >>> errors_by_confidence([0, 1, 1, 0], [0, 0, 0, 1], [0.9, 0.6, 0.8, 0.7]).tolist()
    [2, 3, 1]
    """
    guesses, truth, sure = as_labels(predicted, "predicted"), as_labels(labels), as_vector(confidence, "confidence")
    require_same_length(predicted=guesses, labels=truth, confidence=sure)
    wrong = np.flatnonzero(guesses != truth)
    return wrong[np.argsort(-sure[wrong], kind="stable")].astype(np.int64)


def _estimate(numerator: int, denominator: int, interval: Interval | None) -> Estimate:
    return Estimate(float(numerator / denominator), interval) if denominator else Estimate(None, None)


def _independent(right: int, said: int, images: int, level: float) -> Sequence[Interval | None]:
    """Intervals of precision, recall and F1 from the counts of one class."""
    precision = wilson_interval(int(right), int(said), level) if said else None
    recall = wilson_interval(int(right), int(images), level) if images else None
    either = int(said + images - right)
    if not either:
        return precision, recall, None
    both = wilson_interval(int(right), either, level)
    f1 = replace(both, low=2 * both.low / (1 + both.low), high=2 * both.high / (1 + both.high))
    return precision, recall, f1


def _grouped(
    guesses: IntArray, truth: IntArray, codes: IntArray, number_of_classes: int, level: float
) -> list[Sequence[Interval | None]]:
    """The same for every class by a bootstrap over groups."""

    def sums(of: IntArray, chosen: IntArray) -> FloatArray:
        """How many of the `chosen` images of each group are of each class, `[G, C]`."""
        groups = int(codes.max()) + 1
        flat = np.bincount(codes[chosen] * number_of_classes + of[chosen], minlength=groups * number_of_classes)
        return flat.reshape(groups, number_of_classes).astype(np.float64)

    everything = np.arange(len(truth))
    right, said, images = (
        sums(truth, np.flatnonzero(guesses == truth)),
        sums(guesses, everything),
        sums(truth, everything),
    )
    found = ratio_intervals(np.hstack([right, right, 2 * right]), np.hstack([said, images, said + images]), level)
    return [found[label::number_of_classes] for label in range(number_of_classes)]


def _in_range(predicted: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int) -> tuple[IntArray, IntArray]:
    guesses, truth = as_labels(predicted, "predicted"), as_labels(labels)
    require_same_length(predicted=guesses, labels=truth)
    for name, ids in (("predicted", guesses), ("labels", truth)):
        if ids.min() < 0 or ids.max() >= number_of_classes:
            wrong = int(ids.min() if ids.min() < 0 else ids.max())
            raise InvalidInputError(
                f"{name} holds class id {wrong}, and there are {number_of_classes} classes: "
                f"use ids from 0 to {number_of_classes - 1}."
            )
    return guesses, truth
