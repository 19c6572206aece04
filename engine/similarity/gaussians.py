"""GBC: how little the classes overlap when each is taken for a Gaussian in the teacher's features.

Reference: Pandy et al. 2022, "Transferability Estimation using Bhattacharyya Class Separability".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.evaluation.arrays import FloatArray
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

PRINCIPAL_AXES = 64  # as in Pandy et al. 2022
_CLASSES_AT_ONCE = 512
_SMALLEST_VARIANCE = 1e-4  # keeps a class with one image from being a point


def gbc(points: Points, classes: Classes, components: int = PRINCIPAL_AXES) -> float:
    """GBC with one variance per class, on the first `components` principal axes: at most 0, higher is better.

    Minus the sum, over ordered pairs of classes, of exp(-Bhattacharyya distance): 0 when no two classes overlap,
    -C (C - 1) when all lie on each other. A class's variance is the mean over the axes, each floored at 1e-4.

    >>> points = Points(np.array([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0]]))
    >>> round(gbc(points, Classes(np.array([0, 0, 1, 1]))), 6) + 0.0
    0.0
    """
    means, variances = _moments(points.principal(components), classes)
    dimensions, lengths, spread = means.shape[1], np.square(means).sum(axis=1), variances.mean(axis=1)
    logarithms = np.log(spread)

    def distances(codes: slice) -> FloatArray:
        middle = (spread[codes, None] + spread) / 2
        apart = np.maximum(lengths[codes, None] + lengths - 2 * (means[codes] @ means.T), 0) / middle / 8
        return np.asarray(apart + dimensions / 2 * (np.log(middle) - (logarithms[codes, None] + logarithms) / 2))

    return _overlap(distances, classes.number)


def _overlap(distances: Callable[[slice], FloatArray], number_of_classes: int) -> float:
    """Minus the sum of exp(-distance) over ordered pairs of different classes; `distances` gives some rows of pairs."""
    total = 0.0
    for start in range(0, number_of_classes, _CLASSES_AT_ONCE):
        codes = slice(start, min(start + _CLASSES_AT_ONCE, number_of_classes))
        overlap = np.exp(-distances(codes))
        overlap[np.arange(len(overlap)), np.arange(codes.start, codes.stop)] = 0.0
        total += float(overlap.sum())
    return -total + 0.0


def _moments(rows: FloatArray, classes: Classes) -> tuple[FloatArray, FloatArray]:
    """Mean and floored population variance of each class: `[C, d]` each."""
    means = classes.means(rows)
    variances = classes.means(np.square(rows - means[classes.codes]))
    return means, np.maximum(variances, _SMALLEST_VARIANCE)


GBC = Metric(
    key="gbc",
    title="GBC",
    summary="How little do the classes overlap if each is a round cloud in the teacher's features?",
    labels_per_class=2,
    range="-C (C - 1) to 0; higher is better",
    rule="minmax",
    cost="n d² + d³ + 64 C²",
    reference="Pándy et al. 2022",
    unit="overlap",
    of_outputs=on_features(gbc),
    card=Card(
        r"-\sum_{c\neq c'}\exp\bigl(-D_B(c,c')\bigr)",
        "D with subscript B: Bhattacharyya distance between the classes, each taken for a round Gaussian on 64 "
        "principal axes; each two classes count twice.",
        "How far the class clouds overlap.",
        "Classes are not round, and a class with one or two images has no spread to speak of. The sum is ruled by the "
        "few pairs that overlap most; with more classes it has more terms, so compare teachers of one task only.",
        "Pándy, Agostinelli, Uijlings, Ferrari, Mensink 2022, Transferability Estimation using Bhattacharyya Class "
        "Separability, CVPR, arXiv 2111.12780",
    ),
)

METRICS = (GBC,)
