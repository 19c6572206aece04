"""Decisions where some errors cost more than others. Arrays only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_matrix, as_probabilities, require_range


def ordered_costs(classes: int) -> FloatArray:
    """The costs `[C, C]` of classes that have an order, such as grades: by how many steps a decision is off.

    >>> ordered_costs(3).tolist()
    [[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]
    """
    numbers = np.arange(classes, dtype=np.float64)
    return np.asarray(np.abs(numbers[:, None] - numbers[None, :]))


def least_cost_classes(probabilities: npt.ArrayLike, costs: npt.ArrayLike) -> IntArray:
    """The class `[n]` of the lowest expected cost of each image, given `probabilities [n, C]` (Elkan 2001, equation 1).

    costs: `[C, C]`, of deciding for column j when row i is true. Raises InvalidInputError for another shape.

    >>> least_cost_classes([[0.4, 0.25, 0.35]], ordered_costs(3)).tolist()
    [1]
    """
    scores, table = as_probabilities(probabilities, "probabilities"), as_matrix(costs, "costs")
    if table.shape != (scores.shape[1],) * 2:
        raise InvalidInputError(
            f"The costs have shape {table.shape} for {scores.shape[1]} classes: give a row and a column for each class."
        )
    return np.asarray((scores @ table).argmin(axis=1), dtype=np.int64)


def mean_cost(decided: npt.ArrayLike, labels: npt.ArrayLike, costs: npt.ArrayLike) -> float:
    """Mean over the images of what deciding for class `decided [n]` cost, given `labels [n]` and `costs [C, C]`.

    >>> mean_cost([0, 2], [1, 2], ordered_costs(3))
    0.5
    """
    table = as_matrix(costs, "costs")
    guesses, truth = as_labels(decided, "decided"), as_labels(labels)
    for found in (guesses, truth):
        require_range(found, len(table))
    return float(table[truth, guesses].mean())
