"""k nearest neighbors: how often an image's neighbors in the teacher's features share its label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

# One neighbor by default: with the two labels per class that the metric asks for, an image has one companion only, and
# any larger k would outvote it.
NEIGHBORS = 1
_BLOCK_ENTRIES = 1 << 26  # of the distance matrix: 8,192 images at once, 512 MB
_ROUNDING = 1e-12  # squared distances that differ by less of the largest squared length are compared once more
_TIE = 1e-12  # and are equal if they then differ by less of themselves


def knn(points: Points, classes: Classes, k: int = NEIGHBORS) -> float:
    """Accuracy of the k nearest neighbors by Euclidean distance, in percent: 0 to 100, higher is better.

    Each of the n points is classified by the `k` others nearest to it (itself left out by position, so
    copies count); of others equally near, the earlier rows are taken. A tied vote counts its expected value. k is at
    most n - 1. Raises InvalidInputError for k < 1.

    >>> knn(Points(np.array([[0.0], [0.1], [5.0], [5.1]])), Classes(np.array([0, 0, 1, 1])))
    100.0
    """
    if k < 1:
        raise InvalidInputError(f"The number of neighbors is {k}: give 1 or more.")
    if points.wide:
        kernel, lengths = points.kernel, points.lengths

        def distances(rows: slice) -> FloatArray:
            return np.asarray(lengths[rows, None] + lengths - 2 * kernel[rows])
    else:
        vectors = points.centered
        lengths = np.einsum("nd,nd->n", vectors, vectors)

        def distances(rows: slice) -> FloatArray:
            return np.asarray(lengths[rows, None] + lengths - 2 * (vectors[rows] @ vectors.T))

    def exactly(image: int, others: IntArray) -> FloatArray:
        return np.asarray(np.square((points.matrix[others] - points.matrix[image]) / points.unit).sum(axis=1))

    doubt = None if points.constant else _Doubt(_ROUNDING * float(lengths.max()), exactly)
    return voted_accuracy(distances, classes, k, doubt)


@dataclass(frozen=True)
class _Doubt:
    """Distances that differ by less than `below` are not told apart, until they are computed `exactly`."""

    below: float
    exactly: Callable[[int, IntArray], FloatArray]  # from one image to some others


def voted_accuracy(
    distances: Callable[[slice], FloatArray], classes: Classes, k: int, doubt: _Doubt | None = None
) -> float:
    """Expected share, in percent, of images that the vote of their `k` neighbors gets right, whatever `distances(rows)`
    `[rows, n]` are; those that are in `doubt` are computed once more.
    """
    codes, n = classes.codes, len(classes.codes)
    rows_at_once = max(1, _BLOCK_ENTRIES // n)
    right = 0.0
    for start in range(0, n, rows_at_once):
        rows = slice(start, min(start + rows_at_once, n))
        apart = distances(rows)
        here = np.arange(len(apart))
        apart[here, start + here] = np.inf  # the image itself
        votes = np.zeros((len(apart), classes.number), dtype=np.int64)
        voters, neighbors = np.nonzero(_nearest(apart, min(k, n - 1), start, doubt))
        np.add.at(votes, (voters, codes[neighbors]), 1)
        leading = votes == votes.max(axis=1, keepdims=True)
        right += float((leading[here, codes[rows]] / leading.sum(axis=1)).sum())
    return 100 * right / n


def _nearest(apart: FloatArray, k: int, start: int, doubt: _Doubt | None) -> npt.NDArray[np.bool_]:
    """True at the k smallest entries of each row, of equal entries at the first ones; row 0 is the image `start`."""
    limit = apart.min(axis=1, keepdims=True) if k == 1 else np.partition(apart, k - 1, axis=1)[:, k - 1 : k]
    below = doubt.below if doubt else 0.0
    chosen = apart <= limit + below
    for row in np.flatnonzero(chosen.sum(axis=1) > k):
        nearer = apart[row] < limit[row] - below
        others = np.flatnonzero(chosen[row] & ~nearer)
        values = doubt.exactly(start + int(row), others) if doubt else apart[row, others]
        chosen[row, others] = _smallest(values, k - int(nearer.sum()))
    return np.asarray(chosen)


def _smallest(values: FloatArray, k: int) -> npt.NDArray[np.bool_]:
    """True at the k smallest of `values`; of equal ones, at the first."""
    limit = np.partition(values, k - 1)[k - 1]
    slack = _TIE * abs(limit)
    chosen = values < limit - slack
    chosen[np.flatnonzero(~chosen & (values <= limit + slack))[: k - int(chosen.sum())]] = True
    return np.asarray(chosen)


KNN = Metric(
    key="knn",
    title="Nearest neighbor",
    summary="How often does the nearest other image in the teacher's features have the same label?",
    labels_per_class=2,
    range="0 to 100; higher is better",
    rule="clip",
    cost="n² d",
    reference="Cover and Hart 1967",
    unit="percent",
    scale=100.0,
    turn=8,
    of_outputs=on_features(knn),
    card=Card(
        r"\frac{100}{n}\sum_i\bigl[y_{\mathrm{nn}(i)}=y_i\bigr]",
        "nn(i): the other labeled image nearest to image i.",
        "Which labeled image is nearest, and nothing else.",
        "Coarse with few labels: one image more or less is 100 ÷ n percent. Yet in one study of 23 scores on 16 data "
        "sets k nearest neighbors predicted best (Sorkhei et al. 2025, arXiv 2503.18528).",
        "Cover, Hart 1967, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 13; as a "
        "score of teachers: Bolya et al. 2021",
    ),
)

METRICS = (KNN,)
