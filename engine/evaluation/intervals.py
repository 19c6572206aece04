"""What an interval is, and how each kind is computed. An interval that cannot be known is None, never a guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_flags, as_groups, as_matrix, as_vector

LEVEL = 0.95  # how often an interval should hold the truth, unless someone asks otherwise: the field's habit
BOOTSTRAP_DRAWS = 10_000  # enough for two stable digits of a 95 % percentile
FEWEST_TARGETS = 3  # of two, no mean of draws lies beyond the two, whatever the truth is


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`, in the unit of the value; `level` is how often such an interval holds the truth, 0 to 1."""

    low: float
    high: float
    level: float
    method: str  # in words, as "t interval over 3 seeds"

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True)
class PairedDifference:
    """First minus second, seed by seed; `interval` is None (unknown) when there is one seed only."""

    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    interval: Interval | None


def require_level(level: float) -> float:
    """`level` itself. Raises InvalidInputError unless it lies strictly between 0 and 1."""
    if not 0 < level < 1:
        raise InvalidInputError(f"The level of an interval is {level}: give a share between 0 and 1, such as 0.95.")
    return level


def wilson_interval(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Wilson's score interval for a proportion, within 0 to 1, such as an accuracy over `trials` test images.

    Raises InvalidInputError if there is no trial, or `successes` is not between 0 and `trials`. Wilson 1927.

    >>> interval = wilson_interval(8, 10)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.49, 0.943)
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise InvalidInputError(
            f"{successes} successes in {trials} trials: give at least one trial, and successes between 0 and trials."
        )
    return _wilson(successes / trials, trials, level, f"Wilson interval over {trials:,} images")


def share_interval(hits: npt.ArrayLike, groups: npt.ArrayLike | None = None, level: float = LEVEL) -> Interval | None:
    """Interval of the share of True in `hits [n]`, within 0 to 1, where images of one group may resemble each other.

    groups: the group `[n]` of each image, -1 for one that stands alone; None: all do, and the interval is Wilson's.
    With groups it is Wilson's at the number of independent images that vary as much as these do: n over the design
    effect of the groups (Kish 1965), with the quantile of Student's t of one degree less than there are groups (Korn
    and Graubard 1998). Where all hits are alike the effect cannot be seen, and a group counts as one image. None with
    one group: how groups differ is then unknown. Raises InvalidInputError for no image, or as `as_groups`.

    >>> interval = share_interval([True] * 8 + [False] * 2)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.49, 0.943)
    >>> interval = share_interval([True] * 8 + [False] * 2, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4])
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.223, 0.982)
    """
    found = as_flags(hits, "hits")
    images, codes = len(found), as_groups(groups, len(found))
    number = int(codes.max()) + 1
    if number == images:
        return wilson_interval(int(found.sum()), images, level)
    if number < 2:
        return None
    share = float(found.mean())
    off = np.bincount(codes, weights=found - share)
    variance = number / (number - 1) * float((off * off).sum()) / images**2
    effect = variance * images / (share * (1 - share)) if 0 < share < 1 else images / number
    z, t = _normal_quantile(level), float(scipy.special.stdtrit(number - 1, (1 + level) / 2))
    independent = images / max(1.0, effect) * (z / t) ** 2
    return _wilson(share, independent, level, f"Wilson interval over {images:,} images in {number:,} groups")


def t_interval(
    values: npt.ArrayLike, level: float = LEVEL, over: str = "seeds", *, step: float = 0.0
) -> Interval | None:
    """Student's t interval for the mean of `values [n]`, one per seed (or whatever `over` says).

    step: of what the values are multiples of, such as 1 / images. Values that agree may still differ by what such steps
    hide: their standard deviation counts as at least step / sqrt(12), that of rounding to them.
    None when there is only one value: its spread is unknown. Raises InvalidInputError for no value or a non-finite one.

    >>> interval = t_interval([1.0, 2.0, 3.0])
    >>> round(interval.low, 3), round(interval.high, 3), interval.method
    (-0.484, 4.484, 't interval over 3 seeds')
    >>> t_interval([1.0]) is None
    True
    >>> interval = t_interval([0.85, 0.85], step=1 / 20)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.72, 0.98)
    """
    sample = as_vector(values, "values")
    require_level(level)
    if len(sample) < 2:
        return None
    quantile = float(scipy.special.stdtrit(len(sample) - 1, (1 + level) / 2))
    spread = max(float(sample.std(ddof=1)), step / math.sqrt(12))
    half = quantile * spread / math.sqrt(len(sample))
    mean = float(sample.mean())
    return Interval(mean - half, mean + half, level, f"t interval over {len(sample)} {over}")


