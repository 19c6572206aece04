"""Labels that the other labeled images speak against: the rule of confident learning on what probes say of them.

n labeled images, C classes of the task.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray


@dataclass(frozen=True)
class Doubts:
    """Images whose label is suspected to be wrong, the most doubtful first.

    places: `[s]`, of the images. suggested: `[s]`, the class that they rather seem to be of.
    """

    places: IntArray
    suggested: IntArray


def doubts(probabilities: npt.NDArray[np.floating], labels: IntArray) -> Doubts:
    """Which `labels [n]` are suspected, by `probabilities [n, C]` that did not see the image's own label.

    An image counts as one of class j if its probability of j is at least the mean that j's own images have of it, and
    of several such classes the one of largest probability; it is suspected if that is not its label's (Northcutt, Jiang
    and Chuang 2021, Confident Learning, section 3.1: the confident joint off its diagonal). They are ordered by how
    much more probable that class is than their own. The only image of a class is never suspected: no other could speak
    for it. Raises TooFewLabelsError where no two classes have two images each.
    """
    counts = np.bincount(labels, minlength=probabilities.shape[1])
    if (counts > 1).sum() < 2:
        raise TooFewLabelsError(
            "Labels are doubted by other images of their class and of others: label two images of two classes or more."
        )
    own = probabilities[np.arange(len(labels)), labels]
    thresholds = np.full(len(counts), np.inf)
    thresholds[counts > 1] = np.bincount(labels, own, len(counts))[counts > 1] / counts[counts > 1]
    confident: FloatArray = np.where(probabilities >= thresholds, probabilities, -1.0)
    best = confident.argmax(axis=1)
    places = np.flatnonzero((confident.max(axis=1) >= 0) & (best != labels) & (counts[labels] > 1))
    lead = probabilities[places, best[places]] - own[places]
    order = np.argsort(-lead, kind="stable")
    return Doubts(places[order], best[places][order])
