"""GBC: how little the classes overlap when each is taken for a Gaussian in the teacher's features.

Reference: Pandy et al. 2022, "Transferability Estimation using Bhattacharyya Class Separability".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engine.evaluation.arrays import FloatArray
from engine.similarity.points import Classes, Points, points_and_classes

PRINCIPAL_AXES = 64  # as in Pandy et al. 2022
_CLASSES_AT_ONCE = 512
_SMALLEST_VARIANCE = 1e-4  # keeps a class with one image from being a point


def gbc_spherical(features: npt.ArrayLike, labels: npt.ArrayLike, components: int = PRINCIPAL_AXES) -> float:
    """GBC with one variance per class, on the first `components` principal axes: at most 0, higher is better.

    Minus the sum, over ordered pairs of classes, of exp(-Bhattacharyya distance): 0 when no two classes overlap,
    -C (C - 1) when all lie on each other. A class's variance is the mean over the axes, each floored at 1e-4.

    >>> round(gbc_spherical([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0]], [0, 0, 1, 1]), 6) + 0.0
    0.0
    """
    points, classes = points_and_classes(features, labels)
    return gbc_of(points, classes, components)


def gbc_of(points: Points, classes: Classes, components: int = PRINCIPAL_AXES) -> float:
    """`gbc_spherical` of points."""
    means, variances = _moments(points.principal(components), classes)
    dimensions, lengths, spread = means.shape[1], np.square(means).sum(axis=1), variances.mean(axis=1)
    logarithms = np.log(spread)

    def distances(codes: slice) -> FloatArray:
        middle = (spread[codes, None] + spread) / 2
        apart = np.maximum(lengths[codes, None] + lengths - 2 * (means[codes] @ means.T), 0) / middle / 8
        return np.asarray(apart + dimensions / 2 * (np.log(middle) - (logarithms[codes, None] + logarithms) / 2))

    return _overlap(distances, classes.number, _CLASSES_AT_ONCE)


def gbc_diagonal(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """GBC with a variance for every class and dimension of `features [n, d]`: at most 0, higher is better.

    As `gbc_spherical`, without principal axes. In many dimensions it is often 0 to within rounding for every teacher.

    >>> round(gbc_diagonal([[0.0, 0.0], [0.1, 0.0], [0.0, 0.0], [0.1, 0.0]], [0, 0, 1, 1]), 6)
    -2.0
    """
    points, classes = points_and_classes(features, labels)
    means, variances = _moments(points.matrix, classes)
    logarithms = np.log(variances)

    def distances(codes: slice) -> FloatArray:
        middle = (variances[codes, None] + variances) / 2
        volume = np.log(middle) - (logarithms[codes, None] + logarithms) / 2
        apart = np.square(means[codes, None] - means) / middle
        return np.asarray(apart.sum(axis=2) / 8 + volume.sum(axis=2) / 2)

    return _overlap(distances, classes.number, 1)


def _overlap(distances: Callable[[slice], FloatArray], number_of_classes: int, at_once: int) -> float:
    """Minus the sum of exp(-distance) over ordered pairs of different classes; `distances` gives some rows of pairs."""
    total = 0.0
    for start in range(0, number_of_classes, at_once):
        codes = slice(start, min(start + at_once, number_of_classes))
        overlap = np.exp(-distances(codes))
        overlap[np.arange(len(overlap)), np.arange(codes.start, codes.stop)] = 0.0
        total += float(overlap.sum())
    return -total + 0.0


def _moments(rows: FloatArray, classes: Classes) -> tuple[FloatArray, FloatArray]:
    """Mean and floored population variance of each class: `[C, d]` each."""
    means = classes.means(rows)
    variances = classes.means(np.square(rows - means[classes.codes]))
    return means, np.maximum(variances, _SMALLEST_VARIANCE)
