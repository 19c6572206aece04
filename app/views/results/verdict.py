"""Results' first sentence: what won, by how much, how surely, and what chance and the most frequent class reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.components import wording
from app.components.escaping import escape
from app.views.results import students
from app.views.results.judged import Judged, Numbers, judged, paired, shared_by
from app.views.results.sources import Shown
from engine.errors import WorkbenchError
from engine.evaluation import Interval, baselines, paired_difference
from engine.methods import REFERENCE
from engine.results import RunResult
from engine.runs import MethodMean
from engine.tasks import Task


@dataclass(frozen=True)
class Lead:
    """How far the best method is ahead of another one: a difference of accuracies, and how sure that is."""

    of: MethodMean  # the other one
    difference: float
    interval: Interval | None
    over: str  # in words, such as "3 seeds"

    @property
    def clear(self) -> bool:
        """Whether the interval lies above 0 in the digits that are shown."""
        return self.interval is not None and round(self.interval.low, 3) > 0


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
        leads = [_lead(shown, task, best, mean) for mean in order[1:]]
        winner = _winner(best, leads, "leads" if shown.unfinished else "won")
    return Verdict(winner, _beside(best, *_measured_by(shown, task)))


def _measured_by(shown: Shown, task: Task) -> tuple[Numbers, Sequence[str]]:
    """Labels of the held-out images and the classes: by what some student was asked, or of a task that is as it was."""
    for result in shown.results:
        if (found := _asked(shown, task, result)) is not None:
            return found.labels, found.classes
    same = shown.document.get("shared", {}).get("task_revision") == task.revision
    return task.labels[task.test_rows if same else []], task.classes


def _lead(shown: Shown, task: Task, best: MethodMean, mean: MethodMean) -> Lead:
    """Over the seeds that both have; with one of them, over its test images, if what both said of them is there."""
    first, other = ({r.seed: r for r in shown.results if r.method == each.method} for each in (best, mean))
    seeds = set(first) & set(other)
    if not seeds:
        return Lead(mean, best.accuracy - mean.accuracy, None, "")
    accuracies = [{seed: run.held_out_accuracy for seed, run in runs.items()} for runs in (first, other)]
    found = paired_difference(accuracies[0], accuracies[1])
    if len(seeds) > 1:
        same = ", the same labels in each" if "all_labels" in shown.document.get("shared", {}) else ""
        return Lead(mean, found.mean, found.interval, f"{len(seeds)} seeds{same}")
    (seed,) = seeds
    both = _asked(shown, task, first[seed]), _asked(shown, task, other[seed])
    if both[0] is None or both[1] is None:
        return Lead(mean, found.mean, None, "")
    mine, others = shared_by(both[0], both[1])
    if not len(mine) == len(both[0]) == len(both[1]):  # not the same test images
        return Lead(mean, found.mean, None, "")
    pair = paired(mine, others)
    return Lead(mean, pair.difference, pair.interval, f"{wording.count(pair.images, 'test image')}, one seed")


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


def _winner(best: MethodMean, leads: Sequence[Lead], verb: str) -> str:
    """leads: over the other methods, the next best first. The best one has won if it is clearly ahead of each."""
    ahead = f"**{wording.percent(best.accuracy)}** of the held-out images"
    unclear = [lead for lead in leads if not lead.clear]
    if not unclear:
        told = leads[0]
        said = (
            f"**{escape(best.title)} {verb}**: right on {ahead}, {wording.points(told.difference)} points over "
            f"{escape(told.of.title)}, the next best{_sure(told)}."
        )
        return said + _over_reference(leads[1:])
    told, others = unclear[0], unclear[1:]
    chance = f"a difference that may be chance{_sure(told)}"
    if told.interval is None:
        chance = "and nobody can say how sure that difference is: more seeds would tell"
    said = (
        f"**No clear winner**: {escape(best.title)} is right on {ahead} and {escape(told.of.title)} on "
        f"{wording.percent(told.of.accuracy)}, {chance}."
    )
    if others:
        said += f" Nor is it clearly ahead of {wording.listed([escape(lead.of.title) for lead in others])}."
    return said + _over_reference([lead for lead in leads if lead.clear])


def _over_reference(leads: Sequence[Lead]) -> str:
    """How far the best is ahead of fine-tuning, if that is among these."""
    return "".join(
        f" Over {escape(lead.of.title)} it gains {wording.points(lead.difference)} points{_sure(lead)}."
        for lead in leads
        if lead.of.method == REFERENCE.key
    )


def _sure(lead: Lead) -> str:
    return f" ({_points(lead.interval)}, {lead.over})" if lead.interval else ""


def _beside(best: MethodMean, labels: Numbers, classes: Sequence[str]) -> str:
    """What costs nothing on images of these labels; "" where they are not known."""
    if not len(labels):
        return ""
    found = baselines(labels, len(classes))
    said = f"Chance is right on {wording.percent(found.chance)}, and "
    if wording.percent(found.chance) == wording.percent(found.majority_share):
        said += "so is always saying the same class: all are as frequent."
    else:
        majority = wording.isolated(escape(classes[found.majority]))
        said += (
            f"always saying “{majority}”, the most frequent class of the held-out images, on "
            f"{wording.percent(found.majority_share)}."
        )
    if best.interval.low <= max(found.chance, found.majority_share):
        said += f" {escape(best.title)} is not clearly better than that."
    return said


def _range(interval: Interval) -> str:
    return f"95\u00a0% interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _points(interval: Interval) -> str:
    return f"95\u00a0% interval {wording.points(interval.low)} to {wording.points(interval.high)}"
