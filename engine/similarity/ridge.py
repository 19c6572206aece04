"""The ridge probe as a metric: how often a linear classifier on the features is right about images it did not see."""

from __future__ import annotations

import numpy as np

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray
from engine.similarity.metric import Card, Metric, on_features
from engine.similarity.points import Classes, Points

FOLDS = 5
# Regularizers that are tried, as multiples of the mean eigenvalue of the features' Gram matrix (ours: few labels and
# many dimensions want a strong one, many labels a weak one).
STRENGTHS = (0.01, 0.1, 1.0, 10.0)


def probe(points: Points, classes: Classes, folds: int = FOLDS, seed: int = 0) -> float:
    """Accuracy of a ridge probe on held-out folds, in percent: 0 to 100, higher is better.

    Stratified cross-validation on the standardized points `[n, d]`: for each fold the one-hot labels of the others
    are regressed on their features, in closed form. The regularizer is the one of `STRENGTHS` with the least squared
    error over all folds. `seed` deals the images of each class to the folds, whatever order they come in. Raises
    TooFewLabelsError if no class has two images, InvalidInputError if there are fewer than two folds.

    >>> points = Points(np.array([[0.0, 1.0], [0.1, 1.0], [0.2, 1.1], [5.0, 1.0], [5.1, 1.1], [5.2, 1.0]]))
    >>> probe(points, Classes(np.array([0, 0, 0, 1, 1, 1])))
    100.0
    """
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


PROBE = Metric(
    key="probe",
    title="Linear probe",
    summary="How often is a linear classifier on the teacher's features right about images that it did not see?",
    labels_per_class=3,
    range="0 to 100; higher is better",
    rule="clip",
    cost="5 (n d² + 5 d³)",
    reference="Hoerl and Kennard 1970",
    unit="percent",
    scale=100.0,
    turn=2,
    of_outputs=on_features(probe),
    card=Card(
        r"\frac{100}{n}\sum_i\bigl[\arg\max_c\,(W_{-i}^\top z_i)_c=y_i\bigr]",
        "W without i: ridge regression on the folds that image i is not in; z: the features, scaled.",
        "What a linear classifier gets right on images that it did not learn from: the closest of all to what is "
        "wanted.",
        "Needs three labels a class and is coarse with few. The strength of the ridge is chosen on the same folds, so "
        "it is a little optimistic. It tests a classifier on frozen features; distillation may rank teachers "
        "differently.",
        "Hoerl, Kennard 1970, Ridge Regression: Biased Estimation for Nonorthogonal Problems, Technometrics 12",
    ),
)

METRICS = (PROBE,)
