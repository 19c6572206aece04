"""How good predictions are: accuracy, AUROC and calibration. Arrays only; every value is a share between 0 and 1."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_scored, require_range, require_same_length

CALIBRATION_BINS = 15  # as in Guo et al. 2017


def accuracy(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of images whose predicted class id `[n]` is their label `[n]`: 0 to 1, higher is better.

    Raises InvalidInputError if the two differ in length or hold no class ids.

    >>> accuracy([0, 1, 1, 2], [0, 1, 2, 2])
    0.75
    """
    guesses, truth = _pair(predicted, labels)
    return float(np.mean(guesses == truth))


def per_class_accuracy(
    predicted: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int
) -> tuple[float | None, ...]:
    """For each class 0 ... C-1 the share of its images that are recognized; None for a class without images.

    Raises InvalidInputError if a label is not between 0 and C-1.

    >>> per_class_accuracy([0, 1, 1, 2], [0, 1, 2, 2], 4)
    (1.0, 1.0, 0.5, None)
    """
    guesses, truth = _pair(predicted, labels)
    require_range(truth, number_of_classes)
    total = np.bincount(truth, minlength=number_of_classes)
    right = np.bincount(truth[guesses == truth], minlength=number_of_classes)
    return tuple(float(hit / of) if of else None for hit, of in zip(right, total, strict=True))


def balanced_accuracy(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean over the classes that occur of the share of each class that is recognized: 0 to 1, higher is better.

    >>> balanced_accuracy([0, 0, 0, 0], [0, 0, 0, 1])
    0.5
    """
    guesses, truth = _pair(predicted, labels)
    return float(np.mean([np.mean(guesses[truth == label] == label) for label in np.unique(truth)]))


def auroc(probabilities: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the ROC curve, one class against the rest, averaged over the classes that occur: 0 to 1, .5 is chance.

    `probabilities [n, C]` in the order of the class ids 0 ... C-1. Raises InvalidInputError if only one class occurs,
    or if a label is not between 0 and C-1.

    >>> auroc([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7]], [0, 0, 1])
    1.0
    """
    from sklearn.metrics import roc_auc_score  # takes a second to load, and no other measure needs it

    scores, truth = as_scored(probabilities, labels)
    occurring = np.unique(truth)
    if len(occurring) < 2:
        raise InvalidInputError("AUROC needs images of two classes or more, and only one occurs: add test images.")
    areas = [roc_auc_score(truth == label, scores[:, label]) for label in occurring]
    return float(np.mean(areas))


def calibration_error(probabilities: npt.ArrayLike, labels: npt.ArrayLike, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error of the predicted class: 0 to 1, lower is better.

    Mean absolute difference of confidence and accuracy over `bins` equally wide bins of confidence, each weighted by
    its share of the images (Guo et al. 2017, equation 3). Raises InvalidInputError as `auroc` does.

    >>> round(calibration_error([[0.8, 0.2], [0.8, 0.2]], [0, 1]), 6)
    0.3
    """
    scores, truth = as_scored(probabilities, labels)
    confidence = scores.max(axis=1)
    right = scores.argmax(axis=1) == truth
    gap = np.bincount(calibration_bins(confidence, bins), weights=confidence - right, minlength=bins)
    return float(np.abs(gap).sum() / len(truth))


def calibration_bins(confidence: FloatArray, bins: int) -> IntArray:
    """In which of `bins` equally wide bins, each with its upper end, each `confidence [n]` of 0 to 1 lies.

    Raises InvalidInputError for less than one bin.
    """
    if bins < 1:
        raise InvalidInputError(f"The number of bins is {bins}: give 1 or more.")
    return np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)


def _pair(predicted: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[IntArray, IntArray]:
    guesses, truth = as_labels(predicted, "predicted"), as_labels(labels)
    require_same_length(predicted=guesses, labels=truth)
    return guesses, truth
