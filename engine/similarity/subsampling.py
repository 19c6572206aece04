"""How sure is a ranking of teachers, given which images happened to be labeled?

Subsampling without replacement (the delete-d jackknife; Shao and Wu 1989): each draw keeps half of each class. Drawing
*with* replacement would be wrong for metrics on pairs, where a copy of an image is a pair at distance 0. All teachers
see the same draws, so their differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_groups, as_labels
from engine.evaluation.intervals import LEVEL, Interval, require_level
from engine.similarity.metric import Metric

DRAWS = 100  # the half-width then moves by about 7 % from one seed to another
LABELS_PER_CLASS = 4  # so that two are left in each draw, which a metric on pairs needs


@dataclass(frozen=True)
class Subsamples:
    """Which images each draw keeps, and what turns the spread over draws into the spread over labeled sets."""

    rows: tuple[IntArray, ...]  # one array of row numbers per draw, rising
    correction: float  # variance over labeled sets / variance over draws = kept / left out
    freedom: int  # degrees of freedom: units that could be left out, minus strata
    of: str = "labels"  # what each draw keeps half of: "groups" where some images share one


@dataclass(frozen=True)
class Uncertainty:
    """How far the choice of labeled images could have moved the scores of S teachers on one task."""

    intervals: tuple[Interval, ...]  # [S]
    probability_first: FloatArray  # [S], sums to 1: how often each would come first with other labeled images
    undecided: tuple[tuple[int, int], ...]  # pairs of teachers whose difference may as well be 0


def subsamples(
    labels: npt.ArrayLike, *, draws: int = DRAWS, seed: int = 0, groups: npt.ArrayLike | None = None
) -> Subsamples:
    """Draws that keep half of each class of `labels [n]`, rounded up, without replacement.

    With `groups [n]`, whole numbers that images of one origin share (frames of a video, near copies), -1 for an image
    that stands alone, whole groups are kept or left out; a group counts to the class of its first image. A class of one
    unit is always kept. Deterministic in `seed`. Raises TooFewLabelsError unless some class has 4 units,
    InvalidInputError for fewer than 2 draws, or unless there is a group for each label.

    >>> draws = subsamples([0, 0, 0, 0, 1, 1, 1, 1], draws=3)
    >>> [len(rows) for rows in draws.rows], draws.correction
    ([4, 4, 4], 1.0)
    """
    ids = as_labels(labels)
    units = as_groups(groups, len(ids))
    if draws < 2:
        raise InvalidInputError(f"The number of draws is {draws}: give 2 or more, such as {DRAWS}.")
    first_rows = np.unique(units, return_index=True)[1]
    strata = [np.flatnonzero(ids[first_rows] == label) for label in np.unique(ids[first_rows])]
    if max(len(stratum) for stratum in strata) < LABELS_PER_CLASS:
        raise TooFewLabelsError(
            f"An interval needs {LABELS_PER_CLASS} labeled images of a class, from different groups where groups are "
            f"given, and no class has more than {max(len(stratum) for stratum in strata)}: label more images."
        )
    generator = np.random.default_rng(seed)
    rows = tuple(np.flatnonzero(np.isin(units, _kept_units(strata, generator))) for _ in range(draws))
    loose = [len(stratum) for stratum in strata if len(stratum) > 1]
    left_out = sum(size // 2 for size in loose)
    of = "groups" if len(first_rows) < len(ids) else "labels"
    return Subsamples(rows, (sum(loose) - left_out) / left_out, sum(loose) - len(loose), of)


def uncertainty_of(scores: FloatArray, drawn: FloatArray, draws: Subsamples, level: float = LEVEL) -> Uncertainty:
    """The doubts about `scores [S]` on all images, from the same teachers' scores on each draw, `drawn [B, S]`.

    The interval is the score on all rows, plus and minus a t quantile times the corrected spread over the draws. A pair
    is undecided when the same interval for its paired difference holds 0. Raises InvalidInputError for a level outside
    0 ... 1.

    >>> values, draws = np.arange(8.0), subsamples([0] * 8)
    >>> drawn = np.array([[values[rows].mean(), values[rows].mean() + 1] for rows in draws.rows])
    >>> found = uncertainty_of(np.array([3.5, 4.5]), drawn, draws)
    >>> found.probability_first.tolist(), found.undecided
    ([0.0, 1.0], ())
    """
    spread = (drawn - drawn.mean(axis=0)) * np.sqrt(draws.correction)
    apart = without_rounding(np.vstack([scores, scores + spread]))
    reach = float(scipy.special.stdtrit(draws.freedom, (1 + require_level(level)) / 2))
    method = f"subsampling interval over {len(draws.rows)} draws of half the {draws.of}"
    halves = reach * spread.std(axis=0, ddof=1)
    return Uncertainty(
        tuple(Interval(float(s - h), float(s + h), level, method) for s, h in zip(scores, halves, strict=True)),
        _probability_first(apart[1:]),
        _undecided(apart[0], apart[1:] - apart[0], reach),
    )


def without_rounding(scores: FloatArray) -> FloatArray:
    """`scores` of any shape, in which values that differ by less than 1e-9 of the largest are the same.

    Where a metric has the same value for several teachers by its definition, rounding is not to put one of them first.
    """
    unit = 1e-9 * max(float(np.abs(scores).max()), np.finfo(np.float64).tiny * 1e12)
    return np.asarray(np.round(scores / unit) * unit)


def require_labels_for_draws(record: Metric, fullest: int) -> None:
    """Raise TooFewLabelsError unless half of the `fullest` class is still enough for the metric."""
    needed = max(LABELS_PER_CLASS, 2 * record.labels_per_class - 1)
    if fullest < needed:
        raise TooFewLabelsError(
            f"An interval for {record.title} needs {needed} labeled images of a class, and no class has more than "
            f"{fullest}: label more images."
        )


def _kept_units(strata: list[IntArray], generator: np.random.Generator) -> IntArray:
    return np.concatenate([generator.permutation(stratum)[: (len(stratum) + 1) // 2] for stratum in strata])


def _probability_first(drawn: FloatArray) -> FloatArray:
    """How often each teacher `[S]` is first over draws `[B, S]`; ties share."""
    first = drawn == drawn.max(axis=1, keepdims=True)
    return np.asarray((first / first.sum(axis=1, keepdims=True)).mean(axis=0))


def _undecided(scores: FloatArray, spread: FloatArray, reach: float) -> tuple[tuple[int, int], ...]:
    """Pairs i < j whose paired difference is within its own interval of 0."""
    return tuple(
        (i, j)
        for i in range(len(scores))
        for j in range(i + 1, len(scores))
        if abs(scores[i] - scores[j]) <= reach * float((spread[:, i] - spread[:, j]).std(ddof=1))
    )
