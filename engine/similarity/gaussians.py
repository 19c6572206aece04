"""GBC: how little the classes overlap when each is taken for a Gaussian in the teacher's features.

Reference: Pandy et al. 2022, "Transferability Estimation using Bhattacharyya Class Separability".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, encode, require_same_length
from engine.similarity.linear_algebra import class_means, principal_scores

PRINCIPAL_AXES = 64  # as in Pandy et al. 2022
_SMALLEST_VARIANCE = 1e-4  # keeps a class with one image from being a point


def gbc_spherical(features: npt.ArrayLike, labels: npt.ArrayLike, components: int = PRINCIPAL_AXES) -> float:
    """GBC with one variance per class, on the first `components` principal axes: at most 0, higher is better.

    Minus the sum, over ordered pairs of classes, of exp(-Bhattacharyya distance): 0 when no two classes overlap,
    -C (C - 1) when all lie on each other. A class's variance is the mean over the axes, each floored at 1e-4.

    >>> round(gbc_spherical([[0.0, 0.0], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0]], [0, 0, 1, 1]), 6) + 0.0
    0.0
    """
    matrix, codes, counts = _inputs(features, labels)
    scores = principal_scores(matrix, components)
    means, variances = _moments(scores, codes, counts)
    dimensions = scores.shape[1]
    spread = variances.mean(axis=1)

    def distances(code: int) -> FloatArray:
        middle = (spread + spread[code]) / 2
        apart = np.square(means - means[code]).sum(axis=1) / middle / 8
        return np.asarray(apart + dimensions / 2 * (np.log(middle) - np.log(spread * spread[code]) / 2))

    return _overlap(distances, len(counts))


def gbc_diagonal(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """GBC with a variance for every class and dimension of `features [n, d]`: at most 0, higher is better.

    As `gbc_spherical`, without principal axes. In many dimensions it is often 0 to within rounding for every teacher.

    >>> round(gbc_diagonal([[0.0, 0.0], [0.1, 0.0], [0.0, 0.0], [0.1, 0.0]], [0, 0, 1, 1]), 6)
    -2.0
    """
    matrix, codes, counts = _inputs(features, labels)
    means, variances = _moments(matrix, codes, counts)
    logarithms = np.log(variances)

    def distances(code: int) -> FloatArray:
        middle = (variances + variances[code]) / 2
        volume = np.log(middle) - (logarithms + logarithms[code]) / 2
        return np.asarray((np.square(means - means[code]) / middle).sum(axis=1) / 8 + volume.sum(axis=1) / 2)

    return _overlap(distances, len(counts))


def _overlap(distances: Callable[[int], FloatArray], number_of_classes: int) -> float:
    """Minus the sum of exp(-distance) over ordered pairs of different classes."""
    total = 0.0
    for code in range(number_of_classes):
        overlap = np.exp(-distances(code))
        overlap[code] = 0.0
        total += float(overlap.sum())
    return -total + 0.0


def _moments(matrix: FloatArray, codes: IntArray, counts: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and floored population variance of each class: `[C, d]` each."""
    means = class_means(matrix, codes, counts)
    variances = class_means(np.square(matrix - means[codes]), codes, counts)
    return means, np.maximum(variances, _SMALLEST_VARIANCE)


def _inputs(features: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[FloatArray, IntArray, IntArray]:
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    return matrix, *encode(ids)
