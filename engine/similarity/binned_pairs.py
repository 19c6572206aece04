"""PARC and RSA of a draw of very many images, from the pairs of all of them.

A draw has its own scale of each dimension and its own order of pairs, and with thousands of images either takes a
second: too long for hundreds of draws. Above `MANY_IMAGES` a draw takes its distances from those of all images, in
`BINS` groups of equal size, whose pairs count as tied. Scores of all images stay as they are. On 3,000 made-up images
of 600 classes a draw's PARC moves by a twentieth of its spread over draws, RSA by a fifth.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.points import Classes

MANY_IMAGES = 2_048
BINS = 4_096  # ties of so many groups change a rank correlation by a part in ten million
_ITSELF = BINS  # the bin of an image with itself, which is no pair
_ROWS_AT_ONCE = 64  # so that a block of bins stays in the processor's cache
_PIECE = 1 << 22

Bins: TypeAlias = npt.NDArray[np.uint16]
Distances: TypeAlias = npt.NDArray[np.floating[Any]]


class BinnedPairs:
    """All pairs of n points by the group that their distance falls in: `bins [n, n]`.

    distances: `[n (n - 1) / 2]`, upper triangle in row order; ordered: the same, rising.
    """

    def __init__(self, n: int, distances: Distances, ordered: Distances) -> None:
        cuts = ordered[np.arange(1, BINS) * len(ordered) // BINS]
        self.bins = np.full((n, n), _ITSELF, dtype=np.uint16)
        flat = _in_bins(distances, cuts)
        filled = 0
        for row in range(n - 1):
            self.bins[row, row + 1 :] = flat[filled : filled + n - row - 1]
            filled += n - row - 1
        for start in range(0, n, _ROWS_AT_ONCE):  # the lower triangle, some columns at once
            stop = start + _ROWS_AT_ONCE
            self.bins[stop:, start:stop] = self.bins[start:stop, stop:].T
            square = self.bins[start:stop, start:stop]
            square[:] = np.minimum(square, square.T)

    def parc(self, rows: IntArray, classes: Classes) -> float:
        """PARC of the images `rows [k]`, whose classes are given: as `engine.similarity.pairs.parc`."""
        counts = self._counts(rows)
        members = np.zeros(BINS)
        for _, places in classes.by_size():
            members += _counted(self.bins[rows[places][:, :, None], rows[places][:, None, :]]) / 2
        total, inside = counts.sum(), members.sum()
        excess = members @ _middle_ranks(counts) - inside * (total + 1) / 2
        spread = (total**3 - total - (counts**3 - counts).sum()) / 12
        return float(-100 * excess / np.sqrt(spread * inside * (total - inside) / total))

    def rsa(self, other: BinnedPairs, rows: IntArray) -> float:
        """RSA of the images `rows [k]` in two networks: as `engine.similarity.pairs.rsa`."""
        counts = self._counts(rows), other._counts(rows)
        first, second = (np.append(_middle_ranks(one) - (one.sum() + 1) / 2, 0.0) for one in counts)
        products = sum(
            float(weight * np.vdot(first[a], second[b]))
            for (weight, a), (_, b) in zip(self._blocks(rows), other._blocks(rows), strict=True)
        )
        squares = [float(one @ ranks[:-1] ** 2) for one, ranks in zip(counts, (first, second), strict=True)]
        return 100 * products / float(np.sqrt(squares[0] * squares[1]))

    def _counts(self, rows: IntArray) -> FloatArray:
        """How many pairs of `rows [k]` fall in each bin: `[BINS]`."""
        found = np.zeros(BINS)
        for weight, block in self._blocks(rows):
            found += weight * _counted(block)
        return found

    def _blocks(self, rows: IntArray) -> Iterator[tuple[float, Bins]]:
        """The bins of all pairs of `rows`, and how often to count each: squares on the diagonal hold theirs twice."""
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some, others = rows[start : start + _ROWS_AT_ONCE], rows[start + _ROWS_AT_ONCE :]
            here = self.bins[some]
            yield 0.5, here[:, some]
            yield 1.0, here[:, others]


def _in_bins(distances: Distances, cuts: Distances) -> Bins:
    found = np.empty(len(distances), dtype=np.uint16)
    for start in range(0, len(distances), _PIECE):
        piece = distances[start : start + _PIECE]
        found[start : start + _PIECE] = np.searchsorted(cuts, piece, side="right")
    return found


def _counted(bins: Bins) -> FloatArray:
    return np.bincount(bins.ravel(), minlength=BINS + 1)[:BINS].astype(np.float64)


def _middle_ranks(counts: FloatArray) -> FloatArray:
    """The rank that all pairs of a bin share, `[BINS]`, from 1."""
    return np.asarray(np.cumsum(counts) - (counts - 1) / 2)
