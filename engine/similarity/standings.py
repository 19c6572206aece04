"""All metrics on all teachers at once: scores, doubts from the same draws of labeled images, and mean ranks.

S teachers, M metrics, B draws. Every metric and every teacher see the same draws, so differences between teachers are
paired, and the mean ranks have intervals of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.evaluation.arrays import FloatArray, IntArray, as_labels, as_vector, encode, require_same_length
from engine.evaluation.intervals import LEVEL, Interval
from engine.similarity.agreement import agreement, ranks_of
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.registry import metric, score_of
from engine.similarity.subsampling import (
    Subsamples,
    Uncertainty,
    require_labels_for_draws,
    subsamples,
    uncertainty_of,
    without_rounding,
)

Progress: TypeAlias = Callable[[int, int], None]
Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class Standing:
    """How S teachers stand under one metric.

    problem: why there are no scores, as a sentence; `scores` and `ranks` are then empty. doubt: why there is no
    uncertainty; None where there is one, or none was asked for.
    """

    scores: FloatArray  # [S]
    ranks: FloatArray  # [S], 1 is the best, ties share their mean rank
    uncertainty: Uncertainty | None
    problem: str | None = None
    doubt: str | None = None


@dataclass(frozen=True)
class MeanRanks:
    """What the metrics say together: the mean of the ranks under those that use the labels."""

    metrics: tuple[str, ...]  # those that take part
    kendall: tuple[tuple[float | None, ...], ...]  # between each two of them: weighted tau, -1 to 1
    values: FloatArray  # [S], from 1 (first under every metric) to S
    intervals: tuple[Interval, ...] | None  # [S], of the mean ranks
    probability_first: FloatArray | None  # [S]
    undecided: tuple[tuple[int, int], ...] | None  # pairs whose mean ranks may as well be the same


@dataclass(frozen=True)
class Standings:
    """How S teachers stand under each metric, in the order that was asked for, and under those without a problem.

    mean_ranks: None where no metric has scores, or there is one teacher only.
    """

    by_metric: Mapping[str, Standing]
    mean_ranks: MeanRanks | None


def standings(
    teachers: Sequence[Mapping[str, npt.ArrayLike]],
    labels: npt.ArrayLike,
    metrics: Sequence[str],
    *,
    records: Mapping[str, npt.ArrayLike] | None = None,
    groups: npt.ArrayLike | None = None,
    draws: int = 0,
    seed: int = 0,
    level: float = LEVEL,
    threads: int = 1,
    progress: Progress = lambda done, total: None,
) -> Standings:
    """Every metric of `metrics` on every teacher, each given by the arrays that `score` takes beside the `labels [n]`.

    `records` has the scores `[S]` of metrics that read a teacher's record instead of arrays. With `draws` of half the
    labels (0: none) each standing gets intervals; with `groups [n]`, -1 for an image that stands alone, each draw keeps
    whole groups. `threads` share the work, and change no number. NLEEP's mixture is fitted once for each teacher, to
    all images, since it does not see the labels. `progress(done, total)` follows each teacher's draw; what it raises
    ends the work. A metric that cannot be computed for every teacher gets a problem instead of scores; one that fails
    on half of the labels gets a doubt. Raises InvalidInputError if there is no teacher, UnknownNameError for a metric
    that does not exist.

    >>> labels = [0, 0, 0, 0, 1, 1, 1, 1]
    >>> sure, unsure = np.eye(2)[labels], np.full((8, 2), 0.5)
    >>> found = standings([{"pseudo_labels": unsure}, {"pseudo_labels": sure}], labels, ["leep", "nce"], draws=5)
    >>> found.mean_ranks.values.tolist(), found.by_metric["leep"].uncertainty.probability_first.tolist()
    ([2.0, 1.0], [0.0, 1.0])
    """
    if not teachers:
        raise InvalidInputError("There is no teacher to rank: give one or more.")
    ids, given = as_labels(labels), dict(records or {})
    asked = [name for name in dict.fromkeys(metrics) if metric(name)]
    on_arrays = [name for name in asked if metric(name).of_outputs]
    doubts = _doubts(on_arrays, ids) if draws else {}
    chosen: Subsamples | None = None
    if draws and len(doubts) < len(on_arrays):
        try:
            chosen = subsamples(ids, draws=draws, seed=seed, groups=groups)
        except TooFewLabelsError as error:  # enough labels, but of too few groups
            doubts = {**dict.fromkeys(on_arrays, str(error)), **doubts}
    resampled = [name for name in on_arrays if draws and name not in doubts]
    in_turn = sorted(on_arrays, key=lambda name: metric(name).turn)
    tables = {name: _Scores(name, len(teachers), draws if name in resampled else 0) for name in on_arrays}
    steps = draws + 1 if chosen else 1
    with _Workers(threads) as workers:
        for place, arrays in enumerate(teachers):
            outputs = LabeledOutputs.of(ids, **arrays)
            for name, value in zip(in_turn, workers.map(partial(_score, outputs), in_turn), strict=True):
                tables[name].score(place, value)
            progress(place * steps + 1, steps * len(teachers))
            drawn = workers.map(partial(_scores, outputs, resampled), chosen.rows if chosen else ())
            for number, found in enumerate(drawn):
                for name, value in found.items():
                    tables[name].draw(place, number, value)
                progress(place * steps + 2 + number, steps * len(teachers))
    by_metric = {
        name: tables[name].standing(chosen, doubts.get(name), level)
        if name in tables
        else _from_record(name, given, len(teachers))
        for name in asked
    }
    certain = {name: table for name, table in tables.items() if by_metric[name].uncertainty}
    return Standings(by_metric, _mean_ranks(by_metric, certain, chosen, level))


class _Scores:
    """Scores of one metric as they come in, and the first thing that went wrong."""

    def __init__(self, name: str, teachers: int, draws: int) -> None:
        self.name = name
        self.scores, self.drawn = np.full(teachers, np.nan), np.full((draws, teachers), np.nan)
        self.problem: str | None = None
        self.doubt: str | None = None

    def score(self, teacher: int, value: float | str) -> None:
        if isinstance(value, str):
            self.problem = self.problem or value
        else:
            self.scores[teacher] = value

    def draw(self, teacher: int, number: int, value: float | str) -> None:
        if isinstance(value, str):
            self.doubt = self.doubt or f"On half of the labels it cannot be computed: {value}"
        else:
            self.drawn[number, teacher] = value

    def standing(self, draws: Subsamples | None, doubt: str | None, level: float) -> Standing:
        if self.problem is not None:
            return Standing(np.empty(0), np.empty(0), None, self.problem)
        ranks, doubt = _ranks(self.scores), doubt or self.doubt
        if draws is None or doubt is not None:
            return Standing(self.scores, ranks, None, doubt=doubt)
        return Standing(self.scores, ranks, uncertainty_of(self.scores, self.drawn, draws, level))


def _score(outputs: LabeledOutputs, name: str) -> float | str:
    """A metric's score, or the sentence in its place."""
    try:
        return score_of(name, outputs)
    except InvalidInputError as error:
        return str(error)


