"""Whether a confidence of 90 % means that 90 of 100 are right, and one number that mends it. Arrays only."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError
from engine.evaluation.arrays import (
    FloatArray,
    IntArray,
    as_flags,
    as_groups,
    as_probabilities,
    as_scored,
    as_vector,
    require_same_length,
)
from engine.evaluation.classification import CALIBRATION_BINS, calibration_bins
from engine.evaluation.intervals import LEVEL, Interval, require_level, share_interval

ERROR_DRAWS = 1_000  # of a bootstrap: each counts all images anew, and two digits of a percentile are stable
SMALLEST = float(np.finfo(np.float16).smallest_subnormal)  # 6e-8: a kept probability below it was written as 0
LOWEST, HIGHEST = 0.1, 10.0  # of a temperature. Where every image is right, no temperature is low enough.


@dataclass(frozen=True)
class ReliabilityBin:
    """The images whose confidence is above `low` and at most `high`: how sure they are, and how often right, 0 to 1."""

    low: float
    high: float
    images: int
    confidence: float  # mean
    accuracy: float
    interval: Interval | None  # of the accuracy; None where it cannot be known


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error, 0 to 1, lower is better; `interval` is None where it cannot be known."""

    value: float
    interval: Interval | None


def reliability(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    bins: int = CALIBRATION_BINS,
) -> tuple[ReliabilityBin, ...]:
    """Confidence and accuracy in equally wide bins of `confidence [n]` (0 to 1), those without images left out.

    right: `[n]`, whether the predicted class is the label. groups: `[n]` or None, as in `share_interval`. The bins are
    those of `calibration_error` (Guo et al. 2017, section 2). Raises InvalidInputError for other arrays.

    >>> [(found.images, found.accuracy) for found in reliability([0.65, 0.65, 0.95], [True, False, True])]
    [(2, 0.5), (1, 1.0)]
    """
    sure, hits, codes = _judged(confidence, right, groups)
    place = calibration_bins(sure, bins)
    found = []
    for number in np.unique(place).tolist():
        own = place == number
        share = float(hits[own].mean())
        interval = share_interval(hits[own], codes[own])
        found.append(
            ReliabilityBin(number / bins, (number + 1) / bins, int(own.sum()), float(sure[own].mean()), share, interval)
        )
    return tuple(found)


def calibration_error_interval(
    confidence: npt.ArrayLike,
    right: npt.ArrayLike,
    groups: npt.ArrayLike | None = None,
    bins: int = CALIBRATION_BINS,
    level: float = LEVEL,
    draws: int = ERROR_DRAWS,
    seed: int = 0,
) -> CalibrationError:
    """Expected calibration error of `confidence [n]` and `right [n]` with a bootstrap interval over images or groups.

    groups: `[n]` or None, as in `share_interval`; whole groups are drawn. Of a finite number of images the error is
    never 0, and of a resample it is larger still by about as much: the interval is therefore the basic one, which
    reflects the percentiles at the estimate (Davison and Hinkley 1997, section 5.2). It begins at 0 where draws around
    no error at all come as far as the estimate, which chance then explains (after Bröcker and Smith 2007). None with
    one group. Deterministic in `seed`. Raises InvalidInputError for other arrays.

    >>> calibration_error_interval([0.8, 0.8], [True, False]).value
    0.3
    """
    require_level(level)
    sure, hits, codes = _judged(confidence, right, groups)
    units = int(codes.max()) + 1
    gaps = np.zeros((units, bins))
    np.add.at(gaps, (codes, calibration_bins(sure, bins)), sure - hits)
    sizes = np.bincount(codes)
    value = round(float(np.abs(gaps.sum(axis=0)).sum() / len(sure)), 12)
    if units < 2:
        return CalibrationError(value, None)
    generator, mean = np.random.default_rng(seed), gaps.sum(axis=0) / len(sure)
    found, by_chance = np.empty(draws), np.empty(draws)
    for i in range(draws):
        times = np.bincount(generator.integers(units, size=units), minlength=units)
        drawn = times @ gaps / (times @ sizes)
        found[i], by_chance[i] = np.abs(drawn).sum(), np.abs(drawn - mean).sum()
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    start = 0.0 if value <= np.quantile(by_chance, (1 + level) / 2) else max(0.0, float(2 * value - high))
    method = f"bootstrap over {units:,} {'images' if units == len(sure) else 'groups'}"
    return CalibrationError(value, Interval(start, max(value, float(2 * value - low)), level, method))


def fit_temperature(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature that makes `probabilities [n, C]` most likely for `labels [n]`: above 1 they were too sure.

    It minimizes the mean negative log likelihood of `at_temperature` (Guo et al. 2017, section 4.2), between 0.1 and
    10: where all images are right there is no end to it. The likelihood is convex in the inverse of the temperature,
    so that there is one minimum. Raises InvalidInputError for other arrays.

    >>> round(fit_temperature([[0.9, 0.1]] * 4, [0, 0, 0, 1]), 3)  # log 9 / log 3, since 3 of 4 are right
    2.0
    """
    scores, truth = as_scored(probabilities, labels)
    logs, images = _logs(scores), np.arange(len(truth))
    below = logs - logs.max(axis=1, keepdims=True)  # of each class, how far below the likeliest: no overflow
    true_below = float(below[images, truth].mean())
    below[images, logs.argmax(axis=1)] = -np.inf  # the likeliest adds 1 to each sum: log1p keeps what the others add

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.log1p(np.exp(below * inverse).sum(axis=1)).mean()) - true_below * inverse

    bounds = (math.log(LOWEST), math.log(HIGHEST))
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-4})
    return math.exp(float(found.x))


def at_temperature(probabilities: npt.ArrayLike, temperature: float) -> FloatArray:
    """Probabilities `[n, C]` at a temperature: their logarithms over it, through softmax; 1 changes nothing.

    Probabilities are kept as float16, in which those below 6e-8 are 0: such a one counts as 6e-8, so that its logarithm
    is finite. The most probable class stays the same. Raises InvalidInputError for a temperature that is not above 0.

    >>> at_temperature([[0.9, 0.1]], 2.0).round(2).tolist()
    [[0.75, 0.25]]
    """
    if not 0 < temperature < math.inf:
        raise InvalidInputError(f"The temperature is {temperature}: give a number above 0.")
    return np.asarray(
        scipy.special.softmax(_logs(as_probabilities(probabilities, "probabilities")) / temperature, axis=1)
    )


def _logs(probabilities: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST)))


def _judged(
    confidence: npt.ArrayLike, right: npt.ArrayLike, groups: npt.ArrayLike | None
) -> tuple[FloatArray, npt.NDArray[np.bool_], IntArray]:
    sure, hits = as_vector(confidence, "confidence"), as_flags(right, "right")
    require_same_length(confidence=sure, right=hits)
    if sure.min() < 0 or sure.max() > 1:
        wrong = float(sure.min() if sure.min() < 0 else sure.max())
        raise InvalidInputError(f"A confidence is {wrong:g}: give probabilities, which lie between 0 and 1.")
    return sure, hits, as_groups(groups, len(sure))
