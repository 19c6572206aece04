"""Intervals where images come in groups, such as a patient's or a site's: images of one group are alike, so that whole
groups are drawn in the bootstrap, never single images.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.evaluation.arrays import FloatArray, group_codes
from engine.evaluation.intervals import LEVEL, Interval, require_level, wilson_interval

GROUP_DRAWS = 2_000  # of many quantities at once, such as three for each class; percentiles are stable to a digit
FEWEST_GROUPS = 5  # ours: of fewer, how groups differ is not known well enough for any interval
_AT_ONCE = 4_000_000  # random numbers that are held at a time


def are_groups(groups: npt.ArrayLike | None) -> bool:
    """Whether some images share a group, so that images are not independent of each other."""
    if groups is None:
        return False
    codes = group_codes(groups)
    return int(codes.max()) + 1 < len(codes)


def ratio_intervals(
    numerators: FloatArray, denominators: FloatArray, level: float = LEVEL, draws: int = GROUP_DRAWS, seed: int = 0
) -> tuple[Interval | None, ...]:
    """An interval for each ratio of sums over groups, from the sums within each group `[G, k]`; one for each column.

    Each draw takes as many groups with replacement. The percentiles lie further out than `level` says, as far as makes
    up for few groups (Hesterberg 2015, "expanded percentile interval"). Where all groups have the same ratio, 0 or 1,
    drawing them says nothing, and Wilson's interval over groups stands instead. None for a column of which fewer than
    5 groups know something (a denominator above 0). Deterministic in `seed`.

    >>> [found] = ratio_intervals(np.array([[1.0], [2], [3], [4], [5]]), np.full((5, 1), 5.0))
    >>> found.low < 0.6 < found.high, found.method
    (True, 'bootstrap over 5 groups')
    """
    require_level(level)
    drawn = _drawn_ratios(numerators, denominators, draws, seed)
    return tuple(
        _interval(drawn[:, column], numerators[:, column], denominators[:, column], level)
        for column in range(numerators.shape[1])
    )


def _interval(drawn: FloatArray, numerator: FloatArray, denominator: FloatArray, level: float) -> Interval | None:
    knowing = int((denominator > 0).sum())
    if knowing < FEWEST_GROUPS:
        return None
    value = numerator.sum() / denominator.sum()
    known = drawn[np.isfinite(drawn)]
    if not np.ptp(known) and value in (0.0, 1.0):
        return replace(
            wilson_interval(int(value) * knowing, knowing, level), method=f"Wilson interval over {knowing:,} groups"
        )
    quantile = scipy.special.stdtrit(knowing - 1, (1 + level) / 2)
    tail = float(scipy.special.ndtr(-math.sqrt(knowing / (knowing - 1)) * quantile))
    low, high = np.quantile(known, [tail, 1 - tail])
    return Interval(float(low), float(high), level, f"bootstrap over {knowing:,} groups")


def _drawn_ratios(numerators: FloatArray, denominators: FloatArray, draws: int, seed: int) -> FloatArray:
    """Ratios `[draws, k]` of resampled groups; NaN where a draw has none that knows something."""
    groups, columns = numerators.shape
    generator = np.random.default_rng(seed)
    found = np.empty((draws, columns))
    step = max(1, _AT_ONCE // groups)
    for start in range(0, draws, step):
        many = min(step, draws - start)
        picked = generator.integers(groups, size=(many, groups)) + groups * np.arange(many)[:, None]
        times = np.bincount(picked.ravel(), minlength=many * groups).reshape(many, groups).astype(np.float64)
        with np.errstate(invalid="ignore"):
            found[start : start + many] = (times @ numerators) / (times @ denominators)
    return found
