"""Results' first sentence: what won, by how much, how surely, and what chance and the most frequent class reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.components import wording
from app.components.escaping import escape
from app.views.results import students
from app.views.results.judged import Judged, judged, paired, shared_by
from app.views.results.sources import Shown
from engine.errors import WorkbenchError
from engine.evaluation import Interval, baselines, paired_difference
from engine.methods import REFERENCE
from engine.results import RunResult
from engine.runs import MethodMean
from engine.tasks import Task


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
    """Sentences in Markdown: what won, and what that is to be held against."""

    winner: str
    beside: str


def verdict(shown: Shown, task: Task) -> Verdict:
    """The sentences of a comparison with at least one result."""
    order = sorted(shown.means, key=lambda mean: -mean.accuracy)
    best = order[0]
    if len(order) == 1:
        winner = _alone(best)
    elif shown.document.get("differs"):
        winner = _not_fair(best)
    else:
        winner = _winner(order, _lead(shown, task, best, order[1]), "leads" if shown.unfinished else "won")
    some = next((found for result in shown.results if (found := _asked(shown, task, result)) is not None), None)
    return Verdict(winner, _beside(best, some))


def _lead(shown: Shown, task: Task, best: MethodMean, second: MethodMean) -> Lead:
    """Over the seeds that both have; with one of them, over its test images, if what both said of them is there."""
    first, other = ({r.seed: r for r in shown.results if r.method == mean.method} for mean in (best, second))
    seeds = set(first) & set(other)
    if not seeds:
        return Lead(best.accuracy - second.accuracy, None, "")
    accuracies = [{seed: run.held_out_accuracy for seed, run in runs.items()} for runs in (first, other)]
    found = paired_difference(accuracies[0], accuracies[1])
    if len(seeds) > 1:
        same = ", the same labels in each" if "all_labels" in shown.document.get("shared", {}) else ""
        return Lead(found.mean, found.interval, f"{len(seeds)} seeds{same}")
    (seed,) = seeds
    both = _asked(shown, task, first[seed]), _asked(shown, task, other[seed])
    if both[0] is None or both[1] is None:
        return Lead(found.mean, None, "")
    mine, others = shared_by(both[0], both[1])
    if not len(mine) == len(both[0]) == len(both[1]):  # not the same test images
        return Lead(found.mean, None, "")
    pair = paired(mine, others)
    return Lead(pair.difference, pair.interval, f"{wording.count(pair.images, 'test image')}, one seed")


def _asked(shown: Shown, task: Task, result: RunResult) -> Judged | None:
    """What a student said of the test images; None where that is not known."""
    try:
        chosen = students.kept(shown, task, result)
    except WorkbenchError:  # the sections say what is wrong with it; the sentence does without
        return None
    found = None if chosen is None else judged(chosen)
    return found if found is not None and len(found) else None


def _alone(best: MethodMean) -> str:
    return (
        f"**{escape(best.title)}** is right on **{wording.percent(best.accuracy)}** of {best.test_images:,} held-out "
        f"images ({_range(best.interval)})."
    )


def _not_fair(best: MethodMean) -> str:
    return (
        f"**No winner is named**, since these runs do not share what makes them comparable: the highest number, "
        f"**{wording.percent(best.accuracy)}**, is that of {escape(best.title)} ({_range(best.interval)})."
    )


def _winner(order: Sequence[MethodMean], lead: Lead, verb: str) -> str:
    best, second = order[0], order[1]
    ahead, behind = escape(best.title), escape(second.title)
    gap = f"{wording.points(lead.difference)} points"
    sure = f" ({_points(lead.interval)}, {lead.over})" if lead.interval else ""
    if lead.clear:
        said = (
            f"**{ahead} {verb}**: right on **{wording.percent(best.accuracy)}** of the held-out images, {gap} over "
            f"{behind}, the next best{sure}."
        )
    elif lead.interval is not None:
        said = (
            f"**No clear winner**: {ahead} is right on **{wording.percent(best.accuracy)}** of the held-out images and "
            f"{behind} on {wording.percent(second.accuracy)}, a difference that may be chance{sure}."
        )
    else:
        said = (
            f"**No clear winner**: {ahead} is right on **{wording.percent(best.accuracy)}** of the held-out images, "
            f"{gap} over {behind}, and nobody can say how sure that is: more seeds would tell."
        )
    return said + _over_reference(best, second)


def _over_reference(best: MethodMean, second: MethodMean) -> str:
    """How far the best is ahead of fine-tuning, where that is neither of the first two."""
    found = best.difference
    if found is None or REFERENCE.key in (best.method, second.method):
        return ""
    sure = f" ({_points(found.interval)})" if found.interval is not None else ""
    return f" Over {escape(REFERENCE.title)} it gains {wording.points(found.mean)} points{sure}."


def _beside(best: MethodMean, some: Judged | None) -> str:
    """What costs nothing, by the test images of some student: all of a comparison have the same."""
    if some is None:
        return ""
    found = baselines(some.labels, len(some.classes))
    majority = wording.isolated(escape(some.classes[found.majority]))
    said = (
        f"Chance is right on {wording.percent(found.chance)}, and always saying “{majority}”, the most frequent class "
        f"of the held-out images, on {wording.percent(found.majority_share)}."
    )
    if best.interval.low <= max(found.chance, found.majority_share):
        said += f" {escape(best.title)} is not clearly better than that."
    return said


def _range(interval: Interval) -> str:
    return f"95\u00a0% interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _points(interval: Interval) -> str:
    return f"95\u00a0% interval {wording.points(interval.low)} to {wording.points(interval.high)}"
