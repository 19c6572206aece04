"""Prediction sets that hold the true class as often as is asked for: split conformal prediction. Arrays only."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import as_probabilities, as_scored

COVERAGES = (0.8, 0.9, 0.95)  # what a user may ask for


def fit_set_threshold(probabilities: npt.ArrayLike, labels: npt.ArrayLike, coverage: float) -> float:
    """The probability from which on a class belongs to an image's set, so that sets hold the true class in a share of
    at least `coverage` (0 to 1) of new images; 0 where there are too few images: then all classes do.

    probabilities `[n, C]` and labels `[n]` are of images that nobody trained on. The share holds on average over the
    choice of these images, for new ones of the same kind (exchangeable with them), whatever the network is (Vovk,
    Gammerman and Shafer 2005); with groups it holds nearly, and the better the more groups there are. The score is one
    minus the probability of the true class: of all rules with one threshold for all classes it makes the smallest sets
    on average (Sadinle, Lei and Wasserman 2019, "least ambiguous set-valued classifiers"). Adaptive sets (Romano, Sesia
    and Candès 2020) are larger, and need chance to hold the same coverage: here they did not earn their place.

    >>> fit_set_threshold([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]], [0, 0, 0, 0], 0.8)
    0.6
    """
    if not 0 < coverage < 1:
        raise InvalidInputError(f"The coverage is {coverage}: give a share between 0 and 1, such as 0.9.")
    scores, truth = as_scored(probabilities, labels)
    own = np.sort(scores[np.arange(len(truth)), truth])
    place = len(own) + 1 - math.ceil(round((len(own) + 1) * coverage, 9))  # from below, 1 for the smallest
    return float(own[place - 1]) if place >= 1 else 0.0


def prediction_sets(probabilities: npt.ArrayLike, threshold: float) -> npt.NDArray[np.bool_]:
    """The set `[n, C]` of each image: classes whose probability `[n, C]` is at least `threshold`, and in any case the
    most probable one, so that no set is empty; that can only add to the coverage.

    >>> prediction_sets([[0.5, 0.4, 0.1], [0.3, 0.3, 0.4]], 0.4).astype(int).tolist()
    [[1, 1, 0], [0, 0, 1]]
    """
    scores = as_probabilities(probabilities, "probabilities")
    found = scores >= threshold
    found[np.arange(len(scores)), scores.argmax(axis=1)] = True
    return found
