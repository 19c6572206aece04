"""Who is near whom in a network's features: how far classes lie apart, which images are nearest to one, and which
neighbors two networks share. Knows arrays alone.

n images, d dimensions. Each image's features are scaled to length 1 first, as for a map: near means alike in direction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation import Interval, share_interval, t_interval
from engine.evaluation.arrays import as_groups
from engine.similarity.linear_algebra import unit_rows

NEIGHBORS = 10  # of an image, in `kept_neighbors`: as many as the consensus propagates labels from
FeatureRows: TypeAlias = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Separation:
    """How well features keep the classes apart.

    nearest: share of images whose nearest other image has their class, 0 to 1. interval: of that share; None with one
    group. silhouette: mean over the images, -1 to 1; higher is better. images: those that were judged.
    """

    nearest: float
    interval: Interval | None
    silhouette: float
    images: int


def separation(
    features: FeatureRows, labels: npt.NDArray[np.int64], groups: npt.ArrayLike | None = None
) -> Separation | None:
    """How well `features [n, d]` keep the classes `labels [n]` apart, each image held out once; None where fewer than
    two classes have two images. An image that is alone in its class has no other that could be found, and is left out.

    groups: `[n]`, images that may resemble each other, -1 for one that stands alone; they widen the interval.
    References: Cover and Hart 1967 (one nearest neighbor); Rousseeuw 1987 (silhouette).

    >>> found = separation(np.array([[1.0, 0], [1, 0.1], [0, 1], [0.1, 1]]), np.array([0, 0, 1, 1]))
    >>> found.nearest, found.images, found.silhouette > 0.9
    (1.0, 4, True)
    """
    numbers, counts = np.unique(labels, return_counts=True)
    able = np.isin(labels, numbers[counts >= 2])
    if (counts >= 2).sum() < 2:
        return None
    from sklearn.metrics import silhouette_score  # scikit-learn takes a second to load

    rows, classes = unit_rows(features[able]), labels[able]
    right = classes[_neighbors(rows, 1)[:, 0]] == classes
    return Separation(
        nearest=float(right.mean()),
        interval=share_interval(right, None if groups is None else as_groups(groups, len(labels))[able]),
        silhouette=float(silhouette_score(rows, classes)),
        images=len(rows),
    )


def most_alike(features: FeatureRows, place: int, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The `count` other images most like the one at `place` of `features [n, d]`, the nearest first, and their cosines
    with it, -1 to 1. Fewer where there are no more. Raises InvalidInputError for a place that is none.

    >>> places, cosines = most_alike(np.array([[1.0, 0], [0, 2], [3, 0.1]]), 0, 1)
    >>> places.tolist(), round(float(cosines[0]), 3)
    ([2], 0.999)
    """
    if not 0 <= place < len(features):
        raise InvalidInputError(f"There is no image number {place} among {len(features):,}.")
    rows = unit_rows(features)
    cosines = (rows @ rows[place]).astype(np.float64)
    cosines[place] = -np.inf
    order = np.argsort(-cosines, kind="stable")[: min(count, len(rows) - 1)]
    return order, np.clip(cosines[order], -1, 1)


@dataclass(frozen=True)
class KeptNeighbors:
    """Which share of each image's nearest neighbors two networks have in common, as a mean over images, 0 to 1.

    chance: the share that neighbors drawn at random would have. interval: of the mean; None for a single image.
    """

    share: float
    interval: Interval | None
    chance: float
    images: int
    neighbors: int


def kept_neighbors(first: FeatureRows, second: FeatureRows, neighbors: int = NEIGHBORS) -> KeptNeighbors:
    """How many of the `neighbors` nearest images in `first [n, d]` are among those in `second [n, e]`, rows being the
    same images. With fewer images than that, all others are neighbors.

    Raises InvalidInputError for two lengths, or fewer than three images.

    >>> line = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> kept_neighbors(line, 3 * line, 1).share, kept_neighbors(line, line[[0, 2, 1, 3]], 1).share
    (1.0, 0.0)
    """
    n = len(first)
    if n != len(second) or n < 3:
        raise InvalidInputError(
            f"Neighbors are compared on the same images, three or more: there are {n} and {len(second)}."
        )
    k = min(neighbors, n - 1)
    mine, other = (np.sort(_neighbors(unit_rows(rows), k), axis=1) for rows in (first, second))
    both = np.sort(np.concatenate([mine, other], axis=1), axis=1)
    shares = (both[:, 1:] == both[:, :-1]).sum(axis=1) / k
    found = t_interval(shares, over="images")
    return KeptNeighbors(float(shares.mean()), found, k / (n - 1), n, k)


def _neighbors(rows: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.int64]:
    """The `k` other rows nearest to each: `[n, k]`; all pairs in blocks, so that memory grows with n."""
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(rows)
    return np.asarray(search.kneighbors(return_distance=False), dtype=np.int64)
