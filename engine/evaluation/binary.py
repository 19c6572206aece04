"""Two classes, one of which is the positive one: ROC, its area, and what a threshold comes to. Arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_flags, as_groups, as_vector, require_same_length
from engine.evaluation.intervals import LEVEL, Interval, require_level, share_interval

NEVER = float(np.nextafter(1.0, 2.0))  # the threshold above every probability


@dataclass(frozen=True)
class RocCurve:
    """Points of a ROC curve from (0, 0) to (1, 1): "positive" from `thresholds [m]` on, the first above all scores."""

    thresholds: FloatArray
    false_positive_rate: FloatArray  # [m], rising
    true_positive_rate: FloatArray  # [m], rising


@dataclass(frozen=True)
class AreaUnderRoc:
    """AUROC, 0 to 1, .5 is chance; `interval` is None where it cannot be known."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class ThresholdResult:
    """What "positive from `threshold` on" comes to. Rates are 0 to 1, higher is better; intervals may be unknown."""

    threshold: float
    true_positives: int
    misses: int  # positive, and called negative
    false_alarms: int  # negative, and called positive
    true_negatives: int
    sensitivity: float  # share of the positive images that are called positive
    specificity: float  # share of the negative images that are called negative
    sensitivity_interval: Interval | None
    specificity_interval: Interval | None

    def cost(self, miss: float, false_alarm: float) -> float:
        """Mean cost of an image, in the unit of the two costs."""
        images = self.true_positives + self.misses + self.false_alarms + self.true_negatives
        return (miss * self.misses + false_alarm * self.false_alarms) / images


def roc_curve(scores: npt.ArrayLike, positive: npt.ArrayLike) -> RocCurve:
    """The ROC curve of `scores [n]`, higher for more positive, and of what is `positive [n]`; one point for each score.

    Raises InvalidInputError if only one of the two classes occurs.

    >>> roc_curve([0.9, 0.4, 0.6], [True, False, False]).true_positive_rate.tolist()
    [0.0, 1.0, 1.0, 1.0]
    """
    values, truth = _both_classes(scores, positive)
    cuts, tp, fp = _cuts(values, truth)
    return RocCurve(np.append(np.inf, cuts), fp / fp[-1], tp / tp[-1])


def area_under_roc(
    scores: npt.ArrayLike, positive: npt.ArrayLike, groups: npt.ArrayLike | None = None, level: float = LEVEL
) -> AreaUnderRoc:
    """AUROC of `scores [n]` and `positive [n]`: how often a positive image has the higher score of a pair; ties half.

    The interval is DeLong's (1988) on the scale of logits (Pepe 2003, section 5.2), and with groups `[n]` (-1: an image
    that stands alone) that of Obuchowski (1997) in the form of summed influences. None where the classes do not overlap
    at all, where all scores are the same, with one image of a class, with one group. Raises InvalidInputError if one of
    the classes does not occur.

    >>> area_under_roc([0.1, 0.4, 0.35, 0.8], [False, False, True, True]).value
    0.75
    """
    require_level(level)
    values, truth = _both_classes(scores, positive)
    above, below = values[truth], values[~truth]
    ranks, own = scipy.stats.rankdata(values), np.empty(len(values))
    own[truth] = (ranks[truth] - scipy.stats.rankdata(above)) / len(below)  # of each positive: negatives below it
    own[~truth] = 1 - (ranks[~truth] - scipy.stats.rankdata(below)) / len(above)
    value = float(own[truth].mean())
    codes = as_groups(groups, len(values))
    number = int(codes.max()) + 1
    if not 0 < value < 1 or number < 2 or min(len(above), len(below)) < 2:
        return AreaUnderRoc(value, None)
    variance = _variance(own - value, truth, codes)
    if variance == 0:  # as where all scores are the same: nothing says how far others would lie apart
        return AreaUnderRoc(value, None)
    logit = math.log(value / (1 - value))
    quantile = float(scipy.special.ndtri((1 + level) / 2))
    half = quantile * math.sqrt(variance) / (value * (1 - value))
    low, high = scipy.special.expit([logit - half, logit + half])
    over = f"{len(values):,} images" + (f" in {number:,} groups" if number < len(values) else "")
    return AreaUnderRoc(value, Interval(float(low), float(high), level, f"DeLong interval over {over}"))


