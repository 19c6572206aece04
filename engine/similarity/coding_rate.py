"""TransRate: how many more nats it takes to code the features of all classes together than class by class.

Reference: Huang et al. 2022, "Frustratingly Easy Transferability Estimation".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg

from engine.evaluation.arrays import FloatArray, as_labels, as_matrix, encode, require_same_length
from engine.similarity.linear_algebra import centered, compact

DISTORTION = 1e-4  # epsilon: the squared error that the code may make
_GRAM_LIMIT = 1e8  # up to here rounding in the Gram matrix stays below 1e-8 of the distortion


def transrate(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """TransRate: at least 0, in nats, no fixed upper end; higher is better. Grows with the scale of the features.

    R(Z) - sum_c (n_c / n) R(Z_c) with R(Z) = 1/2 sum log(1 + s^2 / (n epsilon)) over the singular values s of the
    `features [n, d]`, centered once, epsilon = 1e-4.

    >>> round(transrate([[0.0, 1.0], [0.0, 1.0], [0.0, -1.0], [0.0, -1.0]], [0, 1, 0, 1]), 6) + 0.0
    0.0
    """
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    codes, counts = encode(ids)
    rows = compact(centered(matrix))
    within = sum(count / len(ids) * _coding_rate(rows[codes == code]) for code, count in enumerate(counts))
    return max(float(_coding_rate(rows) - within), 0.0)


def _coding_rate(rows: FloatArray) -> float:
    """1/2 sum log(1 + s^2 / (n epsilon)), from the smaller Gram matrix while that is exact enough."""
    n, d = rows.shape
    gram = rows.T @ rows if n > d else rows @ rows.T
    scale = n * DISTORTION
    if np.trace(gram) < _GRAM_LIMIT * scale:
        squares = np.maximum(np.linalg.eigvalsh(gram), 0)
    else:
        squares = np.square(linalg.svdvals(rows, check_finite=False))
    return 0.5 * float(np.log1p(squares / scale).sum())
