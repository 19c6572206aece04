"""What all teachers together say of every image, in the task's own classes: an ensemble of probes, then label
propagation over the images' nearest neighbors.

n images of the training split, of which m have a label; C classes of the task; d dimensions of a teacher's features.
This is ours, beside the paper: its pseudo-labels are over the teachers' classes, these are over the task's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts load when they are first used

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray
from engine.probes import fit_ridge
from engine.similarity.linear_algebra import centered

# An edge weighs the cosine of its two images to this power, as in Iscen et al. 2019, section 4.1.
EDGE_POWER = 3
ROUNDS = 50  # at a propagation of .9 what is left after these is below .6 %


@dataclass(frozen=True)
class Ensemble:
    """How the teachers' probes become one consensus. The defaults were chosen on the development tasks, never on a
    target.

    Raises InvalidInputError for a value with which there is no consensus, naming the field.
    """

    sharpness: float = 2.0  # exponent on probabilities, before and after propagation; 1 leaves them as they are
    neighbors: int = 10  # edges that an image has at least; 0: nothing is propagated
    # Share of what is said of an image that comes from its neighbors; with 1 nothing would be its own.
    propagation: float = 0.8

    def __post_init__(self) -> None:
        if not (_is_number(self.sharpness) and 0 < self.sharpness < math.inf):
            raise InvalidInputError(f"sharpness is {self.sharpness!r}: choose a number above 0.")
        if not (isinstance(self.neighbors, int) and _is_number(self.neighbors) and self.neighbors >= 0):
            raise InvalidInputError(f"neighbors is {self.neighbors!r}: choose a whole number from 0 up.")
        if not (_is_number(self.propagation) and 0 <= self.propagation < 1):
            raise InvalidInputError(f"propagation is {self.propagation!r}: choose a number from 0 to below 1.")


def consensus(
    features: Mapping[str, npt.NDArray[np.float32]],
    alpha: Mapping[str, float],
    labeled: npt.NDArray[np.int64],
    labels: npt.NDArray[np.int64],
    classes: int,
    how: Ensemble | None = None,
) -> npt.NDArray[np.float32]:
    """Class probabilities `[n, C]` of every image; rows sum to 1.

    features: `[n, d_s]` by teacher. alpha: each teacher's weight; they sum to 1. labeled: positions `[m]` of the images
    whose `labels [m]` may be used; nothing else is known of any image.

    First a ridge probe on each teacher's features (`engine.probes`), averaged with `alpha`; then label propagation
    (Zhou et al. 2004) over the graph of nearest neighbors in all teachers' features at once, from those probabilities
    and the labels. Raises InvalidInputError if there is no teacher or no label, or if the arrays differ in length.
    """
    how = how or Ensemble()
    _check(features, alpha, labeled, labels)
    probabilities = sharpen(_probes(features, alpha, labeled, labels, classes), how.sharpness)
    probabilities[labeled] = np.eye(classes)[labels]
    if how.neighbors > 0 and len(probabilities) > 1:
        joint = joint_features(features, alpha)
        probabilities = _propagate(_graph(joint, min(how.neighbors, len(joint) - 1)), probabilities, how.propagation)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        probabilities = sharpen(probabilities, how.sharpness)
    return probabilities.astype(np.float32)


def sharpen(probabilities: FloatArray, exponent: float) -> FloatArray:
    """Probabilities `[n, C]` to a power, renormalized: above 1 they become surer, at 1 they stay."""
    # Each row is first scaled to a largest entry of about 1, so that no power makes all of it 0.
    scale = np.frexp(probabilities.max(axis=1, keepdims=True))[1]  # powers of two, which change no digit
    powered = np.power(np.ldexp(probabilities, -scale), exponent)
    return np.asarray(powered / powered.sum(axis=1, keepdims=True))


def joint_features(
    features: Mapping[str, npt.NDArray[np.float32]], alpha: Mapping[str, float]
) -> npt.NDArray[np.float32]:
    """All teachers' features side by side `[n, Σ d_s]`, in which a product of rows is Σ_s α_s · cosine in teacher s.

    Each teacher's features are centered first. An image on a teacher's mean has no direction there and adds 0.
    """
    parts = []
    for name in sorted(alpha):
        rows = centered(features[name])
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        parts.append(np.sqrt(alpha[name]) * rows / np.maximum(length, np.finfo(np.float32).tiny))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _probes(
    features: Mapping[str, npt.NDArray[np.float32]],
    alpha: Mapping[str, float],
    labeled: IntArray,
    labels: IntArray,
    classes: int,
) -> FloatArray:
    mean = np.zeros((len(next(iter(features.values()))), classes))
    for name in sorted(alpha):
        probe = fit_ridge(features[name][labeled], labels, classes)
        mean += alpha[name] * probe.predict_proba(features[name])
    return mean


def _graph(joint: npt.NDArray[np.float32], neighbors: int) -> scipy.sparse.csr_matrix:
    """Symmetric nearest-neighbor graph `[n, n]`, normalized by the root of both ends' degrees.

    The search is exact and done in blocks, so memory grows with n, not with its square.
    """
    from sklearn.neighbors import NearestNeighbors  # scikit-learn takes a second to load: most runs need none of it

    n = len(joint)
    place = NearestNeighbors(n_neighbors=neighbors, algorithm="brute").fit(joint).kneighbors(return_distance=False)
    cosine = np.stack([np.einsum("nd,nd->n", joint, joint[ends]) for ends in place.T], axis=1)
    cosine = np.maximum(cosine.astype(np.float64), 0)
    edges = (np.power(cosine, EDGE_POWER).ravel(), (np.repeat(np.arange(n), neighbors), place.ravel()))
    one_way = scipy.sparse.csr_matrix(edges, shape=(n, n))
    both = one_way.maximum(one_way.T)
    scale = scipy.sparse.diags(1 / np.sqrt(np.maximum(np.asarray(both.sum(axis=1)).ravel(), np.finfo(np.float64).tiny)))
    return scipy.sparse.csr_matrix(scale @ both @ scale)


def _propagate(graph: scipy.sparse.csr_matrix, probabilities: FloatArray, share: float) -> FloatArray:
    """Zhou et al. 2004, equation 3: each round mixes the neighbors' probabilities with an image's own first ones."""
    current = probabilities
    for _ in range(ROUNDS):
        current = share * (graph @ current) + (1 - share) * probabilities
    return np.asarray(current)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check(
    features: Mapping[str, npt.NDArray[np.float32]], alpha: Mapping[str, float], labeled: IntArray, labels: IntArray
) -> None:
    if not alpha:
        raise InvalidInputError("A consensus needs at least one teacher with a weight above 0: choose one.")
    if missing := sorted(set(alpha) - set(features)):
        raise InvalidInputError(f"Teacher {missing[0]!r} has a weight and no features: extract them first.")
    if len({len(features[name]) for name in alpha}) > 1:
        raise InvalidInputError("The teachers' features cover different numbers of images: extract them again.")
    if not len(labeled) or len(labeled) != len(labels):
        raise InvalidInputError(
            f"A consensus needs one label for each labeled image: there are {len(labeled)} images and "
            f"{len(labels)} labels."
        )