def at_threshold(
    scores: npt.ArrayLike, positive: npt.ArrayLike, threshold: float, groups: npt.ArrayLike | None = None
) -> ThresholdResult:
    """Sensitivity and specificity of "positive from `threshold` on" of `scores [n]`, with intervals.

    groups: `[n]` or None, as in `share_interval`. Raises InvalidInputError if only one of the two classes occurs.

    >>> found = at_threshold([0.9, 0.4, 0.6], [True, False, False], 0.5)
    >>> found.sensitivity, found.specificity, found.cost(miss=10, false_alarm=3)
    (1.0, 0.5, 1.0)
    """
    values, truth = _both_classes(scores, positive)
    return decided_result(values >= threshold, truth, threshold, groups)


def decided_result(
    decided: npt.ArrayLike, positive: npt.ArrayLike, threshold: float, groups: npt.ArrayLike | None = None
) -> ThresholdResult:
    """As `at_threshold`, of what was `decided [n]` to be positive, such as by thresholds fitted elsewhere."""
    called, truth = as_flags(decided, "decided"), as_flags(positive, "positive")
    _both_classes(called, truth)
    codes = as_groups(groups, len(truth))
    hits, rejections = called[truth], ~called[~truth]
    return ThresholdResult(
        threshold=threshold,
        true_positives=int(hits.sum()),
        misses=int((~hits).sum()),
        false_alarms=int((~rejections).sum()),
        true_negatives=int(rejections.sum()),
        sensitivity=float(hits.mean()),
        specificity=float(rejections.mean()),
        sensitivity_interval=share_interval(hits, codes[truth]),
        specificity_interval=share_interval(rejections, codes[~truth]),
    )


def fit_cost_threshold(scores: npt.ArrayLike, positive: npt.ArrayLike, miss: float, false_alarm: float) -> float:
    """The threshold on `scores [n]` (0 to 1) with the lowest mean cost, where a miss and a false alarm cost so much.

    It lies in the middle between two scores; 0 calls all images positive, one just above 1 calls none so. Of several
    that cost the same, it is the one next to false_alarm / (false_alarm + miss), which is the best of all where the
    scores are true probabilities (Elkan 2001, theorem 1). Raises InvalidInputError unless both costs are above 0 and
    finite, and both classes occur.

    >>> fit_cost_threshold([0.9, 0.4, 0.6], [True, False, False], miss=1, false_alarm=1)
    0.75
    """
    for name, cost in (("a miss", miss), ("a false alarm", false_alarm)):
        if not 0 < cost < math.inf:
            raise InvalidInputError(f"The cost of {name} is {cost}: give a number above 0.")
    values, truth = _both_classes(scores, positive)
    cuts, tp, fp = _cuts(values, truth)
    costs = miss * (tp[-1] - tp) + false_alarm * fp
    ends = np.concatenate([[NEVER], (cuts[:-1] + cuts[1:]) / 2, [0.0]])
    cheapest = ends[np.isclose(costs, costs.min(), rtol=1e-9, atol=0)]
    best = false_alarm / (false_alarm + miss)
    return float(cheapest[np.abs(cheapest - best).argmin()])


def _cuts(values: FloatArray, truth: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """The scores that occur, falling `[m]`; and true and false positives `[m + 1]`: of none, and from each on."""
    cuts, place = np.unique(-values, return_inverse=True)
    tp = np.cumsum(np.bincount(place, weights=truth, minlength=len(cuts)))
    fp = np.cumsum(np.bincount(place, weights=~truth, minlength=len(cuts)))
    return -cuts, np.append(0.0, tp), np.append(0.0, fp)


def _variance(off: FloatArray, truth: npt.NDArray[np.bool_], codes: npt.NDArray[np.int64]) -> float:
    """Of an AUROC, from how far each image's share of won pairs is `off [n]` its mean."""
    number, sizes = int(codes.max()) + 1, (int(truth.sum()), int((~truth).sum()))
    if number == len(off):
        return sum(
            float((off[own] ** 2).sum()) / (size * (size - 1)) for own, size in zip((truth, ~truth), sizes, strict=True)
        )
    influence = off / np.where(truth, *sizes)
    summed = np.bincount(codes, weights=influence)
    return float(number / (number - 1) * (summed**2).sum())


def _both_classes(scores: npt.ArrayLike, positive: npt.ArrayLike) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    values, truth = as_vector(scores, "scores"), as_flags(positive, "positive")
    require_same_length(scores=values, positive=truth)
    if truth.all() or not truth.any():
        raise InvalidInputError("Only one of the two classes occurs among the images: add images of the other one.")
    return values, truth
