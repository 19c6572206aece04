"""The linear algebra that several metrics share. Everything is float64; n images, d dimensions, C classes."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from engine.evaluation.arrays import FloatArray, IntArray

# The Gram matrix squares the condition number. While its eigenvalues span less than this, what is computed from it is
# right to about 1e-8; beyond, the slower singular value decomposition of the matrix itself is taken.
_GRAM_SPAN = 1e-8


def standardized(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z-scores `[n, d]`, and the means and standard deviations `[d]` used; a constant dimension becomes 0 (scale 1)."""
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
    constant = (matrix.max(axis=0) == matrix.min(axis=0)) | (deviation == 0)
    scale = np.where(constant, 1.0, deviation)
    scores = (matrix - mean) / scale
    scores[:, constant] = 0.0
    return scores, mean, scale


def centered(matrix: FloatArray) -> FloatArray:
    """`matrix [n, d]` with the mean of each column subtracted; a constant column becomes exactly 0."""
    result = matrix - matrix.mean(axis=0)
    result[:, matrix.max(axis=0) == matrix.min(axis=0)] = 0.0
    return np.asarray(result)


def compact(matrix: FloatArray) -> FloatArray:
    """The rows `[n, d]` in coordinates of the space they span: `[n, min(n, d)]`, same inner products and distances."""
    n, d = matrix.shape
    if d <= n:
        return matrix
    return np.ascontiguousarray(_triangle(matrix.T).T)


def _triangle(matrix: FloatArray) -> FloatArray:
    """R of the QR decomposition of a tall matrix: `[d, d]`, with the same Gram matrix."""
    return np.asarray(linalg.qr(matrix, mode="r", check_finite=False)[0][: matrix.shape[1]])


def class_sums(matrix: FloatArray, codes: IntArray, counts: IntArray) -> FloatArray:
    """Sum of the rows of each class: `[C, d]`. `codes [n]` are 0 ... C-1, and every class has a row."""
    order = np.argsort(codes, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return np.asarray(np.add.reduceat(matrix[order], starts, axis=0))


def class_means(matrix: FloatArray, codes: IntArray, counts: IntArray) -> FloatArray:
    """Mean of the rows of each class: `[C, d]`."""
    return class_sums(matrix, codes, counts) / counts[:, None]


def singular_system(matrix: FloatArray, floor: float) -> tuple[FloatArray, FloatArray]:
    """Singular values `[r]`, falling, and right singular vectors `[d, r]`; none below `floor` times the largest."""
    n, d = matrix.shape
    if n > d:
        squares, axes = np.linalg.eigh(matrix.T @ matrix)
        if squares[0] > _GRAM_SPAN * squares[-1]:
            return np.sqrt(squares[::-1]), axes[:, ::-1]
        matrix = _triangle(matrix)
    _, values, transposed = linalg.svd(matrix, full_matrices=False, check_finite=False)
    kept = (values > 0) & (values >= floor * values[0])
    return values[kept], transposed[kept].T


def solve_shrunk(scatter: FloatArray, ridge: float, right: FloatArray) -> FloatArray:
    """(`scatter` + `ridge` I)^-1 `right` `[d, C]`; `scatter [d, d]` has no eigenvalue below 0 but for rounding."""
    try:
        factor = linalg.cho_factor(scatter + ridge * np.eye(len(scatter)), lower=True, check_finite=False)
        return np.asarray(linalg.cho_solve(factor, right, check_finite=False))
    except linalg.LinAlgError:  # rounding has made an eigenvalue more negative than the ridge is positive
        values, axes = np.linalg.eigh(scatter)
        return np.asarray(axes @ ((axes.T @ right) / (np.maximum(values, 0) + ridge)[:, None]))


def principal_scores(matrix: FloatArray, components: int) -> FloatArray:
    """Centered rows in their first principal axes: `[n, min(components, n, d)]`, signs fixed by the largest loading."""
    rows = compact(centered(matrix))
    d = rows.shape[1]
    take = min(components, d)
    _, axes = linalg.eigh(rows.T @ rows, subset_by_index=[d - take, d - 1], check_finite=False)
    return fixed_signs(rows @ axes[:, ::-1])


def fixed_signs(scores: FloatArray) -> FloatArray:
    """The columns of `scores`, each turned so that its entry of largest magnitude is positive."""
    peak = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    return scores * np.where(peak < 0, -1.0, 1.0)


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis, without overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
