"""k nearest neighbors: how often an image's neighbors in the teacher's features share its label."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, encode, require_same_length
from engine.similarity.linear_algebra import centered, compact

# One neighbor by default: with the two labels per class that the metric asks for, an image has one companion only, and
# any larger k would outvote it.
NEIGHBORS = 1
_SPARE = 8  # candidates beyond k whose distances are computed again exactly
_TIE = 1e-12  # squared distances this close, relative to themselves, are the same
_PRODUCT_TIE = 1e-12  # the same for distances from inner products, relative to the squared lengths
_BLOCK_ENTRIES = 1 << 25


def knn_l2(features: npt.ArrayLike, labels: npt.ArrayLike, k: int = NEIGHBORS) -> float:
    """Accuracy of the k nearest neighbors by Euclidean distance, in percent: 0 to 100, higher is better.

    Each image of `features [n, d]` is classified by the `k` others nearest to it (itself left out by position, so copies
    count). A tied vote counts its expected value; neighbors tied for the last places share them. Raises
    TooFewLabelsError for a single image, InvalidInputError for k < 1; k is at most n - 1.

    >>> knn_l2([[0.0], [0.1], [5.0], [5.1]], [0, 0, 1, 1])
    100.0
    """
    matrix, codes, counts = _inputs(features, labels, k)
    return _accuracy(compact(centered(matrix)), codes, len(counts), k)


def knn_cosine(features: npt.ArrayLike, labels: npt.ArrayLike, k: int = NEIGHBORS) -> float:
    """Accuracy of the k nearest neighbors by cosine, in percent: 0 to 100, higher is better.

    As `knn_l2`, after scaling each image's features to length 1. A row of zeros has cosine 0 with every other.

    >>> knn_cosine([[1.0, 0.0], [9.0, 0.1], [0.0, 2.0], [0.1, 7.0]], [0, 0, 1, 1])
    100.0
    """
    matrix, codes, counts = _inputs(features, labels, k)
    matrix = matrix / np.maximum(np.abs(matrix).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    empty = lengths == 0
    units = np.where(empty, 0.0, matrix / np.where(empty, 1.0, lengths))
    return _accuracy(compact(np.hstack([units, empty])), codes, len(counts), k)


def _accuracy(points: FloatArray, codes: IntArray, number_of_classes: int, k: int) -> float:
    """Expected share, in percent, of images that their neighbors' vote gets right."""
    n = len(points)
    k = min(k, n - 1)
    lengths = np.square(points).sum(axis=1)
    right = 0.0
    rows_at_once = max(1, _BLOCK_ENTRIES // max(n, (k + _SPARE) * points.shape[1]))
    for start in range(0, n, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, n))
        squares = lengths[rows, None] + lengths - 2 * (points[rows] @ points.T)
        squares[np.arange(len(rows)), rows] = np.inf
        votes = _votes(points, lengths, squares, rows, codes, number_of_classes, k)
        leading = votes >= votes.max(axis=1, keepdims=True) - 1e-9
        right += float((leading[np.arange(len(rows)), codes[rows]] / leading.sum(axis=1)).sum())
    return 100 * right / n


def _votes(
    points: FloatArray,
    lengths: FloatArray,
    squares: FloatArray,
    rows: IntArray,
    codes: IntArray,
    number_of_classes: int,
    k: int,
) -> FloatArray:
    """Votes `[rows, C]` of the k nearest, from approximate squared distances `squares [rows, n]`.

    The nearest few are measured again by differences, which is exact for copies and near copies.
    """
    take = min(k + _SPARE, squares.shape[1] - 1)
    nearest = np.argpartition(squares, take - 1, axis=1)[:, :take]
    exact = np.square(points[nearest] - points[rows][:, None]).sum(axis=2)
    limit = np.partition(exact, k - 1, axis=1)[:, k - 1 : k]
    closer, tied = exact < limit * (1 - _TIE), np.abs(exact - limit) <= limit * _TIE
    shares = closer + tied * ((k - closer.sum(axis=1, keepdims=True)) / tied.sum(axis=1, keepdims=True))
    votes = np.zeros((len(rows), number_of_classes))
    np.add.at(votes, (np.arange(len(rows))[:, None], codes[nearest]), shares)
    for row in np.flatnonzero(exact.max(axis=1) <= limit[:, 0] * (1 + _TIE)):  # more may be tied than were looked at
        votes[row] = _votes_with_many_ties(
            squares[row], float(limit[row, 0]), _PRODUCT_TIE * (lengths + lengths[rows[row]]), codes, number_of_classes, k
        )
    return votes


def _votes_with_many_ties(
    squares: FloatArray, limit: float, tolerance: FloatArray, codes: IntArray, number_of_classes: int, k: int
) -> FloatArray:
    """Votes `[C]` for one image when very many neighbors are equally far: all of them share the last places."""
    closer, tied = squares < limit - tolerance, np.abs(squares - limit) <= tolerance
    shares = closer + tied * ((k - closer.sum()) / max(tied.sum(), 1))
    return np.bincount(codes, weights=shares, minlength=number_of_classes)


def _inputs(features: npt.ArrayLike, labels: npt.ArrayLike, k: int) -> tuple[FloatArray, IntArray, IntArray]:
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    if len(ids) < 2:
        raise TooFewLabelsError("Nearest neighbors need two labeled images or more, and there is one.")
    if k < 1:
        raise InvalidInputError(f"The number of neighbors is {k}: give 1 or more.")
    return matrix, *encode(ids)
