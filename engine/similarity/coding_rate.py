"""TransRate: how many more nats it takes to code the features of all classes together than class by class.

Reference: Huang et al. 2022, "Frustratingly Easy Transferability Estimation".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy  # its parts load when they are first used

from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

DISTORTION = 1e-4  # epsilon: the squared error that the code may make
_GRAM_LIMIT = 1e8  # up to here rounding in the Gram matrix stays below 1e-8 of the distortion


def transrate(points: Points, classes: Classes) -> float:
    """TransRate: at least 0, in nats, no fixed upper end; higher is better. Grows with the scale of the features.

    R(Z) - sum_c (n_c / n) R(Z_c) with R(Z) = 1/2 sum log(1 + s^2 / (n epsilon)) over the singular values s of the
    points `[n, d]`, centered once, epsilon = 1e-4.

    >>> points = Points(np.array([[0.0, 1.0], [0.0, 1.0], [0.0, -1.0], [0.0, -1.0]]))
    >>> round(transrate(points, Classes(np.array([0, 1, 0, 1]))), 6) + 0.0
    0.0
    """
    if points.constant:
        return 0.0
    scale = DISTORTION / points.unit**2  # of the points in units
    whole = _rate(points.product[None], points.n * scale, lambda: [points.rows / points.unit])[0]
    within = 0.0
    for size, members in classes.by_size():
        within += size / points.n * float(_class_rates(points, size, members, scale).sum())
    return max(float(whole) - within, 0.0)


def _class_rates(points: Points, size: int, members: IntArray, scale: float) -> FloatArray:
    """R of each class of one size, `[classes]`, from the kernel of its images or, with many of them, their Gram matrix.

    The points stay centered as a whole.
    """

    def rows_of_classes() -> list[FloatArray]:
        return [points.rows[rows] / points.unit for rows in members]

    if points.wide:
        products = points.kernel[members[:, :, None], members[:, None, :]]
    elif size <= points.d:
        products = np.array([rows @ rows.T for rows in rows_of_classes()])
    else:
        products = np.array([rows.T @ rows for rows in rows_of_classes()])
    return _rate(products, size * scale, rows_of_classes)


def _rate(products: FloatArray, scale: float, rows: Callable[[], list[FloatArray]]) -> FloatArray:
    """1/2 sum log(1 + s^2 / scale) for each of `products [k, m, m]`, as 1/2 log det(1 + product / scale) while that is
    exact enough, else from the singular values s of the `rows` that they are products of.
    """
    if np.trace(products, axis1=1, axis2=2).max() < _GRAM_LIMIT * scale:
        factors = np.linalg.cholesky(products / scale + np.eye(products.shape[1]))
        return np.asarray(np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1))
    squares = [np.square(scipy.linalg.svdvals(one, check_finite=False)) for one in rows()]
    return np.array([0.5 * float(np.log1p(found / scale).sum()) for found in squares])


TRANSRATE = Metric(
    key="transrate",
    title="TransRate",
    summary="How much shorter does a code for the features get once the class is known?",
    range="at least 0; higher is better, grows with the features' scale",
    rule="minmax",
    cost="n d² + d³",
    reference="Huang et al. 2022",
    unit="nats",
    of_outputs=on_features(transrate),
    card=Card(
        r"R(Z)-\sum_c\tfrac{n_c}{n}R(Z_c),\qquad R(Z)=\tfrac12\log\det\bigl(I+\tfrac1{n\varepsilon}ZZ^\top\bigr)",
        "Z: the features, centered; ε = 0.0001: the squared error that a code may make in each dimension.",
        "How many nats an image it saves to know the class when the features are written down.",
        "Where classes have fewer images than dimensions, as with few labels, it grows with the scale of the features "
        "and with their number, in which teachers differ for no reason that matters: do not rank teachers of different "
        "makers by it.",
        "Huang, Huang, Rong, Yang, Wei 2022, Frustratingly Easy Transferability Estimation, ICML, arXiv 2106.09362; "
        "public programs weigh all classes alike, and only with classes of equal size come to the same",
    ),
)

METRICS = (TRANSRATE,)
