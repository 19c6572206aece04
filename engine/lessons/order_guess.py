"""How good a guess of the teachers' order is, and how good one by chance would be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np

from engine.errors import InvalidInputError
from engine.evaluation import RankCorrelation, spearman

MOST_ORDERED = 7  # of which all orders, 5,040, are gone through


@dataclass(frozen=True)
class JudgedOrder:
    """correlation: Spearman's, of guessed places and similarities; 1 is the same order. as_good_by_chance: share 0..1
    of all orders that agree with the similarities as well as the guess or better.
    """

    correlation: RankCorrelation
    as_good_by_chance: float


def judge_order(guess: Sequence[str], similarities: Mapping[str, float]) -> JudgedOrder:
    """Hold a `guess`, teachers by name with the most similar first, against their `similarities`.

    Raises InvalidInputError for fewer than two teachers, more than `MOST_ORDERED`, or one that is named twice or has no
    similarity.

    >>> judge_order(["a", "b", "c"], {"a": 3.0, "b": 2.0, "c": 1.0})
    JudgedOrder(correlation=RankCorrelation(value=1.0, interval=None, items=3), as_good_by_chance=0.16666666666666666)
    """
    if not 2 <= len(guess) <= MOST_ORDERED or len(set(guess)) < len(guess) or not set(guess) <= set(similarities):
        raise InvalidInputError(
            f"A guess orders 2 to {MOST_ORDERED} teachers that have a similarity, each once, and not {list(guess)!r}."
        )
    values = [similarities[name] for name in guess]
    # The sum of products of places and ranks rises with Spearman's correlation: all orders have the same places.
    ranks = np.array([sum(other < value for other in values) + sum(o == value for o in values) / 2 for value in values])
    places = np.array(list(permutations(range(len(guess), 0, -1))))  # the first one is the guess itself
    agreement = places @ ranks
    by_chance = float(np.mean(agreement >= agreement[0] - 1e-9))
    return JudgedOrder(spearman(places[0], values), by_chance)
