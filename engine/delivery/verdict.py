"""What a comparison says, in a sentence: what won, by how much, how surely; and what chance and the most frequent class
reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.delivery.judged import Judged, paired, shared_by
from engine.evaluation import Interval, PairedAccuracies, baselines, paired_difference
from engine.methods import REFERENCE
from engine.results import RunResult
from engine.runs import Compared, MethodMean
from engine.wording import count, isolated, percent, points

Escape = Callable[[str], str]


@dataclass(frozen=True)
class Lead:
    """How far the best method is ahead of the next one: a difference of accuracies, and how sure that is."""

    difference: float
    interval: Interval | None
    over: str  # in words, such as "3 seeds"

    @property
    def clear(self) -> bool:
        """Whether the interval lies above 0."""
        return self.interval is not None and self.interval.low > 0


@dataclass(frozen=True)
class Verdict:
    """Sentences in which ** stands around what is to be bold: what won, and what that is to be held against."""

    winner: str
    beside: str


def verdict(
    found: Compared,
    asked: Callable[[RunResult], Judged | None],
    escape: Escape,
    pair: Callable[[Judged, Judged], PairedAccuracies] = paired,
) -> Verdict:
    """The sentences of a comparison with at least one result.

    asked: what a student said of the test images; None where that is not known. escape: makes a name from outside a
    text that is shown as it is where the sentences go. pair: `paired`, or the same with a memory.
    """
    order = sorted(found.means, key=lambda mean: -mean.accuracy)
    best = order[0]
    if len(order) == 1:
        winner = _alone(best, escape)
    elif found.document.get("differs"):
        winner = _not_fair(best, escape)
    else:
        lead = _lead(found, asked, pair, best, order[1])
        winner = _winner(order, lead, "leads" if found.unfinished else "won", escape)
    some = next((one for result in found.results if (one := asked(result)) is not None and len(one)), None)
    return Verdict(winner, _beside(best, some, escape))


def _lead(
    found: Compared,
    asked: Callable[[RunResult], Judged | None],
    pair: Callable[[Judged, Judged], PairedAccuracies],
    best: MethodMean,
    second: MethodMean,
) -> Lead:
    """Over the seeds that both have; with one of them, over its test images, if what both said of them is there."""
    first, other = ({r.seed: r for r in found.results if r.method == mean.method} for mean in (best, second))
    seeds = set(first) & set(other)
    if not seeds:
        return Lead(best.accuracy - second.accuracy, None, "")
    accuracies = [{seed: run.held_out_accuracy for seed, run in runs.items()} for runs in (first, other)]
    difference = paired_difference(accuracies[0], accuracies[1])
    if len(seeds) > 1:
        same = ", the same labels in each" if "all_labels" in found.shared else ""
        return Lead(difference.mean, difference.interval, f"{len(seeds)} seeds{same}")
    (seed,) = seeds
    both = asked(first[seed]), asked(other[seed])
    if not both[0] or not both[1]:
        return Lead(difference.mean, None, "")
    mine, others = shared_by(both[0], both[1])
    if not len(mine) == len(both[0]) == len(both[1]):  # not the same test images
        return Lead(difference.mean, None, "")
    images = pair(mine, others)
    return Lead(images.difference, images.interval, f"{count(images.images, 'test image')}, one seed")


def _alone(best: MethodMean, escape: Escape) -> str:
    return (
        f"**{escape(best.title)}** is right on **{percent(best.accuracy)}** of {best.test_images:,} held-out "
        f"images ({_range(best.interval)})."
    )


def _not_fair(best: MethodMean, escape: Escape) -> str:
    return (
        f"**No winner is named**, since these runs do not share what makes them comparable: the highest number, "
        f"**{percent(best.accuracy)}**, is that of {escape(best.title)} ({_range(best.interval)})."
    )


def _winner(order: Sequence[MethodMean], lead: Lead, verb: str, escape: Escape) -> str:
    best, second = order[0], order[1]
    ahead, behind = escape(best.title), escape(second.title)
    gap = f"{points(lead.difference)} points"
    sure = f" ({_points(lead.interval)}, {lead.over})" if lead.interval else ""
    if lead.clear:
        said = (
            f"**{ahead} {verb}**: right on **{percent(best.accuracy)}** of the held-out images, {gap} over "
            f"{behind}, the next best{sure}."
        )
    elif lead.interval is not None:
        said = (
            f"**No clear winner**: {ahead} is right on **{percent(best.accuracy)}** of the held-out images and "
            f"{behind} on {percent(second.accuracy)}, a difference that may be chance{sure}."
        )
    else:
        said = (
            f"**No clear winner**: {ahead} is right on **{percent(best.accuracy)}** of the held-out images, "
            f"{gap} over {behind}, and nobody can say how sure that is: more seeds would tell."
        )
    return said + _over_reference(best, second, escape)


def _over_reference(best: MethodMean, second: MethodMean, escape: Escape) -> str:
    """How far the best is ahead of fine-tuning, where that is neither of the first two."""
    found = best.difference
    if found is None or REFERENCE.key in (best.method, second.method):
        return ""
    sure = f" ({_points(found.interval)})" if found.interval is not None else ""
    return f" Over {escape(REFERENCE.title)} it gains {points(found.mean)} points{sure}."


def _beside(best: MethodMean, some: Judged | None, escape: Escape) -> str:
    """What costs nothing, by the test images of some student: all of a comparison have the same."""
    if some is None:
        return ""
    known = baselines(some.labels, len(some.classes))
    majority = isolated(escape(some.classes[known.majority]))
    said = (
        f"Chance is right on {percent(known.chance)}, and always saying “{majority}”, the most frequent class "
        f"of the held-out images, on {percent(known.majority_share)}."
    )
    if best.interval.low <= max(known.chance, known.majority_share):
        said += f" {escape(best.title)} is not clearly better than that."
    return said


def _range(interval: Interval) -> str:
    return f"95\u00a0% interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _points(interval: Interval) -> str:
    return f"95\u00a0% interval {points(interval.low)} to {points(interval.high)}"
