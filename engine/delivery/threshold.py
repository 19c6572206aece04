"""The threshold of two classes that costs least, fitted and reported as `calibration` fits and reports."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.delivery.calibration import Calibration
from engine.errors import InvalidInputError
from engine.evaluation import ThresholdResult, cross_fitted, decided_result, fit_cost_threshold

Scores = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class CostRule:
    """A class is positive from `threshold` on. threshold: fitted on all held-out images, for the calibrated probability
    of new ones. result: cross-fitted, what the threshold of each half comes to on the other one.
    """

    threshold: float
    result: ThresholdResult


def cheapest_threshold(found: Calibration, positive: int, miss: float, false_alarm: float) -> CostRule:
    """The threshold on the probability of class number `positive` with the lowest mean cost.

    miss, false_alarm: what each costs, in one unit. The positive class counts as often as among the held-out images.
    Raises InvalidInputError where nothing can be fitted, only one class occurs, or a cost is not above 0.
    """
    held = found.held_out
    if held.half is None:
        raise InvalidInputError(str(found.reason))

    def fit(scores: Scores, labels: Numbers) -> float:
        return fit_cost_threshold(scores[:, positive], labels == positive, miss, false_alarm)

    def apply(scores: Scores, threshold: float) -> npt.NDArray[np.bool_]:
        return scores[:, positive] >= threshold

    decided = cross_fitted(held.half, held.probabilities, held.labels, fit, apply).astype(np.bool_)
    threshold = fit(found.calibrated(held.probabilities), held.labels)
    return CostRule(threshold, decided_result(decided, held.labels == positive, threshold, held.groups))