def _scores(outputs: LabeledOutputs, metrics: Sequence[str], rows: IntArray) -> dict[str, float | str]:
    """Each metric's score of one draw, or the sentence in its place."""
    kept = outputs.take(rows)
    return {name: _score(kept, name) for name in metrics}


class _Workers:
    """Threads that share metrics and draws. The linear algebra gets one thread in each, and scales no worse."""

    def __init__(self, threads: int) -> None:
        self.pool = ThreadPoolExecutor(threads, "standings") if threads > 1 else None

    def __enter__(self) -> _Workers:
        self.limits = threadpool_limits(1, user_api="blas")
        return self

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)
        self.limits.restore_original_limits()

    def map(self, function: Callable[[Item], Outcome], items: Sequence[Item]) -> Iterator[Outcome]:
        """The results in the order of the items."""
        return self.pool.map(function, items) if self.pool is not None else map(function, items)


def _doubts(metrics: Sequence[str], labels: IntArray) -> dict[str, str]:
    """Metrics that half of the labels are too few for, each with the sentence that says so."""
    fullest, doubts = int(encode(labels)[1].max()), {}
    for name in metrics:
        try:
            require_labels_for_draws(metric(name), fullest)
        except TooFewLabelsError as error:
            doubts[name] = str(error)
    return doubts


def _ranks(scores: FloatArray) -> FloatArray:
    return np.asarray(ranks_of(without_rounding(scores)[None])[0])


def _by_draw(drawn: FloatArray) -> FloatArray:
    return np.array([without_rounding(scores) for scores in drawn])


def _from_record(name: str, given: Mapping[str, npt.ArrayLike], teachers: int) -> Standing:
    if name not in given:
        raise InvalidInputError(f"{metric(name).title} is read from the teachers' records: pass its scores in records.")
    scores = as_vector(given[name], name)
    require_same_length(**{name: scores, "teachers": np.empty(teachers)})
    return Standing(scores, _ranks(scores), None)


def _mean_ranks(
    by_metric: Mapping[str, Standing], tables: Mapping[str, _Scores], draws: Subsamples | None, level: float
) -> MeanRanks | None:
    """Mean ranks over the metrics that use the labels and have scores; with draws, over those with draws too."""
    taking = [n for n, s in by_metric.items() if s.problem is None and metric(n).labels_per_class]
    if draws is not None:
        taking = [name for name in taking if name in tables]
    if not taking or len(by_metric[taking[0]].scores) < 2:
        return None
    agreed = agreement(np.array([without_rounding(by_metric[name].scores) for name in taking]))
    found = MeanRanks(tuple(taking), agreed.kendall, agreed.mean_rank, None, None, None)
    if draws is None:
        return found
    drawn = np.mean([ranks_of(_by_draw(tables[name].drawn)) for name in taking], axis=0)
    uncertainty = uncertainty_of(-agreed.mean_rank, -drawn, draws, level)  # which takes higher for better
    moved = np.mean([_moved_ranks(tables[name], draws) for name in taking], axis=0)
    return replace(
        found,
        intervals=_rank_intervals(uncertainty.intervals, moved),
        probability_first=uncertainty.probability_first,
        undecided=uncertainty.undecided,
    )


def _moved_ranks(table: _Scores, draws: Subsamples) -> FloatArray:
    """Ranks `[B, S]` if the scores lay as far from where they are as each draw's from the mean draw, corrected."""
    spread = (table.drawn - table.drawn.mean(axis=0)) * np.sqrt(draws.correction)
    return ranks_of(_by_draw(table.scores + spread))


def _rank_intervals(plain: Sequence[Interval], moved: FloatArray) -> tuple[Interval, ...]:
    """Intervals of mean ranks, from the `plain` ones of their negatives, within 1 ... S.

    Ranks do not move smoothly with scores, and the plain interval alone is too short (it held the truth in 77 % instead
    of 90 % of simulations); so it is widened to the quantiles of the mean ranks that moved scores have (ours).
    """
    tail = (1 - plain[0].level) / 2
    low, high = np.quantile(moved, [tail, 1 - tail], axis=0)
    return tuple(
        Interval(
            float(max(1.0, min(-one.high, low[i]))),
            float(min(moved.shape[1], max(-one.low, high[i]))),
            one.level,
            one.method,
        )
        for i, one in enumerate(plain)
    )
