"""Agreement of two orders of the same items, such as the predicted and measured use of teachers, with an interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_vector, require_same_length
from engine.evaluation.intervals import LEVEL, Interval, require_level

_CERTAIN = 1 - 1e-12  # a correlation this close to 1 has no finite Fisher transform


@dataclass(frozen=True)
class RankCorrelation:
    """A correlation of two orders of `items` items, from -1 (reversed) over 0 (unrelated) to 1 (the same).

    `value` is None where one side ties all items: there is no order to agree with. `interval` is None with fewer than
    four items, or where it cannot be known.
    """

    value: float | None
    interval: Interval | None
    items: int


def spearman(first: npt.ArrayLike, second: npt.ArrayLike, level: float = LEVEL) -> RankCorrelation:
    """Spearman's rank correlation of two lists `[n]` of scores of the same n >= 2 items; ties share their mean rank.

    Interval: Fisher's z with the standard error of Bonett and Wright 2000. Raises InvalidInputError for fewer than two
    items, different lengths, or a value that is not finite.

    >>> spearman([1, 2, 3, 4], [1, 2, 4, 3]).value
    0.8
    """
    x, y = _two(first, second)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return RankCorrelation(None, None, len(x))
    value = float(np.corrcoef(scipy.stats.rankdata(x), scipy.stats.rankdata(y))[0, 1])
    value = round(max(-1.0, min(1.0, value)), 15)
    error = math.sqrt((1 + value * value / 2) / (len(x) - 3)) if len(x) > 3 else None
    interval = _fisher_interval(value, error, level, f"Fisher interval over {len(x)} items")
    return RankCorrelation(value, interval, len(x))


def weighted_kendall(first: npt.ArrayLike, second: npt.ArrayLike, level: float = LEVEL) -> RankCorrelation:
    """Kendall's tau with hyperbolic weights: a swap among the best counts more than one among the worst.

    Both orders in turn say who is best, and the two values are averaged (Vigna 2015; scipy.stats.weightedtau).
    Interval: jackknife over the items on Fisher's z. Raises InvalidInputError as `spearman` does.

    >>> weighted_kendall([1, 2, 3], [1, 2, 3]).value
    1.0
    """
    x, y = _two(first, second)
    value = weighted_tau(x, y)
    if value is None:
        return RankCorrelation(None, None, len(x))
    interval = _jackknife_interval(weighted_tau, x, y, value, level)
    return RankCorrelation(value, interval, len(x))


def _two(first: npt.ArrayLike, second: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    x, y = as_vector(first, "first"), as_vector(second, "second")
    require_same_length(first=x, second=y)
    if len(x) < 2:
        raise InvalidInputError("A rank correlation of 1 item has no order in it: give two items or more.")
    return x, y


def weighted_tau(x: FloatArray, y: FloatArray) -> float | None:
    """The value of `weighted_kendall` alone, for checked `x [n]` and `y [n]`; None where one side ties all items."""
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    value = float(scipy.stats.weightedtau(x, y).statistic)
    return None if math.isnan(value) else round(max(-1.0, min(1.0, value)), 15)


def _jackknife_interval(
    statistic: Callable[[FloatArray, FloatArray], float | None],
    x: FloatArray,
    y: FloatArray,
    value: float,
    level: float,
) -> Interval | None:
    """Interval from the spread of the statistic when each item in turn is left out."""
    n = len(x)
    if n < 4:
        return None
    left_out = [statistic(np.delete(x, item), np.delete(y, item)) for item in range(n)]
    known = np.array([math.atanh(max(-_CERTAIN, min(_CERTAIN, one))) for one in left_out if one is not None])
    if len(known) < n:
        return None
    error = math.sqrt((n - 1) / n * float(((known - known.mean()) ** 2).sum()))
    return _fisher_interval(value, error, level, f"jackknife interval over {n} items")


def _fisher_interval(value: float, error: float | None, level: float, method: str) -> Interval | None:
    """`value` plus and minus `error` on Fisher's z scale; None where the error is unknown or z is infinite."""
    require_level(level)
    if error is None or abs(value) >= _CERTAIN:
        return None
    reach = float(scipy.special.ndtri((1 + level) / 2)) * error
    z = math.atanh(value)
    return Interval(math.tanh(z - reach), math.tanh(z + reach), level, method)
