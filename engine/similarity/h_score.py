"""H-score: how much of the features' variation the classes explain, plain and regularized.

References: Bao et al. 2019, "An Information-Theoretic Approach to Transferability in Task Transfer Learning"; Ibrahim
et al. 2022, "Newer is not always better: Rethinking transferability metrics"; Ledoit and Wolf 2004, "A
well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, encode, require_same_length
from engine.similarity.linear_algebra import centered, class_means, class_sums, compact, singular_system

_NEGLIGIBLE = 1e-6  # singular values below this share of the largest are rounding, not features


def h_score(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """H-score: 0 (classes explain nothing) to C - 1 (they lie in the features' span); higher is better.

    tr(P_X P_Y), the projections onto the centered `features [n, d]` and onto the class indicators. Says nothing once
    the features have rank n - 1, where it is always C - 1. Raises InvalidInputError for features that are all the same.

    >>> round(h_score([[0.0, 1.0], [0.0, 2.0], [5.0, 1.0], [5.0, 2.0]], [0, 0, 1, 1]), 6)
    1.0
    """
    rows, codes, counts = _inputs(features, labels, "The H-score")
    values, axes = singular_system(compact(rows), _NEGLIGIBLE)
    along = class_sums(compact(rows), codes, counts) @ axes / values
    return float((np.square(along) / counts[:, None]).sum())


def regularized_h_score(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """H-score with a shrunk covariance, which stays meaningful when d is near or above n: at least 0, higher is better.

    (1 - a) tr(S_a^-1 cov(E[features | label])), S_a the Ledoit-Wolf covariance with shrinkage a. Raises
    InvalidInputError for features that are all the same.

    >>> good = regularized_h_score([[0.0, 1.0], [0.1, 2.0], [5.0, 1.0], [5.1, 2.0]], [0, 0, 1, 1])
    >>> good > regularized_h_score([[0.0, 1.0], [5.0, 2.0], [0.1, 1.0], [5.1, 2.0]], [0, 0, 1, 1])
    True
    """
    rows, codes, counts = _inputs(features, labels, "The regularized H-score")
    n, d = rows.shape
    rows = compact(rows)
    covariance = rows.T @ rows / n
    average = float(np.trace(covariance)) / d
    shrinkage = _ledoit_wolf(rows, covariance, average, d)
    eigenvalues, axes = np.linalg.eigh(covariance)
    shrunk = (1 - shrinkage) * np.maximum(eigenvalues, 0) + shrinkage * average
    kept = shrunk > np.finfo(np.float64).eps * len(shrunk) * shrunk.max()
    along = np.square(class_means(rows, codes, counts) @ axes[:, kept]) / shrunk[kept]
    return float((1 - shrinkage) * (counts @ along.sum(axis=1)) / (n - 1))


def _ledoit_wolf(rows: FloatArray, covariance: FloatArray, average: float, d: int) -> float:
    """Ledoit-Wolf shrinkage, 0 to 1, of the 1/n `covariance` of centered rows to `average` times the identity."""
    n = len(rows)
    size = float(np.square(covariance).sum())
    distance = size - d * average**2
    noise = (float(np.square(np.square(rows).sum(axis=1)).mean()) - size) / n
    if distance <= 0 or d == 1:
        return 0.0
    return min(max(noise, 0.0) / distance, 1.0)


def _inputs(features: npt.ArrayLike, labels: npt.ArrayLike, metric: str) -> tuple[FloatArray, IntArray, IntArray]:
    """Centered features, scaled to a largest entry of 1 (which neither score notices), codes and counts."""
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    rows = centered(matrix)
    largest = np.abs(rows).max()
    if largest == 0:
        raise InvalidInputError(f"{metric} needs features that differ between images, and these are all the same.")
    return rows / largest, *encode(ids)
