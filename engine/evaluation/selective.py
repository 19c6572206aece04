"""How often a classifier is right on the images of which it is sure enough, and how many those are. Arrays only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import as_flags, as_groups, as_vector, require_same_length
from engine.evaluation.intervals import Interval, share_interval

STEPS = 100  # "unsure below" is chosen in whole percent


@dataclass(frozen=True)
class CoveragePoint:
    """What "unsure below `threshold`" comes to: the images that are decided, and how many of these are right."""

    threshold: float
    images: int  # all of them
    decided: int
    right: int
    interval: Interval | None  # of the accuracy on decided images; None where none is decided, or it cannot be known

    @property
    def coverage(self) -> float:
        """Share of the images that are decided, 0 to 1."""
        return self.decided / self.images

    @property
    def accuracy(self) -> float | None:
        """Share of the decided images that are right, 0 to 1; None where none is decided."""
        return self.right / self.decided if self.decided else None

    @property
    def left(self) -> int:
        """Images that are left to a person."""
        return self.images - self.decided


@dataclass(frozen=True)
class CoverageCurve:
    """Coverage and accuracy for "unsure below" 0, 0.01, ..., 1: `points` has 101 of them, coverage falling."""

    points: tuple[CoveragePoint, ...]

    def at(self, threshold: float) -> CoveragePoint:
        """What a threshold from 0 to 1 comes to, to the nearest hundredth. Raises InvalidInputError for another one."""
        if not 0 <= threshold <= 1:
            raise InvalidInputError(f"Unsure below {threshold}: give a probability between 0 and 1.")
        return self.points[round(threshold * STEPS)]


def coverage_curve(
    confidence: npt.ArrayLike, right: npt.ArrayLike, groups: npt.ArrayLike | None = None
) -> CoverageCurve:
    """The accuracy-coverage curve of `confidence [n]` (0 to 1) and `right [n]`: one minus risk over coverage.

    An image is decided if its confidence is at least the threshold (El-Yaniv and Wiener 2010). groups: `[n]` or None,
    as in `share_interval`. Raises InvalidInputError for other arrays.

    >>> found = coverage_curve([0.9, 0.8, 0.3], [True, True, False]).at(0.5)
    >>> found.decided, found.left, found.accuracy
    (2, 1, 1.0)
    """
    sure, hits = as_vector(confidence, "confidence"), as_flags(right, "right")
    require_same_length(confidence=sure, right=hits)
    codes = as_groups(groups, len(sure))
    return CoverageCurve(tuple(_decided(sure, hits, codes, step / STEPS) for step in range(STEPS + 1)))


def _decided(
    sure: npt.NDArray[np.float64], hits: npt.NDArray[np.bool_], codes: npt.NDArray[np.int64], threshold: float
) -> CoveragePoint:
    there = sure >= threshold
    count = int(there.sum())
    interval = share_interval(hits[there], codes[there]) if count else None
    return CoveragePoint(threshold, len(sure), count, int(hits[there].sum()), interval)
