"""Metrics on pairs of images: PARC and RSA. The distance of two images is 1 - Pearson correlation of their features.

References: Bolya et al. 2021, "Scalable Diverse Model Selection for Accessible Transfer Learning" (PARC); Dwivedi and
Roig 2019, "Representation Similarity Analysis for Efficient Task Taxonomy & Transfer Learning" (RSA).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, as_labels, as_matrix, require_same_length
from engine.similarity.linear_algebra import standardized

# Up to here all distances are held at once, in float64; above, in blocks and float32: 20,000 images take 800 MB.
WHOLE_ROWS = 8_192
_BLOCK_ROWS = 2_048

_FLAT = 1e-12  # a row whose z-scores differ by less is constant but for rounding

# Distances that are equal on paper differ in their last bits, which splits ties. A few split pairs do not move a rank
# correlation, large tied groups do; so when this share of the distances repeats, all are rounded to 10 decimals.
_TIED_SHARE = 0.3
_TIE_GAP = 1e-13
_TIE_DECIMALS = 10


def parc(features: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """PARC: do images with different labels lie farther apart in the teacher's features? -100 to 100, higher is better.

    100 x Spearman correlation, over all pairs of images, of their distance in `features [n, d]` and of having different
    `labels [n]`. Each dimension is z-scored first. Raises TooFewLabelsError if all labels are the same or no two are.

    >>> round(parc([[3.0, 0.1, 0.0], [2.0, 0.0, 0.1], [0.0, 0.2, 2.0], [0.1, 0.0, 3.0]], [0, 0, 1, 1]), 2)
    82.81
    """
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    same = np.concatenate([ids[row + 1 :] == ids[row] for row in range(len(ids))])
    if not same.any():
        raise TooFewLabelsError(
            "PARC compares pairs of the same class with pairs of different classes, and no class has two labeled "
            "images: label 2 or more images of a class."
        )
    if same.all():
        raise TooFewLabelsError("PARC needs labeled images of two classes or more, and only one class occurs.")
    distances = correlation_distances(matrix)
    return 100 * _correlation_with_membership(distances, same) + 0.0


def rsa(features: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """RSA: do two networks find the same pairs of images alike? -100 to 100, higher is more alike.

    100 x Spearman correlation, over all pairs of images, of their distances in `features [n, d]` and in `other [n, e]`
    (another network's features, or pseudo-labels). Raises TooFewLabelsError for fewer than three images, and
    InvalidInputError if all distances are the same in one of the two.

    >>> rsa([[1.0, 0.0, 0.0], [0.0, 1.0, 0.2], [0.9, 0.0, 0.1]], [[1.0, 0.0, 0.0], [0.0, 1.0, 0.2], [0.9, 0.0, 0.1]])
    100.0
    """
    first, second = as_matrix(features, "features"), as_matrix(other, "the second network's output")
    require_same_length(features=first, second=second)
    if len(first) < 3:
        raise TooFewLabelsError(
            f"RSA needs 3 images or more, and there are {len(first)}: two images are one pair only."
        )
    ranks = _doubled_ranks(correlation_distances(first))
    return 100 * _rank_correlation(ranks, _doubled_ranks(correlation_distances(second)))


def correlation_distances(matrix: FloatArray) -> npt.NDArray[np.floating[Any]]:
    """1 - Pearson correlation of the z-scored rows, upper triangle in row order: `[n (n - 1) / 2]`.

    A row without any variation correlates with none: its distances are 1. Above `WHOLE_ROWS` rows in float32.
    """
    rows = standardized(matrix)[0]
    flat = np.ptp(rows, axis=1) <= _FLAT * np.maximum(np.abs(rows).max(axis=1), 1.0)
    rows[flat] = 0.0
    distances = _whole_distances(rows, flat) if len(rows) <= WHOLE_ROWS else _blocked_distances(rows)
    return _with_ties_restored(distances)


def _whole_distances(rows: FloatArray, flat: npt.NDArray[np.bool_]) -> FloatArray:
    n = len(rows)
    if rows.shape[1] == 1:
        return np.ones(n * (n - 1) // 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.atleast_2d(np.corrcoef(rows))
    correlation[flat] = 0.0
    correlation[:, flat] = 0.0
    return np.concatenate([1 - correlation[row, row + 1 :] for row in range(n)])


def _blocked_distances(rows: FloatArray) -> npt.NDArray[np.float32]:
    n = len(rows)
    units = rows - rows.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    units /= np.where(norms > 0, norms, 1.0)
    distances = np.empty(n * (n - 1) // 2, dtype=np.float32)
    filled = 0
    for start in range(0, n, _BLOCK_ROWS):
        block = 1 - units[start : start + _BLOCK_ROWS] @ units[start:].T
        for row in range(len(block)):
            count = n - start - row - 1
            distances[filled : filled + count] = block[row, row + 1 :]
            filled += count
    return np.maximum(distances, 0, out=distances)


def _with_ties_restored(distances: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.floating[Any]]:
    if distances.dtype != np.float64 or len(distances) < 2:
        return distances
    repeated = np.mean(np.diff(np.sort(distances)) < _TIE_GAP)
    return np.round(distances, _TIE_DECIMALS) if repeated > _TIED_SHARE else distances


def _correlation_with_membership(distances: npt.NDArray[np.floating[Any]], same: npt.NDArray[np.bool_]) -> float:
    """Spearman correlation of `distances` with "different label", which takes two values only.

    So the sum of the ranks of the smaller group is all that is needed (as in the rank-sum test), and no order of pairs.
    """
    members = np.sort(distances[same] if 2 * same.sum() <= len(same) else distances[~same])
    sign = -1.0 if 2 * same.sum() <= len(same) else 1.0
    ordered = np.sort(distances)
    total, inside = float(len(ordered)), float(len(members))
    below = float(np.searchsorted(ordered, members, side="left").sum())
    up_to = float(np.searchsorted(ordered, members, side="right").sum())
    excess = (below + up_to + inside) / 2 - inside * (total + 1) / 2
    spread = (total**3 - total - _tie_correction(ordered)) / 12
    _require_spread(spread)
    return float(sign * excess / np.sqrt(spread * inside * (total - inside) / total))


def _tie_correction(ordered: npt.NDArray[np.floating[Any]]) -> float:
    """Sum of t^3 - t over the groups of t equal values in `ordered`."""
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    sizes = np.diff(np.concatenate([[0], starts, [len(ordered)]])).astype(np.float64)
    return float((sizes**3 - sizes).sum())


def _doubled_ranks(values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.uint32]:
    """Twice the rank of each value, 2 ... 2N, ties sharing their mean rank: whole numbers, at half the memory."""
    order = np.argsort(values)
    ordered = values[order]
    starts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1
    edges = np.concatenate([[0], starts, [len(values)]])
    del ordered, starts
    ranks = np.empty(len(values), dtype=np.uint32)
    ranks[order] = np.repeat((edges[:-1] + edges[1:] + 1).astype(np.uint32), np.diff(edges))
    return ranks


def _rank_correlation(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> float:
    """Pearson correlation of two lists of doubled ranks, in pieces, so that float64 copies stay small."""
    middle = len(first) + 1.0
    products = np.zeros(3)
    for start in range(0, len(first), 1 << 22):
        x = first[start : start + (1 << 22)] - middle
        y = second[start : start + (1 << 22)] - middle
        products += [x @ y, x @ x, y @ y]
    _require_spread(products[1] * products[2])
    return float(products[0] / np.sqrt(products[1] * products[2]))


def _require_spread(spread: float) -> None:
    if not spread > 0:
        raise InvalidInputError(
            "All pairs of images are equally far apart in the features, so there is nothing to correlate: "
            "the features need 3 dimensions or more, and must differ between images."
        )
