"""H-score: how much of the features' variation the classes explain, plain and regularized.

References: Bao et al. 2019, "An Information-Theoretic Approach to Transferability in Task Transfer Learning"; Ibrahim
et al. 2022, "Newer is not always better: Rethinking transferability metrics"; Ledoit and Wolf 2004, "A
well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

import numpy as np

from engine.errors import InvalidInputError
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

_NEGLIGIBLE = 1e-6  # singular values below this share of the largest are rounding, not features


def h_score(points: Points, classes: Classes) -> float:
    """H-score: 0 (classes explain nothing) to C - 1 (they lie in the features' span); higher is better.

    tr(P_X P_Y), the projections onto the centered features `[n, d]` and onto the class indicators. Says nothing once
    the features have rank n - 1, where it is always C - 1. Raises InvalidInputError for features that are all the same.

    >>> points = Points(np.array([[0.0, 1.0], [0.0, 2.0], [5.0, 1.0], [5.0, 2.0]]))
    >>> round(h_score(points, Classes(np.array([0, 0, 1, 1]))), 6)
    1.0
    """
    _require_spread(points, "The H-score")
    spectrum = points.spectrum
    kept = spectrum.values >= _NEGLIGIBLE * spectrum.values[0]
    return float((np.square(spectrum.class_sums(classes)[:, kept]) / classes.counts[:, None]).sum())


def regularized_h_score(points: Points, classes: Classes) -> float:
    """H-score with a shrunk covariance, which stays meaningful when d is near or above n: at least 0, higher is better.

    (1 - a) tr(S_a^-1 cov(E[features | label])), S_a the Ledoit-Wolf covariance with shrinkage a. Raises
    InvalidInputError for features that are all the same.

    >>> points = Points(np.array([[0.0, 1.0], [0.1, 2.0], [5.0, 1.0], [5.1, 2.0]]))
    >>> fitting, other = Classes(np.array([0, 0, 1, 1])), Classes(np.array([0, 1, 0, 1]))
    >>> regularized_h_score(points, fitting) > regularized_h_score(points, other)
    True
    """
    _require_spread(points, "The regularized H-score")
    n = points.n
    average = float(points.lengths.sum()) / n / points.d
    shrinkage = _ledoit_wolf(points, average)
    values, vectors = points.eigen
    values = np.maximum(values, 0)
    shrunk = (1 - shrinkage) * values / n + shrinkage * average
    kept = shrunk > np.finfo(np.float64).eps * len(shrunk) * shrunk.max()
    if points.wide:
        along = np.square(classes.means(vectors[:, kept])) * values[kept]
    else:
        along = np.square(classes.means(points.centered / points.unit) @ vectors[:, kept])
    return float((1 - shrinkage) * (classes.counts @ (along / shrunk[kept]).sum(axis=1)) / (n - 1))


def _ledoit_wolf(points: Points, average: float) -> float:
    """Ledoit-Wolf shrinkage, 0 to 1, of the 1/n covariance of points in units to `average` times the identity."""
    n, d = points.n, points.d
    size = float(np.square(points.product).sum()) / n**2
    distance = size - d * average**2
    noise = (float(np.square(points.lengths).mean()) - size) / n
    if distance <= 0 or d == 1:
        return 0.0
    return min(max(noise, 0.0) / distance, 1.0)


def _require_spread(points: Points, metric: str) -> None:
    if points.constant:
        raise InvalidInputError(f"{metric} needs features that differ between images, and these are all the same.")


H_SCORE = Metric(
    key="h_score",
    title="H-score",
    summary="How much of the features' variation do the classes explain?",
    range="0 to C - 1; higher is better, always C - 1 when there are more dimensions than images",
    rule="minmax",
    cost="n d² + d³",
    reference="Bao et al. 2019",
    unit="explained directions",
    turn=6,
    of_outputs=on_features(h_score),
    card=Card(
        r"\mathrm{tr}\bigl(\mathrm{cov}(f)^{-1}\,\mathrm{cov}(\mathbb E[f\mid y])\bigr)",
        "f: the features; E[f | y]: the class means.",
        "The share of variation between classes, each direction counted alike however small it is.",
        "With more dimensions than images it is C − 1 for every teacher and says nothing at all.",
        "Bao, Li, Huang, Zhang, Zheng, Zamir, Guibas 2019, An Information-Theoretic Approach to Transferability in "
        "Task Transfer Learning, ICIP, arXiv 2212.10082",
    ),
)

REGULARIZED_H_SCORE = Metric(
    key="regularized_h_score",
    title="H-score, regularized",
    summary="The H-score with a covariance that few images can carry.",
    range="at least 0; higher is better",
    rule="minmax",
    cost="n d² + d³",
    reference="Ibrahim et al. 2022",
    unit="explained directions",
    of_outputs=on_features(regularized_h_score),
    card=Card(
        r"(1-a)\,\mathrm{tr}\bigl(\Sigma_a^{-1}\,\mathrm{cov}(\mathbb E[f\mid y])\bigr)",
        "Σ with subscript a: the covariance shrunk by a towards a multiple of the identity (Ledoit and Wolf).",
        "As the H-score, with small directions held back.",
        "With fewer images than dimensions the shrinkage decides much of it; values come close to C − 1 and close "
        "together, those of noise too.",
        "Ibrahim, Ponomareva, Mazumder 2022, Newer is not always better: Rethinking transferability metrics, their "
        "peculiarities, stability and performance, ECML PKDD, arXiv 2110.06893",
    ),
)

METRICS = (H_SCORE, REGULARIZED_H_SCORE)
