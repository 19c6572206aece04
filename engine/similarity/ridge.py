"""The ridge probe as a metric: how often a linear classifier on the features is right about images it did not see."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import linalg

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, encode, require_same_length
from engine.similarity.linear_algebra import compact, standardized

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
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    codes, counts = encode(ids)
    if counts.max() < 2:
        raise TooFewLabelsError(
            "The probe learns from some images of a class and is tested on others: label 2 or more."
        )
    rows = compact(standardized(matrix)[0])
    if not rows.any():
        raise InvalidInputError("The probe needs features that differ between images, and these are all the same.")
    in_any_order = np.argsort(matrix.sum(axis=1), kind="stable")
    fold = np.empty(len(codes), dtype=np.int64)
    fold[in_any_order] = stratified_folds(codes[in_any_order], folds, seed)
    gram, targets = rows.T @ rows, np.eye(len(counts))[codes]
    outcomes = [_fold_outcome(rows, targets, gram, fold == held) for held in range(int(fold.max()) + 1)]
    errors, right = np.sum(outcomes, axis=0)
    return 100 * float(right[errors.argmin()]) / len(ids)


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


def _fold_outcome(
    rows: FloatArray, targets: FloatArray, gram: FloatArray, held: npt.NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Squared error and number of right answers on the `held` images, for each regularizer: `[strengths]` each.

    `gram` is X'X of all rows, from which the held rows are taken out: cheaper than adding up the others.
    """
    test, count = rows[held], int((~held).sum())
    mean, level = rows[~held].mean(axis=0), targets[~held].mean(axis=0)
    gram = gram - test.T @ test - count * np.outer(mean, mean)
    cross = rows[~held].T @ (targets[~held] - level)
    errors, right = np.empty(len(STRENGTHS)), np.empty(len(STRENGTHS))
    scale = max(float(np.trace(gram)) / len(gram), np.finfo(np.float64).tiny)
    for place, strength in enumerate(STRENGTHS):
        factor = linalg.cho_factor(gram + strength * scale * np.eye(len(gram)), lower=True, check_finite=False)
        answers = (test - mean) @ linalg.cho_solve(factor, cross, check_finite=False) + level
        errors[place] = np.square(answers - targets[held]).sum()
        right[place] = targets[held][np.arange(len(test)), answers.argmax(axis=1)].sum()
    return errors, right
