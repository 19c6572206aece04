"""Linear probes on cached features: from a few labels to class probabilities for every image.

n labeled images, d dimensions, C classes of the task. Both kinds of fit give the same thing, a `FittedProbe`, and the
same arrays give the same probe.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, require_same_length
from engine.similarity.linear_algebra import softmax, standardized
from engine.similarity.ridge import stratified_folds

# Regularizers of the ridge probe, as multiples of the mean eigenvalue of the Gram matrix (ours).
RIDGE_STRENGTHS = tuple(float(10.0**power) for power in np.arange(-3, 3.5, 0.5))
# Temperatures of its softmax: one-hot targets are 1 apart, so 0.05 is sure and 1 is hardly more than a guess (ours).
TEMPERATURES = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
# Taken when no class has two labels, so that nothing can be left out and predicted (ours).
UNTESTED_STRENGTH, UNTESTED_TEMPERATURE = 1.0, 0.2
# Labeled images from which on a ridge probe is fitted in blocks of as many: no second copy of all features is held, and
# time grows with the images, not with a decomposition of them all (ours).
MANY_LABELS = 8_192

# Inverse regularizers of the logistic probe, for features scaled to a mean squared length of 1 (ours).
LOGISTIC_STRENGTHS = (1.0, 10.0, 100.0, 1000.0)
LOGISTIC_FOLDS = 3
LOGISTIC_STEPS = 500


@dataclass(frozen=True)
class FittedProbe:
    """softmax(((features - mean) / scale) @ weight + bias), whatever it was fitted by."""

    mean: FloatArray  # [d]
    scale: FloatArray  # [d]
    weight: FloatArray  # [d, C]
    bias: FloatArray  # [C]; -infinity for a class without a label
    regularizer: float  # what the labels chose, in the unit of the fit that made the probe
    temperature: float = 1.0  # by which weight and bias are divided already

    def predict_proba(self, features: npt.ArrayLike) -> FloatArray:
        """Class probabilities `[n, C]` for `features [n, d]`; rows sum to 1, a class without a label has 0.

        Raises InvalidInputError if the features have another number of dimensions than those of the fit.
        """
        matrix = as_matrix(features, "features")
        if matrix.shape[1] != len(self.mean):
            raise InvalidInputError(
                f"The features have {matrix.shape[1]} dimensions and the probe was fitted on {len(self.mean)}: "
                "use the features of the same teacher."
            )
        return softmax((matrix - self.mean) / self.scale @ self.weight + self.bias)

    def single_precision(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """`predict_proba` of checked features `[n, d]` in float32: the same but for rounding."""
        weight = self.weight / self.scale[:, None]
        bias = self.bias - self.mean @ weight
        return softmax(features @ weight.astype(np.float32) + bias.astype(np.float32))


def fit_ridge(features: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int) -> FittedProbe:
    """Ridge regression of one-hot `labels [n]`, ids 0 ... C-1, on the standardized `features [n, d]`.

    It has a closed form. Regularizer and temperature of the softmax are those with the least log loss when each image
    in turn is left out, which has a closed form too. Raises InvalidInputError if a label is not between 0 and C-1.

    >>> probe = fit_ridge([[0.0, 1.0], [0.2, 1.0], [5.0, 1.1], [5.2, 1.0]], [0, 0, 1, 1], 2)
    >>> probe.predict_proba([[0.1, 1.0], [5.1, 1.0]]).argmax(axis=1).tolist()
    [0, 1]
    """
    matrix, ids, present = _inputs(features, labels, number_of_classes)
    if len(matrix) > MANY_LABELS:
        return _ridge_of_many(matrix, ids, present)
    rows, mean, scale = standardized(matrix)
    targets = np.eye(number_of_classes)[ids]
    level = targets.mean(axis=0)
    left, values, right = np.linalg.svd(rows, full_matrices=False)
    along = left.T @ (targets - level)
    unit = max(float(np.square(values).mean()), np.finfo(np.float64).tiny)
    strength, temperature = _choose_ridge(left, np.square(values) / unit, along, targets, level)
    shrunk = values / (np.square(values) + strength * unit)
    weight = right.T @ (shrunk[:, None] * along) / temperature
    bias = np.where(present, level / temperature, -np.inf)
    return FittedProbe(mean, scale, weight, bias, strength, temperature)


def left_out(features: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int) -> FloatArray:
    """What a ridge probe on all other labeled images says of each: class probabilities `[n, C]`, rows sum to 1.

    By the closed form for leaving one out (Allen 1974), with the regularizer and temperature of `fit_ridge` on all of
    them. Raises as `fit_ridge`.

    >>> zeros, ones = [[0.0, 1.0], [0.1, 1.0], [0.2, 1.0], [0.1, 1.1]], [[5.0, 1.1], [5.2, 1.0], [5.1, 1.0], [5.1, 1.1]]
    >>> said = left_out([*zeros, *ones], [0, 0, 0, 1, 1, 1, 1, 1], 2)
    >>> said.argmax(axis=1).tolist()  # the fourth is labeled as those that it does not look like
    [0, 0, 0, 0, 1, 1, 1, 1]
    """
    matrix, ids, present = _inputs(features, labels, number_of_classes)
    probe = fit_ridge(matrix, ids, number_of_classes)
    rows = (matrix - probe.mean) / probe.scale
    n, d = rows.shape
    products = rows.T @ rows if n > d else rows @ rows.T
    strength = probe.regularizer * max(float(np.trace(products)) / min(n, d), np.finfo(np.float64).tiny)
    inverse = np.linalg.inv(products + strength * np.eye(len(products)))
    spanned = products if n <= d else rows
    leverage = np.full(n, 1 / n)
    for start in range(0, n, MANY_LABELS):
        part = slice(start, start + MANY_LABELS)
        by = inverse[:, part].T if n <= d else rows[part] @ inverse
        leverage[part] += np.einsum("nk,nk->n", spanned[part], by)
    targets = np.eye(number_of_classes)[ids][:, present]
    fitted = (rows @ probe.weight[:, present] + probe.bias[present]) * probe.temperature
    answers = targets - (targets - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
    said = np.zeros((n, number_of_classes))
    said[:, present] = softmax(answers / probe.temperature)
    return said


def fit_logistic(features: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int) -> FittedProbe:
    """Multinomial logistic regression of `labels [n]`, ids 0 ... C-1, on the standardized `features [n, d]`.

    The regularizer is the one with the least log loss in stratified cross-validation; with fewer than two labels in
    every class the strongest is taken. Raises InvalidInputError as `fit_ridge` does, TooFewLabelsError for one class.

    >>> probe = fit_logistic([[0.0, 1.0], [0.2, 1.0], [5.0, 1.1], [5.2, 1.0]], [0, 0, 1, 1], 2)
    >>> probe.predict_proba([[0.1, 1.0], [5.1, 1.0]]).argmax(axis=1).tolist()
    [0, 1]
    """
    matrix, ids, present = _inputs(features, labels, number_of_classes)
    if present.sum() < 2:
        raise TooFewLabelsError("A logistic probe needs labeled images of two classes or more, and only one occurs.")
    rows, mean, scale = standardized(matrix)
    length = max(float(np.sqrt(np.square(rows).sum(axis=1).mean())), np.finfo(np.float64).tiny)
    basis = np.linalg.qr(rows.T)[0] if rows.shape[1] > len(rows) else np.eye(rows.shape[1])
    points = rows @ basis / length  # the penalty is blind to rotation, so the span of the images is enough
    codes = np.searchsorted(np.flatnonzero(present), ids)
    strength = _choose_logistic(points, codes)
    coefficients, intercepts = _logistic(points, codes, strength)
    weight, bias = np.zeros((rows.shape[1], number_of_classes)), np.full(number_of_classes, -np.inf)
    weight[:, present] = basis @ coefficients / length
    bias[present] = intercepts
    return FittedProbe(mean, scale, weight, bias, strength)


def _choose_ridge(
    left: FloatArray, squares: FloatArray, along: FloatArray, targets: FloatArray, level: FloatArray
) -> tuple[float, float]:
    """Strength and temperature with the least log loss over left-out images."""
    present = targets.any(axis=0)
    if targets.sum(axis=0).max() < 2:
        return UNTESTED_STRENGTH, UNTESTED_TEMPERATURE
    best = (np.inf, UNTESTED_STRENGTH, UNTESTED_TEMPERATURE)
    truth = targets[:, present].astype(bool)
    for strength in RIDGE_STRENGTHS:
        answers = _left_out_answers(left, squares / (squares + strength), along, targets, level)[:, present]
        for temperature in TEMPERATURES:
            loss = -float(np.log(np.maximum(softmax(answers / temperature)[truth], 1e-12)).mean())
            best = min(best, (loss, strength, temperature))
    return best[1], best[2]


def _ridge_of_many(matrix: FloatArray, ids: IntArray, present: npt.NDArray[np.bool_]) -> FittedProbe:
    """What `fit_ridge` gives, by the Gram matrix `[d, d]` instead of a decomposition of all images."""
    n = len(matrix)
    parts = [slice(start, start + MANY_LABELS) for start in range(0, n, MANY_LABELS)]
    constant = matrix.max(axis=0) == matrix.min(axis=0)
    mean = np.where(constant, matrix[0], matrix.mean(axis=0))
    deviation = np.sqrt(sum(np.square(matrix[part] - mean).sum(axis=0) for part in parts) / n)
    scale = np.where(deviation > 0, deviation, 1.0)
    level = np.bincount(ids, minlength=len(present)) / n
    gram, cross = np.zeros((len(mean), len(mean))), np.zeros((len(mean), len(level)))
    for part in parts:
        rows = (matrix[part] - mean) / scale
        gram += rows.T @ rows
        cross += rows.T @ (np.eye(len(level))[ids[part]] - level)
    squares, axes = np.linalg.eigh(gram)
    squares, along = np.maximum(squares, 0), axes.T @ cross
    unit = max(float(squares.mean()), np.finfo(np.float64).tiny)
    losses = np.zeros((len(RIDGE_STRENGTHS), len(TEMPERATURES)))
    for part in parts:
        turned, targets = (matrix[part] - mean) / scale @ axes, np.eye(len(level))[ids[part]]
        truth = targets[:, present].astype(bool)
        for i, strength in enumerate(RIDGE_STRENGTHS):
            shrinkage = 1 / (squares + strength * unit)
            answers = _left_out_answers(turned, shrinkage, along, targets, level, images=n)[:, present]
            for j, temperature in enumerate(TEMPERATURES):
                losses[i, j] -= np.log(np.maximum(softmax(answers / temperature)[truth], 1e-12)).sum()
    best = np.unravel_index(losses.argmin(), losses.shape)
    strength, temperature = RIDGE_STRENGTHS[best[0]], TEMPERATURES[best[1]]
    weight = axes @ (along / (squares + strength * unit)[:, None]) / temperature
    return FittedProbe(mean, scale, weight, np.where(present, level / temperature, -np.inf), strength, temperature)


def _left_out_answers(
    left: FloatArray,
    shrinkage: FloatArray,
    along: FloatArray,
    targets: FloatArray,
    level: FloatArray,
    images: int | None = None,
) -> FloatArray:
    """What the regression would say of each image had it been left out: `[n, C]` (Allen 1974, the PRESS residual).

    images: of the whole fit, where these are a part of them.
    """
    fitted = left @ (shrinkage[:, None] * along) + level
    leverage = np.square(left) @ shrinkage + 1 / (images or len(left))
    residual = (targets - fitted) / np.maximum(1 - leverage, 1e-9)[:, None]
    return np.asarray(targets - residual)


def _choose_logistic(points: FloatArray, codes: IntArray) -> float:
    """Inverse regularizer with the least log loss over held-out folds."""
    if np.bincount(codes).max() < 2:
        return LOGISTIC_STRENGTHS[0]
    fold = stratified_folds(codes, LOGISTIC_FOLDS, seed=0)
    losses = np.zeros(len(LOGISTIC_STRENGTHS))
    for held in (fold == number for number in range(int(fold.max()) + 1)):
        known, train = np.unique(codes[~held], return_inverse=True)
        test = held & np.isin(codes, known)
        if len(known) < 2 or not test.any():
            continue
        places = np.searchsorted(known, codes[test])
        for place, strength in enumerate(LOGISTIC_STRENGTHS):
            coefficients, intercepts = _logistic(points[~held], train, strength)
            answers = softmax(points[test] @ coefficients + intercepts)
            losses[place] -= np.log(np.maximum(answers[np.arange(len(places)), places], 1e-12)).sum()
    return LOGISTIC_STRENGTHS[int(losses.argmin())]


def _logistic(points: FloatArray, codes: IntArray, strength: float) -> tuple[FloatArray, FloatArray]:
    """Coefficients `[r, C]` and intercepts `[C]` of a fitted multinomial regression; every code occurs."""
    from sklearn.linear_model import LogisticRegression  # takes a second to load, and ridge probes need none of it

    model = LogisticRegression(C=strength, max_iter=LOGISTIC_STEPS).fit(points, codes)
    if len(model.classes_) == 2:  # scikit-learn keeps one row for two classes: the log odds of the second
        return np.vstack([0 * model.coef_, model.coef_]).T, np.array([0.0, model.intercept_[0]])
    return np.asarray(model.coef_.T), np.asarray(model.intercept_)


def _inputs(
    features: npt.ArrayLike, labels: npt.ArrayLike, number_of_classes: int
) -> tuple[FloatArray, IntArray, npt.NDArray[np.bool_]]:
    matrix, ids = as_matrix(features, "features"), as_labels(labels)
    require_same_length(features=matrix, labels=ids)
    if ids.min() < 0 or ids.max() >= number_of_classes:
        raise InvalidInputError(
            f"Labels run from {ids.min()} to {ids.max()}, and there are {number_of_classes} classes: "
            f"use ids from 0 to {number_of_classes - 1}."
        )
    return matrix, ids, np.bincount(ids, minlength=number_of_classes) > 0
