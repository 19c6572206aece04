"""Fitting on one half of the held-out images and judging on the other, and the other way round."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray, as_groups, as_labels, as_scored, to_numpy

Fitted = TypeVar("Fitted")
FEWEST_HELD_OUT = 100  # images: of half as many, a temperature or a 95 % quantile is a matter of chance
FEWEST_IN_HALF = 30  # images of the smaller half, where large groups make the halves unequal


def halves(labels: npt.ArrayLike, groups: npt.ArrayLike | None = None, seed: int = 0) -> IntArray:
    """For each image 0 or 1 `[n]`: two halves with nearly as many images of each class, and no group in both.

    labels: class ids `[n]`; groups: `[n]`, -1 for an image that stands alone, or None. The groups, shuffled by `seed`
    and then the largest first, go one after the other to the half that lacks their classes more. Raises
    InvalidInputError for other arrays, or if there is one group only.

    >>> halves([0, 0, 1, 1], [5, 5, 7, 7]).tolist() in ([0, 0, 1, 1], [1, 1, 0, 0])
    True
    """
    truth = as_labels(labels)
    codes = as_groups(groups, len(truth))
    number = int(codes.max()) + 1
    if number < 2:
        raise InvalidInputError("All images are of one group, which has no halves: add images of other groups.")
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    shuffled = np.random.default_rng(seed).permutation(number)
    sizes = np.bincount(codes)[shuffled]
    _, classes = np.unique(truth, return_inverse=True)
    ahead = np.zeros(int(classes.max()) + 1, dtype=np.int64)  # images of each class in half 0, less those in half 1
    found, balance = np.empty(len(truth), dtype=np.int64), 0
    for group in shuffled[np.argsort(-sizes, kind="stable")].tolist():
        own, counts = np.unique(classes[members[group]], return_counts=True)
        worse = int(np.abs(ahead[own] + counts).sum() - np.abs(ahead[own] - counts).sum())
        sign = -1 if (worse, balance) > (0, 0) else 1
        ahead[own] += sign * counts
        balance += sign * int(counts.sum())
        found[members[group]] = 0 if sign == 1 else 1
    return found


def too_few(labels: npt.ArrayLike, groups: npt.ArrayLike | None = None, seed: int = 0) -> str | None:
    """Why nothing is fitted on these held-out images `[n]`, in one sentence; None where there are enough."""
    truth = to_numpy(labels)
    if len(truth) < FEWEST_HELD_OUT:
        return (
            f"There are {len(truth)} held-out images, and fewer than {FEWEST_HELD_OUT} are too few to fit anything on: "
            "hold out more."
        )
    codes = as_groups(groups, len(truth))
    if codes.max() == 0:
        return "All held-out images are of one group, so that nothing can be fitted on some and judged on others."
    smaller = int(np.bincount(halves(truth, groups, seed), minlength=2).min())
    if smaller < FEWEST_IN_HALF:
        return (
            f"One group holds nearly all held-out images, and {smaller} others are too few to judge on: "
            "hold out more groups."
        )
    return None


def cross_fitted(
    half: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    labels: npt.ArrayLike,
    fit: Callable[[FloatArray, IntArray], Fitted],
    apply: Callable[[FloatArray, Fitted], npt.NDArray[np.generic]],
) -> npt.NDArray[np.generic]:
    """What `apply` makes of `probabilities [n, C]`, each half with what `fit` found on the other one; same order.

    half: `[n]` of 0 and 1, as `halves` gives it. fit: (probabilities, labels) of one half -> what was fitted. apply:
    (probabilities of the other half, that) -> `[m, ...]`. Raises InvalidInputError for other arrays or an empty half.
    """
    scores, truth = as_scored(probabilities, labels)
    side = as_labels(half, "half")
    pooled: npt.NDArray[np.generic] | None = None
    for judged in (0, 1):
        there = side == judged
        if not there.any() or there.all():
            raise InvalidInputError("One half holds no images: give halves that both do.")
        found = apply(scores[there], fit(scores[~there], truth[~there]))
        if pooled is None:
            pooled = np.empty((len(scores), *found.shape[1:]), dtype=found.dtype)
        pooled[there] = found
    assert pooled is not None
    return pooled
