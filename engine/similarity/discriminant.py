"""SFDA and the nearest class mean: how sure a linear classifier in closed form is of the true class.

References: Shao et al. 2022, "Not All Models Are Equal: Predicting Model Transferability in a Self-challenging Fisher
Space" (SFDA); Gholami et al. 2023, "ETran: Energy-Based Transferability Estimation" (its classification score).
"""

from __future__ import annotations

import numpy as np
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray
from engine.similarity.linear_algebra import compact, softmax, solve_shrunk
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

_POWER_ITERATIONS = 3  # of two products each, as in the authors' estimate of the largest eigenvalue
_SMALLEST_SHRINKAGE = 1e-10
_SMALLEST_SPREAD = 1e-20  # of the total, within classes: the limit that classes without any spread are taken to


def sfda(points: Points, classes: Classes) -> float:
    """SFDA: mean posterior of the true class after the classes were drawn together: 0 to 1, higher is better.

    A regularized Fisher discriminant on points `[n, d]`; each image then moves towards the other classes' means, the
    more the less sure the discriminant was of it, and the discriminant is fitted again. Saturates at 1 when d >= n.
    Raises TooFewLabelsError if only one class occurs, and InvalidInputError for features that are all the same.

    >>> round(sfda(Points(np.array([[0.0], [0.1], [9.0], [9.1]])), Classes(np.array([0, 0, 1, 1]))), 3)
    1.0
    """
    codes, counts = classes.codes, classes.counts
    if len(counts) < 2:
        raise TooFewLabelsError("SFDA needs labeled images of two classes or more, and only one class occurs.")
    if points.constant:
        raise InvalidInputError("SFDA needs features that differ between images, and these are all the same.")
    rows, means = points.rows, classes.means(points.rows)
    shrinkage = _shrinkage(rows - means[codes], points.row_sums - classes.means(points.row_sums)[codes])
    posterior = _posterior(rows, classes, shrinkage, points.d)
    sure = softmax(posterior)[np.arange(len(codes)), codes][:, None]
    elsewhere = (means.sum(axis=0) - means) / (len(counts) - 1)
    challenged = sure * rows + (1 - sure) * elsewhere[codes]
    posterior = _posterior(challenged, classes, shrinkage, points.d)
    return float(posterior[np.arange(len(codes)), codes].mean())


def nearest_class_mean(points: Points, classes: Classes) -> float:
    """Mean posterior of the true class by distance to the class means: 0 to 1, higher is better.

    Softmax over x'm_c - |m_c|^2 / 2 + log(n_c / n): Gaussians with unit variance. Depends on the features' scale.

    >>> points = Points(np.array([[0.0], [0.1], [9.0], [9.1]]))
    >>> round(nearest_class_mean(points, Classes(np.array([0, 0, 1, 1]))), 3)
    1.0
    """
    codes = classes.codes
    if points.wide:  # everything from the kernel: inner products of images with class means, and of those
        inner = classes.means(points.kernel) * points.unit**2
        lengths = np.diagonal(classes.means(inner.T))
    else:
        means = classes.means(points.centered)
        inner, lengths = means @ points.centered.T, np.square(means).sum(axis=1)
    logits = inner.T - lengths / 2 + np.log(classes.counts / points.n)
    return float(softmax(logits)[np.arange(len(codes)), codes].mean())


def _shrinkage(residuals: FloatArray, sums: FloatArray) -> float:
    """exp(-5 x largest eigenvalue of the within-class scatter), at least 1e-10; the eigenvalue by power iteration.

    The iteration begins at the scatter's row sums, which take the `sums [n]` of each residual over its dimensions.
    """
    n = len(residuals)

    def scatter(vector: FloatArray) -> FloatArray:
        return np.asarray(residuals.T @ (residuals @ vector) / n)

    vector = np.asarray(residuals.T @ sums / n)
    length = 0.0
    for _ in range(2 * _POWER_ITERATIONS):
        vector = scatter(vector)
        length = float(np.linalg.norm(vector))
        if length == 0:  # the row sums are orthogonal to the scatter, or there is none: ask for the eigenvalue itself
            length = float(scipy.linalg.svdvals(compact(residuals), check_finite=False)[0] ** 2 / n)
            break
        vector = vector / length
    return max(float(np.exp(-5 * length)), _SMALLEST_SHRINKAGE)


def _posterior(rows: FloatArray, classes: Classes, shrinkage: float, dimensions: int) -> FloatArray:
    """Class posteriors `[n, C]` of a discriminant with a shrunk scatter; `dimensions` are those of the features."""
    n, codes, counts = len(rows), classes.codes, classes.counts
    means = classes.means(rows)
    residuals = rows - means[codes]
    scatter = residuals.T @ residuals / n
    total = float(rows.var(axis=0).sum())
    ridge = max(shrinkage * float(np.trace(scatter)), _SMALLEST_SPREAD * total) / dimensions
    directions = solve_shrunk((1 - shrinkage) * scatter, ridge, means.T)
    logits = rows @ directions - (means * directions.T).sum(axis=1) / 2 + np.log(counts / n)
    return softmax(logits)


SFDA = Metric(
    key="sfda",
    title="SFDA",
    summary="How sure is a linear discriminant of the true class, after the classes were drawn together?",
    labels_per_class=2,
    range="0 to 1; higher is better, saturates at 1 when there are more dimensions than images",
    rule="minmax",
    cost="n d² + d³",
    reference="Shao et al. 2022",
    unit="probability",
    turn=5,
    of_outputs=on_features(sfda),
    card=Card(
        r"\frac1n\sum_i P(y_i\mid \tilde x_i)",
        "x̃: the features after each image was moved towards the other classes; P: a regularized Fisher discriminant.",
        "How sure a linear discriminant is of the true class in a harder version of the task.",
        "Saturates at 1 when there are as many dimensions as images, for every teacher alike. It judges images that it "
        "has learned from.",
        "Shao, Zhao, Ge, Zhang, Yang, Wang, Shan, Luo 2022, Not All Models Are Equal: Predicting Model Transferability "
        "in a Self-challenging Fisher Space, ECCV, arXiv 2207.03036",
    ),
)

NEAREST_CLASS_MEAN = Metric(
    key="nearest_class_mean",
    title="Nearest class mean",
    summary="How sure are the distances to the class means of the true class?",
    range="0 to 1; higher is better",
    rule="minmax",
    cost="n d C",
    reference="Gholami et al. 2023",
    unit="probability",
    of_outputs=on_features(nearest_class_mean),
    card=Card(
        r"\frac1n\sum_i\mathrm{softmax}_c\bigl(x_i^\top m_c-\tfrac12\lVert m_c\rVert^2+\log\pi_c\bigr)_{y_i}",
        "m: the class means; π: the classes' shares.",
        "The distance of each image to the means of the classes, its own included.",
        "It depends on the features' scale: large features make it sure of anything. Each image is part of its own "
        "class's mean, so with few labels it comes near 1.",
        "Gholami, Akbari, Wang, Kamranian, Zhang 2023, ETran: Energy-Based Transferability Estimation, ICCV, arXiv "
        "2308.02027 (what the classification score of their public code comes to)",
    ),
)

METRICS = (SFDA, NEAREST_CLASS_MEAN)
