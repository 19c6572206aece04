"""The ridge probe as a metric: how often a linear classifier on the features is right about images it did not see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.points import Classes, Points, points_and_classes

FOLDS = 5
# Regularizers that are tried, as multiples of the mean eigenvalue of the features' Gram matrix (ours: few labels and
# many dimensions want a strong one, many labels a weak one).
STRENGTHS = (0.01, 0.1, 1.0, 10.0)


def probe(features: npt.ArrayLike, labels: npt.ArrayLike, folds: int = FOLDS, seed: int = 0) -> float:
    """Accuracy of a ridge probe on held-out folds, in percent: 0 to 100, higher is better.

    Stratified cross-validation on the standardized `features [n, d]`: for each fold the one-hot labels of the others
    are regressed on their features, in closed form. The regularizer is the one of `STRENGTHS` with the least squared
    error over all folds. `seed` deals the images of each class to the folds, whatever order they come in. Raises
    TooFewLabelsError if no class has two images, InvalidInputError if there are fewer than two folds.

    >>> probe([[0.0, 1.0], [0.1, 1.0], [0.2, 1.1], [5.0, 1.0], [5.1, 1.1], [5.2, 1.0]], [0, 0, 0, 1, 1, 1])
    100.0
    """
    return probe_of(*points_and_classes(features, labels), folds, seed)


def probe_of(points: Points, classes: Classes, folds: int = FOLDS, seed: int = 0) -> float:
    """`probe` of points."""
    codes = classes.codes
    if classes.counts.max() < 2:
        raise TooFewLabelsError(
            "The probe learns from some images of a class and is tested on others: label 2 or more."
        )
    standard = points.standard
    if standard.constant:
        raise InvalidInputError("The probe needs features that differ between images, and these are all the same.")
    # Different images of one sum, as of whole numbers or probabilities, are told apart by the second sum.
    in_any_order = np.lexsort((points.matrix @ np.cos(np.arange(points.d)), points.matrix.sum(axis=1)))
    fold = np.empty(len(codes), dtype=np.int64)
    fold[in_any_order] = stratified_folds(codes[in_any_order], folds, seed)
    left, squares = standard.spectrum.left_vectors(), np.square(standard.spectrum.values)
    average = float(squares.sum()) / min(points.n, points.d)
    targets = np.eye(classes.number)[codes]
    errors, right = _outcomes(left, squares / (squares + np.array(STRENGTHS)[:, None] * average), targets, fold)
    return 100 * float(right[errors.argmin()]) / points.n


def stratified_folds(codes: IntArray, folds: int, seed: int) -> IntArray:
    """A fold 0 ... `folds` - 1 for each image `[n]`: classes spread evenly over folds, folds alike in size.

    There are at most n folds. Raises InvalidInputError for fewer than two.
    """
    if folds < 2:
        raise InvalidInputError(f"The number of folds is {folds}: give 2 or more.")
    shuffled = np.random.default_rng(seed).permutation(len(codes))
    _, first, group = np.unique(codes[shuffled], return_index=True, return_inverse=True)
    by_class = shuffled[np.argsort(first[group], kind="stable")]  # classes as they come, whatever their ids
    fold = np.empty(len(codes), dtype=np.int64)
    fold[by_class] = np.arange(len(codes)) % min(folds, len(codes))
    return fold


def _outcomes(
    left: FloatArray, shrinkage: FloatArray, targets: FloatArray, fold: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Squared error and number of right answers over folds left out one by one, for each regularizer: `[strengths]`.

    `left [n, r]` are the left singular vectors of the centered rows, so the regression on all rows fits H y with
    H = 1/n + left diag(`shrinkage [strengths, r]`) left'. What it says of fold F without having seen it follows from H
    alone: y_F - (1 - H_FF)^-1 (y_F - (H y)_F), as for a single image (Allen 1974).
    """
    errors, right, n = np.zeros(len(shrinkage)), np.zeros(len(shrinkage)), len(left)
    along, level = left.T @ targets, targets.mean(axis=0)
    for held in (np.flatnonzero(fold == number) for number in range(int(fold.max()) + 1)):
        own, known = left[held], targets[held]
        for place, shares in enumerate(shrinkage):
            weighted = own * np.sqrt(shares)
            keeping = np.eye(len(held)) - weighted @ weighted.T - 1 / n
            missed = np.linalg.solve(keeping, known - level - own @ (shares[:, None] * along))
            errors[place] += np.vdot(missed, missed)
            right[place] += known[np.arange(len(held)), (known - missed).argmax(axis=1)].sum()
    return errors, right
