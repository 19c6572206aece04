"""What a comparison says, in a sentence: what won, by how much, how surely; and what chance and the most frequent class
reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from engine.delivery.judged import Judged, Numbers, paired, shared_by
from engine.evaluation import Interval, PairedAccuracies, baselines, paired_difference
from engine.methods import REFERENCE
from engine.results import RunResult
from engine.runs import Compared, MethodMean
from engine.tasks import Task
from engine.wording import count, isolated, listed, percent, points

Escape = Callable[[str], str]


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
class FirstSentence:
    """Sentences in which ** stands around what is to be bold: what won, and what that is to be held against."""

    winner: str
    beside: str


Asked = Callable[[RunResult], Judged | None]
Pair = Callable[[Judged, Judged], PairedAccuracies]


def first_sentence(
    found: Compared, task: Task | None, asked: Asked, escape: Escape, pair: Pair = paired
) -> FirstSentence:
    """The sentences of a comparison with at least one result.

    task: as it is now, if it is there. asked: what a student said of the test images; None where that is not known.
    escape: makes a name from outside a text that is shown as it is where the sentences go. pair: `paired`, or the same
    with a memory.
    """
    note = ""
    if not found.document.get("differs"):
        found, note = found.comparable(), _of_seeds(found)
    order = sorted(found.means, key=lambda mean: -mean.accuracy)
    best = order[0]
    if len(order) == 1:
        winner = _alone(best, escape)
    elif found.document.get("differs"):
        winner = _not_fair(best, escape)
    else:
        leads = [_lead(found, asked, pair, best, mean) for mean in order[1:]]
        winner = _winner(best, leads, "leads" if found.unfinished else "won", escape) + note
    return FirstSentence(winner, _beside(best, *_measured_by(found, task, asked), escape))


def _of_seeds(found: Compared) -> str:
    """Which seeds `comparable` leaves, a sentence; empty where it leaves all."""
    seeds = found.shared_seeds
    if not seeds or all(mean.seeds == seeds for mean in found.means):
        return ""
    told = "seed" if len(seeds) == 1 else "seeds"
    return f" These numbers are of {told} {listed([str(seed) for seed in seeds])}, which all methods have."


def _measured_by(found: Compared, task: Task | None, asked: Asked) -> tuple[Numbers, Sequence[str]]:
    """Labels of the held-out images and the classes: by what some student was asked, or of a task that is as it was."""
    for result in found.results:
        if (one := asked(result)) is not None and len(one):
            return one.labels, one.classes
    if task is None or found.shared.get("task_revision") != task.revision:
        return np.empty(0, dtype=np.int64), ()
    return task.labels[task.test_rows], task.classes


def _lead(found: Compared, asked: Asked, pair: Pair, best: MethodMean, mean: MethodMean) -> Lead:
    """Over the seeds that both have; with one of them, over its test images, if what both said of them is there."""
    first, other = ({r.seed: r for r in found.results if r.method == each.method} for each in (best, mean))
    seeds = set(first) & set(other)
    if not seeds:
        return Lead(mean, best.accuracy - mean.accuracy, None, "")
    accuracies = [{seed: run.held_out_accuracy for seed, run in runs.items()} for runs in (first, other)]
    difference = paired_difference(accuracies[0], accuracies[1], images=mean.test_images)
    if len(seeds) > 1:
        same = ", the same labels in each" if "all_labels" in found.shared else ""
        return Lead(mean, difference.mean, difference.interval, f"{len(seeds)} seeds{same}")
    (seed,) = seeds
    both = asked(first[seed]), asked(other[seed])
    if not both[0] or not both[1]:
        return Lead(mean, difference.mean, None, "")
    mine, others = shared_by(both[0], both[1])
    if not len(mine) == len(both[0]) == len(both[1]):  # not the same test images
        return Lead(mean, difference.mean, None, "")
    images = pair(mine, others)
    return Lead(mean, images.difference, images.interval, f"{count(images.images, 'test image')}, one seed")


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


def _winner(best: MethodMean, leads: Sequence[Lead], verb: str, escape: Escape) -> str:
    """leads: over the other methods, the next best first. The best one has won if it is clearly ahead of each."""
    ahead = f"**{percent(best.accuracy)}** of the held-out images"
    unclear = [lead for lead in leads if not lead.clear]
    if not unclear:
        told = leads[0]
        said = (
            f"**{escape(best.title)} {verb}**: right on {ahead}, {points(told.difference)} points over "
            f"{escape(told.of.title)}, the next best{_sure(told)}."
        )
        return said + _over_reference(leads[1:], escape)
    told, others = unclear[0], unclear[1:]
    chance = f"a difference that may be chance{_sure(told)}"
    if told.interval is None:
        chance = "and nobody can say how sure that difference is: more seeds would tell"
    said = (
        f"**No clear winner**: {escape(best.title)} is right on {ahead} and {escape(told.of.title)} on "
        f"{percent(told.of.accuracy)}, {chance}."
    )
    if others:
        said += f" Nor is it clearly ahead of {listed([escape(lead.of.title) for lead in others])}."
    return said + _over_reference([lead for lead in leads if lead.clear], escape)


def _over_reference(leads: Sequence[Lead], escape: Escape) -> str:
    """How far the best is ahead of fine-tuning, if that is among these."""
    return "".join(
        f" Over {escape(lead.of.title)} it gains {points(lead.difference)} points{_sure(lead)}."
        for lead in leads
        if lead.of.method == REFERENCE.key
    )


def _sure(lead: Lead) -> str:
    return f" ({_points(lead.interval)}, {lead.over})" if lead.interval else ""


def _beside(best: MethodMean, labels: Numbers, classes: Sequence[str], escape: Escape) -> str:
    """What costs nothing on images of these labels; "" where they are not known."""
    if not len(labels):
        return ""
    known = baselines(labels, len(classes))
    said = f"Chance is right on {percent(known.chance)}, and "
    if percent(known.chance) == percent(known.majority_share):
        said += "so is always saying the same class: all are as frequent."
    else:
        majority = isolated(escape(classes[known.majority]))
        said += (
            f"always saying “{majority}”, the most frequent class of the held-out images, on "
            f"{percent(known.majority_share)}."
        )
    if best.interval.low <= max(known.chance, known.majority_share):
        said += f" {escape(best.title)} is not clearly better than that."
    return said


def _range(interval: Interval) -> str:
    return f"95\u00a0% interval {100 * interval.low:.1f} to {100 * interval.high:.1f}"


def _points(interval: Interval) -> str:
    return f"95\u00a0% interval {points(interval.low)} to {points(interval.high)}"
