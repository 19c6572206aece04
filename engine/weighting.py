"""What alpha is: from the similarities of the teachers to their shares of the distillation loss.

    alpha = softmax(p log e), that is  alpha_s = e_s^p / sum_k e_k^p,  with e the similarities made non-negative

p = 0 is DistillEqual, p = infinity DistillNearest, anything between DistillWeighted(p) (Borup, Phoo, Hariharan 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_vector

Rule: TypeAlias = Literal["clip", "minmax"]

SMALLEST_SHARE = 1e-3  # heads with less teach nothing that could be measured, and cost the same


def weights(similarities: npt.ArrayLike, p: float, rule: Rule) -> FloatArray:
    """Shares alpha `[S]` of S teachers, at least 0, summing to 1, from their `similarities [S]` (higher is better).

    `rule` makes the similarities non-negative: "clip" at 0, or "minmax" over these teachers. `p` >= 0: at p = 0 every
    teacher has the same share, those with similarity 0 too; at `math.inf` the best has all, and ties share; between, a
    teacher with non-negative similarity 0 has none. When `ranking_possible` is False all shares are equal. Computed
    from logarithms, so no p overflows. Raises InvalidInputError for a similarity that is not finite, a p that is
    negative or NaN, or an unknown rule.

    >>> weights([1.0, 3.0, -2.0], 1, "clip").tolist()
    [0.25, 0.75, 0.0]
    >>> weights([1.0, 3.0, -2.0], math.inf, "clip").tolist()
    [0.0, 1.0, 0.0]
    >>> weights([1.0, 3.0, -2.0], 0, "clip").tolist() == [1 / 3] * 3
    True
    """
    if math.isnan(p) or p < 0:
        raise InvalidInputError(f"p is {p}: give 0 (equal shares) or more, up to infinity (the nearest teacher alone).")
    strength = _non_negative(similarities, rule)
    count = len(strength)
    if p == 0 or not (strength > 0).any():
        return np.full(count, 1 / count)
    if math.isinf(p):
        nearest = strength == strength.max()
        return np.asarray(nearest / nearest.sum())
    with np.errstate(divide="ignore", over="ignore"):  # log 0 is -infinity, and a share of 0 is meant
        logits = p * (np.log(strength) - np.log(strength.max()))
    shares = np.exp(logits)
    return np.asarray(shares / shares.sum())


def ranking_possible(similarities: npt.ArrayLike, rule: Rule) -> bool:
    """Whether the `similarities [S]` prefer any teacher: False when none is above 0 after `rule`.

    Under "clip" that is when none is positive; under "minmax" when all are the same. Raises InvalidInputError as
    `weights` does.

    >>> ranking_possible([-3.0, 0.0], "clip"), ranking_possible([-3.0, 0.0], "minmax")
    (False, True)
    """
    return bool((_non_negative(similarities, rule) > 0).any())


def effective_number(alpha: npt.ArrayLike) -> float:
    """Effective number of teachers, exp(entropy of `alpha [S]`): from 1 (one has all) to S (equal shares).

    Raises InvalidInputError if `alpha` is negative somewhere or does not sum to 1.

    >>> effective_number([0.5, 0.5, 0.0]), effective_number([0.0, 1.0])
    (2.0, 1.0)
    """
    shares = _shares(alpha)
    positive = shares[shares > 0]
    return round(float(np.exp(-(positive * np.log(positive)).sum())), 12)


def active(alpha: npt.ArrayLike, floor: float = SMALLEST_SHARE) -> FloatArray:
    """`alpha [S]` with shares below `floor` set to 0 and the rest scaled to sum to 1.

    If no share reaches the floor (more than 1,000 teachers alike) the largest ones stay. Raises InvalidInputError as
    `effective_number` does, and for a floor outside 0 ... 1.

    >>> active([0.9995, 0.0005]).tolist()
    [1.0, 0.0]
    """
    if not 0 <= floor <= 1:
        raise InvalidInputError(
            f"The floor for a share is {floor}: give a number from 0 to 1, such as {SMALLEST_SHARE}."
        )
    shares = _shares(alpha)
    kept = np.where(shares >= min(floor, float(shares.max())), shares, 0.0)
    return np.asarray(kept / kept.sum())


def normalized(shares: Mapping[str, float]) -> dict[str, float]:
    """Weights set by hand, scaled to sum to 1. Raises InvalidInputError unless all are 0 or more and one is above 0.

    >>> normalized({"a": 1, "b": 3, "c": 0})
    {'a': 0.25, 'b': 0.75, 'c': 0.0}
    """
    values = as_vector(list(shares.values()), "shares")
    if values.min() < 0 or not values.max() > 0:
        raise InvalidInputError("Weights set by hand must be numbers from 0 up, and one of them above 0.")
    scaled = values / values.max()  # first, so that the sum of huge values stays finite
    return {name: float(share) for name, share in zip(shares, scaled / scaled.sum(), strict=True)}


def _non_negative(similarities: npt.ArrayLike, rule: Rule) -> FloatArray:
    values = as_vector(similarities, "similarities")
    if rule == "clip":
        return np.maximum(values, 0.0)
    if rule == "minmax":
        values = values / max(1.0, float(np.abs(values).max()))  # so that the span of huge values stays finite
        span = values.max() - values.min()
        return np.asarray((values - values.min()) / span) if span > 0 else np.zeros(len(values))
    raise InvalidInputError(f"There is no rule {rule!r} for weights: give 'clip' or 'minmax'.")


def _shares(alpha: npt.ArrayLike) -> FloatArray:
    shares = as_vector(alpha, "alpha")
    if shares.min() < 0 or abs(shares.sum() - 1) > 1e-6:
        raise InvalidInputError(
            f"alpha has a smallest entry of {shares.min():g} and a sum of {shares.sum():g}: shares are 0 or more and "
            "sum to 1; take them from weights()."
        )
    return shares