def accuracy_interval(accuracies: npt.ArrayLike, test_images: int, level: float = LEVEL) -> Interval:
    """Interval of a mean accuracy, from `accuracies [seeds]` in 0..1: over the seeds where there are several (t), else
    over the test images (Wilson). Within 0..1. Raises InvalidInputError as those two do.

    >>> accuracy_interval([0.5, 0.6], 100).method, accuracy_interval([0.5], 100).method
    ('t interval over 2 seeds', 'Wilson interval over 100 images')
    >>> accuracy_interval([0.7, 0.9], 100).high
    1.0
    """
    values = as_vector(accuracies, "accuracies")
    found = t_interval(values, level, step=1 / max(1, test_images))
    if found is None:
        return wilson_interval(round(float(values[0]) * test_images), test_images, level)
    return replace(found, low=max(0.0, found.low), high=min(1.0, found.high))


def paired_difference(
    first: Mapping[int, float], second: Mapping[int, float], level: float = LEVEL, *, images: int
) -> PairedDifference:
    """First minus second, accuracies in 0..1, on the seeds that both have, with a t interval over them.

    images: of the test, so that differences come in steps of 1 / images, and no two seeds agree more than that tells.
    Raises InvalidInputError if they share no seed.

    >>> result = paired_difference({0: 0.6, 1: 0.7}, {0: 0.5, 1: 0.5, 2: 0.9}, images=10)
    >>> result.seeds, round(result.mean, 6)
    ((0, 1), 0.15)
    """
    seeds = tuple(sorted(set(first) & set(second)))
    if not seeds:
        raise InvalidInputError(
            f"Seeds {sorted(first)} and {sorted(second)} have none in common: run both methods with the same seeds."
        )
    differences = as_vector([first[seed] - second[seed] for seed in seeds], "values")
    interval = t_interval(differences, level, step=1 / max(1, images))
    return PairedDifference(seeds, tuple(differences.tolist()), float(differences.mean()), interval)


def mean_over_targets(
    differences: npt.ArrayLike, level: float = LEVEL, *, images: npt.ArrayLike | None = None
) -> tuple[float, Interval | None]:
    """Mean of paired differences `[targets, seeds]`, and a t interval over the seeds of the per-seed means.

    images: of each target's test `[targets]`, in steps of whose inverse the differences come; None: of any size.

    The interval is None with one seed. It says how far other seeds would move the mean over *these* targets; what other
    targets would do is `bootstrap_over_targets`.

    >>> mean, interval = mean_over_targets([[1.0, 3.0], [3.0, 5.0]])
    >>> mean, interval.method
    (3.0, 't interval over 2 seeds')
    """
    table = as_matrix(differences, "differences")
    steps = np.zeros(len(table)) if images is None else 1 / np.maximum(1, np.asarray(images, dtype=np.float64))
    # What rounding each target's differences hides, hidden in their mean.
    step = float(np.sqrt((steps**2).sum())) / len(table)
    return float(table.mean()), t_interval(table.mean(axis=0), level, step=step)


def bootstrap_over_targets(
    differences: npt.ArrayLike, level: float = LEVEL, draws: int = BOOTSTRAP_DRAWS, seed: int = 0
) -> Interval | None:
    """Interval for the mean of `differences [targets, seeds]` when the targets too could have been others.

    Each draw takes as many targets with replacement, and within each of them (its stratum) as many seeds with
    replacement. The percentiles lie further out than `level` says, as far as makes up for few targets (Hesterberg 2015,
    "expanded percentile interval"): at face value, 95 % of 4 targets hold the truth in 84 of 100 cases, so in 92; from
    8 on in 95. None with fewer than 3 targets: how targets differ is then unknown. Deterministic in `seed`.

    >>> bootstrap_over_targets([[1.0, 2.0], [3.0, 3.0]]) is None
    True
    >>> interval = bootstrap_over_targets([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    >>> interval.low, interval.high
    (1.0, 3.0)
    """
    table = as_matrix(differences, "differences")
    require_level(level)
    if draws < 1:
        raise InvalidInputError(f"The number of bootstrap draws is {draws}: give 1 or more.")
    n = len(table)
    if n < FEWEST_TARGETS:
        return None
    tail = float(scipy.special.ndtr(-math.sqrt(n / (n - 1)) * scipy.special.stdtrit(n - 1, (1 + level) / 2)))
    low, high = np.quantile(_bootstrap_means(table, draws, seed), [tail, 1 - tail])
    return Interval(float(low), float(high), level, f"stratified bootstrap over {len(table)} targets")


def _bootstrap_means(table: FloatArray, draws: int, seed: int) -> FloatArray:
    """Means `[draws]` of resampled tables: targets with replacement, then seeds within each."""
    targets, seeds = table.shape
    generator = np.random.default_rng(seed)
    rows = generator.integers(targets, size=(draws, targets, 1))
    columns = generator.integers(seeds, size=(draws, targets, seeds))
    return np.asarray(table[rows, columns].mean(axis=(1, 2)))


def _wilson(share: float, trials: float, level: float, method: str) -> Interval:
    """Wilson's score interval of a share of `trials`, which need be no whole number."""
    z = _normal_quantile(level)
    center = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return Interval(0.0 if share == 0 else center - half, 1.0 if share == 1 else center + half, level, method)


def _normal_quantile(level: float) -> float:
    """How many standard deviations around the mean hold `level` of a normal distribution."""
    return float(scipy.special.ndtri((1 + require_level(level)) / 2))
