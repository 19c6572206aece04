"""The linear algebra that several metrics share. Everything is float64; n images, d dimensions, C classes."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.evaluation.arrays import FloatArray

Floats = TypeVar("Floats", bound=np.floating[Any])

_CONSTANT = 1e-9  # a dimension that varies less than this, relative to its mean, is looked at for being constant


def standardized(matrix: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """z-scores `[n, d]`, and the means and standard deviations `[d]` used; a constant dimension becomes 0 (scale 1)."""
    mean = matrix.mean(axis=0)
    scores = matrix - mean
    deviation = np.sqrt(np.einsum("nd,nd->d", scores, scores) / len(matrix))
    suspects = np.flatnonzero(deviation <= _CONSTANT * np.abs(mean))  # a constant is not always its own mean
    constant = suspects[np.ptp(matrix[:, suspects], axis=0) == 0] if len(suspects) else suspects
    scale = np.where(deviation > 0, deviation, 1.0)
    scale[constant] = 1.0
    scores /= scale
    scores[:, constant] = 0.0
    return scores, mean, scale


def centered(matrix: npt.NDArray[Floats]) -> npt.NDArray[Floats]:
    """`matrix [n, d]` with the mean of each column subtracted; a constant column becomes exactly 0."""
    result = matrix - matrix.mean(axis=0)
    result[:, matrix.max(axis=0) == matrix.min(axis=0)] = 0.0
    return np.asarray(result)


def unit_rows(matrix: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """The rows of `matrix [n, d]` scaled to length 1, in float32; one without any length stays 0."""
    rows = np.asarray(matrix, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny))


def compact(matrix: FloatArray) -> FloatArray:
    """The rows `[n, d]` in coordinates of the space they span: `[n, min(n, d)]`, same inner products and distances."""
    n, d = matrix.shape
    if d <= n:
        return matrix
    return np.ascontiguousarray(triangle(matrix.T).T)


def triangle(matrix: FloatArray) -> FloatArray:
    """R of the QR decomposition of a tall matrix: `[d, d]`, with the same Gram matrix."""
    return np.asarray(scipy.linalg.qr(matrix, mode="r", check_finite=False)[0][: matrix.shape[1]])


def solve_shrunk(scatter: FloatArray, ridge: float, right: FloatArray) -> FloatArray:
    """(`scatter` + `ridge` I)^-1 `right` `[d, C]`; `scatter [d, d]` has no eigenvalue below 0 but for rounding."""
    try:
        factor = scipy.linalg.cho_factor(scatter + ridge * np.eye(len(scatter)), lower=True, check_finite=False)
        return np.asarray(scipy.linalg.cho_solve(factor, right, check_finite=False))
    except scipy.linalg.LinAlgError:  # rounding has made an eigenvalue more negative than the ridge is positive
        values, axes = np.linalg.eigh(scatter)
        return np.asarray(axes @ ((axes.T @ right) / (np.maximum(values, 0) + ridge)[:, None]))


def fixed_signs(scores: FloatArray) -> FloatArray:
    """The columns of `scores`, each turned so that its entry of largest magnitude is positive."""
    peak = scores[np.abs(scores).argmax(axis=0), np.arange(scores.shape[1])]
    return scores * np.where(peak < 0, -1.0, 1.0)


def softmax(logits: npt.NDArray[Floats]) -> npt.NDArray[Floats]:
    """Softmax over the last axis, without overflow."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))
