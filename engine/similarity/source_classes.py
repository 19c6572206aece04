"""Metrics on the teacher's own classes: NCE, LEEP and NLEEP ask how well they tell the task's classes apart.

References: Tran et al. 2019, "Transferability and Hardness of Supervised Classification Tasks" (NCE); Nguyen et al.
2020, "LEEP: A New Measure to Evaluate Transferability of Learned Representations"; Li et al. 2021, "Ranking Neural
Checkpoints" (NLEEP).
"""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_labels, as_matrix, as_probabilities, require_same_length
from engine.similarity.linear_algebra import fixed_signs
from engine.similarity.points import Classes, Points

MIXTURE_DIMENSIONS = 64  # at most; the first axes hold nearly all the variance of pooled features
MIXTURE_ENERGY = 0.8  # share of the variance kept, as in Li et al. 2021
MIXTURE_PARTS_PER_CLASS = 5  # as in Li et al. 2021, as long as there are four images a part
_MIXTURE_FLOOR = 1e-3  # added to each variance, of a total of 1 (ours: keeps parts with few images from collapsing)


def nce(pseudo_labels: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """NCE: minus the entropy of the label given the teacher's top class: at most 0, higher is better.

    z = argmax of `pseudo_labels [n, Z]`; mean over the images of log P(label | z), from counts (natural logarithm).

    >>> nce([[0.9, 0.1], [0.2, 0.8]], [0, 1])
    0.0
    """
    return nce_of(*_inputs(pseudo_labels, labels))


def nce_of(theta: FloatArray, classes: Classes) -> float:
    """`nce` of checked pseudo-labels."""
    joint = np.zeros((classes.number, theta.shape[1]))
    np.add.at(joint, (classes.codes, theta.argmax(axis=1)), 1)
    occurring = joint > 0
    share = np.divide(joint, joint.sum(axis=0), out=np.ones_like(joint), where=occurring)
    return float((joint * np.log(share)).sum() / len(theta)) + 0.0


def leep(pseudo_labels: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """LEEP: log likelihood of the labels if each were drawn from the teacher's classes: at most 0, higher is better.

    P(y | z) from the summed `pseudo_labels [n, Z]`; mean over the images of log sum_z P(label | z) pseudo_label_z. A
    teacher's class that never fires contributes nothing.

    >>> leep([[1.0, 0.0], [0.0, 1.0]], [0, 1])
    0.0
    """
    return leep_of(*_inputs(pseudo_labels, labels))


def leep_of(theta: FloatArray, classes: Classes) -> float:
    """`leep` of checked pseudo-labels."""
    joint = classes.sums(theta)
    total = joint.sum(axis=0)
    conditional = np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)
    likelihood = np.einsum("nz,nz->n", theta, conditional[classes.codes])
    return float(np.log(np.minimum(likelihood, 1.0)).mean()) + 0.0


def nleep(features: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0) -> float:
    """NLEEP: LEEP with groups found in `features [n, d]` as source classes: at most 0, higher is better.

    The groups are the parts of a Gaussian mixture. Works for a teacher without classes. Depends on the mixture's `seed`
    by about .1 either way, and not on the order of the images.

    >>> points = [[0.0, 0.0], [0.1, 0.0], [9.0, 9.0], [9.1, 9.0]]
    >>> round(nleep(points, [0, 0, 1, 1]), 3) + 0.0
    0.0
    """
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    return leep(mixture_responsibilities(matrix, len(np.unique(ids)), seed), ids)


def mixture_responsibilities(features: npt.ArrayLike, number_of_classes: int, seed: int = 0) -> FloatArray:
    """Share `[n, V]` of each part of a Gaussian mixture in each image of `features [n, d]`; rows sum to 1.

    The mixture has diagonal covariances and lives on the principal axes that hold 80 % of the variance. V is 5 parts a
    class, but at most one for four images and at least one a class. Raises InvalidInputError for constant features.
    """
    return mixture_shares(Points(as_matrix(features, "features")), number_of_classes, seed)


def mixture_shares(features: Points, number_of_classes: int, seed: int = 0) -> FloatArray:
    """`mixture_responsibilities` of points."""
    from sklearn.exceptions import ConvergenceWarning  # takes a second to load, and no other metric needs it
    from sklearn.mixture import GaussianMixture

    points = _mixture_points(features)
    order = np.lexsort(np.round(points[:, ::-1], 9).T)
    parts = min(max(min(MIXTURE_PARTS_PER_CLASS * number_of_classes, len(points) // 4), number_of_classes), len(points))
    mixture = GaussianMixture(parts, covariance_type="diag", reg_covar=_MIXTURE_FLOOR, random_state=seed)
    responsibilities = np.empty((len(points), parts))
    with warnings.catch_warnings():
        # Fewer distinct images than parts, or one step short of convergence: the shares are right all the same.
        warnings.simplefilter("ignore", ConvergenceWarning)
        responsibilities[order] = mixture.fit(points[order]).predict_proba(points[order])
    return responsibilities


def _mixture_points(points: Points) -> FloatArray:
    """Principal scores that hold `MIXTURE_ENERGY` of the variance, scaled to a total variance of 1."""
    if points.constant:
        raise InvalidInputError("NLEEP needs features that differ between images, and these are all the same.")
    deviation = points.unit * np.sqrt(points.lengths.sum() / points.n)
    scores = fixed_signs(points.principal(MIXTURE_DIMENSIONS)) / deviation
    held = np.cumsum(scores.var(axis=0))
    return np.asarray(scores[:, : int(np.searchsorted(held, MIXTURE_ENERGY)) + 1])


def _inputs(pseudo_labels: npt.ArrayLike, labels: npt.ArrayLike) -> tuple[FloatArray, Classes]:
    theta, ids = as_probabilities(pseudo_labels), as_labels(labels)
    require_same_length(pseudo_labels=theta, labels=ids)
    return theta, Classes(ids)
