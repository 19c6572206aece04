"""How often the consensus is right, on labels that it was not told: each labeled image is left out once.

m labeled images, n images of the training split, C classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.evaluation.arrays import IntArray, as_groups, as_labels
from engine.similarity.ridge import stratified_folds

FOLDS = 5  # each leaves a fifth of the labels out: with 5 of a class, one
SEED = 0
# Labeled images from which on one fold alone is left out: it has enough of them, and probes on many labels are slow.
MANY = 1_000


@dataclass(frozen=True)
class CrossValidated:
    """What was said of labeled images whose label was left out.

    judged: `[m]`, whether an image was: its class must keep a label. right: `[m]`, whether it was called its class.
    """

    judged: npt.NDArray[np.bool_]
    right: npt.NDArray[np.bool_]
    folds: int


def cross_validated(
    say: Callable[[IntArray], npt.NDArray[np.floating[Any]]],
    labeled: IntArray,
    labels: IntArray,
    groups: npt.ArrayLike | None = None,
) -> CrossValidated | None:
    """Leave each labeled image out once, or of more than `MANY` a fifth of them, and look what is said of it.

    say: positions `[k]` among the labeled whose labels may be used -> class scores `[n, C]` of all images. labeled:
    positions `[m]` of the labeled images among all; labels: `[m]`. groups: `[m]`, images that are left out together,
    -1 for one that stands alone. Classes are spread evenly over the folds. None where nothing can be left out.
    """
    truth = as_labels(labels)
    codes = as_groups(groups, len(truth))
    first = np.unique(codes, return_index=True)[1]  # of each group: its class is that of the group
    if len(first) < 2:
        return None
    fold = stratified_folds(truth[first], FOLDS, SEED)[codes]
    judged, right = np.zeros(len(truth), dtype=bool), np.zeros(len(truth), dtype=bool)
    numbers = range(int(fold.max()) + 1)
    for number in numbers if len(truth) <= MANY else numbers[:1]:
        kept = np.flatnonzero(fold != number)
        places = np.flatnonzero((fold == number) & np.isin(truth, truth[kept]))
        if len(places):
            judged[places] = True
            right[places] = say(kept)[labeled[places]].argmax(axis=1) == truth[places]
    return CrossValidated(judged, right, len(numbers)) if judged.any() else None
