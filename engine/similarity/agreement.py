"""Do the metrics agree on which teacher comes first? Ranks, rank correlations between metrics, and mean ranks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError
from engine.evaluation.arrays import FloatArray, as_matrix
from engine.evaluation.correlation import weighted_tau


@dataclass(frozen=True)
class Agreement:
    """How M metrics rank S teachers. Rank 1 is the highest score; ties share their mean rank."""

    ranks: FloatArray  # [M, S]
    kendall: tuple[tuple[float | None, ...], ...]  # [M, M] weighted tau, -1 to 1; None where a metric ties all teachers
    mean_rank: FloatArray  # [S], lower is better


def agreement(scores: npt.ArrayLike) -> Agreement:
    """How M metrics rank S >= 2 teachers, and how far they agree, from `scores [M, S]` (higher is better).

    A metric that could not be computed for every teacher is left out by the caller. Raises InvalidInputError for scores
    that are not finite, or fewer than two teachers.

    >>> result = agreement([[0.1, 0.5, 0.3], [10.0, 30.0, 20.0]])
    >>> result.ranks.tolist(), result.kendall[0][1], result.mean_rank.tolist()
    ([[3.0, 1.0, 2.0], [3.0, 1.0, 2.0]], 1.0, [3.0, 1.0, 2.0])
    """
    table = as_matrix(scores, "scores")
    if table.shape[1] < 2:
        raise InvalidInputError("Metrics can agree on the order of two teachers or more, and there is one.")
    ranks = ranks_of(table)
    kendall = tuple(tuple(weighted_tau(one, other) for other in table) for one in table)
    return Agreement(ranks, kendall, ranks.mean(axis=0))


def ranks_of(scores: npt.ArrayLike) -> FloatArray:
    """Ranks of the teachers under each metric, `[M, S]` as `scores`: 1 is the highest, ties share their mean rank.

    >>> ranks_of([[0.2, 0.9, 0.2]]).tolist()
    [[2.5, 1.0, 2.5]]
    """
    table = as_matrix(scores, "scores")
    # As scipy.stats.rankdata, of which loading takes a second of the processor, longer than many a ranking.
    ranks = [(table > one).sum(1) + ((table == one).sum(1) + 1) / 2 for one in np.split(table, table.shape[1], axis=1)]
    return np.stack(ranks, axis=1)
