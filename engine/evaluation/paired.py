"""Two students on the same images: how much more often one of them is right, and how sure that is with one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.evaluation.arrays import IntArray, as_labels, group_codes, require_same_length
from engine.evaluation.groups import are_groups, ratio_intervals
from engine.evaluation.intervals import LEVEL, Interval, require_level


@dataclass(frozen=True)
class PairedAccuracies:
    """Two students on the same images. Counts of images that both, one alone, or neither recognizes.

    difference: accuracy of the first minus that of the second, -1 to 1. interval: of it; None with groups, but fewer
    than 5. p_value: of McNemar's exact test that neither is better; None where images come in groups, which it does not
    know. Both cover the choice of test images; another seed or other labels they do not cover.
    """

    images: int
    both: int
    first_only: int
    second_only: int
    neither: int
    difference: float
    interval: Interval | None
    p_value: float | None


def paired_accuracies(
    first_right: npt.ArrayLike,
    second_right: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    level: float = LEVEL,
) -> PairedAccuracies:
    """Compare two students by whether each image `[n]` is recognized (0 or 1), in the same order for both.

    Independent images: the interval of Agresti and Min 2005 (Wald's with half an image more in each of the four cells)
    and McNemar's exact test (1947). With `groups [n]` of which some have several images: a bootstrap over groups.
    Raises InvalidInputError if they differ in length.

    >>> found = paired_accuracies([1, 1, 1, 0, 1], [1, 0, 0, 0, 1])
    >>> found.first_only, found.second_only, found.difference, found.p_value
    (2, 0, 0.4, 0.5)
    """
    first, second = as_labels(first_right, "first_right") != 0, as_labels(second_right, "second_right") != 0
    require_same_length(first_right=first, second_right=second)
    require_level(level)
    n, ahead, behind = len(first), int((first & ~second).sum()), int((second & ~first).sum())
    interval: Interval | None
    p_value: float | None
    if groups is not None and are_groups(groups):
        interval = _over_groups(first, second, group_codes(groups), level)
        p_value = None
    else:
        interval = _agresti_min(ahead, behind, n, level)
        p_value = float(scipy.stats.binomtest(ahead, ahead + behind).pvalue) if ahead + behind else 1.0
    return PairedAccuracies(
        images=n,
        both=int((first & second).sum()),
        first_only=ahead,
        second_only=behind,
        neither=int((~first & ~second).sum()),
        difference=(ahead - behind) / n,
        interval=interval,
        p_value=p_value,
    )


def _over_groups(
    first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_], codes: IntArray, level: float
) -> Interval | None:
    require_same_length(first_right=first, groups=codes)
    ahead = (1 + first.astype(np.float64) - second) / 2  # a share: 1 where the first alone is right, 0 the second alone
    images = np.bincount(codes).astype(np.float64)
    (share,) = ratio_intervals(np.bincount(codes, ahead).astype(np.float64)[:, None], images[:, None], level)
    if share is None:
        return None
    if share.low == share.high:  # no group differs from another, so that drawing them says nothing: each is one image
        return _of_alike_groups(float(2 * share.low - 1), len(images), level)
    return replace(share, low=2 * share.low - 1, high=2 * share.high - 1)


def _of_alike_groups(gain: float, groups: int, level: float) -> Interval:
    """Around `gain`, the difference in each of them, in -1..1."""
    found = _agresti_min(round(groups * max(0.0, gain)), round(groups * max(0.0, -gain)), groups, level)
    over = f"Agresti–Min interval over {groups:,} groups"
    return replace(found, low=min(found.low, gain), high=max(found.high, gain), method=over)


def _agresti_min(ahead: int, behind: int, images: int, level: float) -> Interval:
    z = float(scipy.special.ndtri((1 + level) / 2))
    n, discordant, gain = images + 2, ahead + behind + 1, (ahead - behind) / (images + 2)
    half = z * math.sqrt(discordant - n * gain * gain) / n
    return Interval(
        max(-1.0, gain - half), min(1.0, gain + half), level, f"Agresti–Min interval over {images:,} paired images"
    )
