"""Linear centered kernel alignment (CKA) of two sets of features, plain and debiased.

References: Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"; Song et al. 2012, "Feature
Selection via Dependence Maximization" (the unbiased estimator of HSIC).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_matrix, encode, require_same_length
from engine.similarity.points import Points

KERNEL_IMAGES = 2_048  # up to here the kernel of a matrix with few columns is cheap enough, if the other one has it
_ROUNDING = 1e-12  # a difference this small, relative to its terms, is 0


def linear_cka(features: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Linear CKA of `features [n, d]` and `other [n, e]`: 0 (unrelated) to 1 (the same up to rotation and scale).

    ||X'Y||^2 / (||X'X|| ||Y'Y||) with centered columns and Frobenius norms. It grows with d / n even for noise:
    `debiased_linear_cka` does not. Raises InvalidInputError if one of the two does not differ between images.

    >>> round(linear_cka([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[0.0, 2.0], [2.0, 0.0], [2.0, 2.0]]), 6)
    1.0
    """
    return cka_of(*_two(features, other))


def cka_of(x: Points, y: Points) -> float:
    """`linear_cka` of points."""
    _require_spread(x, y)
    cross, own_x, own_y = _squared_norm(x, y), _squared_norm(x, x), _squared_norm(y, y)
    return float(cross / np.sqrt(own_x) / np.sqrt(own_y))


def debiased_linear_cka(features: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Linear CKA from the unbiased HSIC: at most 1, about 0 for unrelated features, and then often negative.

    Raises TooFewLabelsError for fewer than 4 images, and InvalidInputError if the features have no spread to compare.

    >>> x = [[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.5]]
    >>> round(debiased_linear_cka(x, x), 6)
    1.0
    """
    return debiased_cka_of(*_two(features, other))


def debiased_cka_of(x: Points, y: Points) -> float:
    """`debiased_linear_cka` of points."""
    _require_spread(x, y)
    if x.n < 4:
        raise TooFewLabelsError(f"The debiased CKA needs 4 images or more, and there are {x.n}: label more images.")
    own_x, own_y = _unbiased_hsic(x, x), _unbiased_hsic(y, y)
    if own_x <= _ROUNDING * _squared_norm(x, x) or own_y <= _ROUNDING * _squared_norm(y, y):
        raise InvalidInputError(
            "The debiased CKA divides by a spread that is not above 0 here: "
            "label several images of each class, and give features that differ."
        )
    return float(_unbiased_hsic(x, y) / np.sqrt(own_x) / np.sqrt(own_y))


def one_hot(labels: IntArray) -> FloatArray:
    """One column per class that occurs, in the order of the ids: `[n, C]`."""
    codes, counts = encode(labels)
    return np.eye(len(counts))[codes]


def _two(features: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Points, Points]:
    x, y = as_matrix(features, "features"), as_matrix(other, "the second matrix")
    require_same_length(features=x, second=y)
    return Points(x), Points(y)


def _require_spread(x: Points, y: Points) -> None:
    for points, name in ((x, "features"), (y, "the second matrix")):
        if points.constant:
            raise InvalidInputError(
                f"CKA needs two matrices that differ between images, and {name} has the same row for all of them."
            )


def _squared_norm(x: Points, y: Points) -> float:
    """||X'Y||^2 in the Frobenius norm, of the centered points in units, which CKA does not notice."""
    if x is y:
        return float(np.square(x.product).sum())
    if x.wide and (y.wide or x.n <= KERNEL_IMAGES):
        return float(np.vdot(x.kernel, y.kernel))
    return float(np.square((x.centered / x.unit).T @ (y.centered / y.unit)).sum())


def _unbiased_hsic(x: Points, y: Points) -> float:
    """n (n - 3) times the unbiased HSIC of two sets of points, both kernels' diagonals set to 0.

    With centered columns each row of a kernel sums to 0, so without its diagonal to -k_ii, and no kernel is formed.
    """
    n = x.n
    of_x, of_y = x.lengths, y.lengths
    both = float(of_x @ of_y)
    product = float(of_x.sum() * of_y.sum())
    return _squared_norm(x, y) - both + product / ((n - 1) * (n - 2)) - 2 / (n - 2) * both
