"""Would more labels help? The same student with fewer labels than there are: accuracy against labels per class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.evaluation import Interval, PairedDifference, paired_difference
from engine.results import RunResult
from engine.runs.comparison import Entry, interval_of, read_run
from engine.runs.finishing import as_compared
from engine.runs.spec import RunSpec, plan
from engine.runs.speed import estimate_seconds, known_speed
from engine.tasks import Task, all_labels
from engine.wording import NO_BREAK, percent, points
from engine.workspace import Workspace

BUDGETS = (2, 5, 10)  # labels per class, below all that there are


@dataclass(frozen=True)
class LabelPoint:
    """What a student became with so many labels per class; accuracy is a share, 0..1, of held-out images."""

    labels_per_class: int
    labeled_images: int
    accuracy: float  # mean over seeds
    interval: Interval  # over seeds where there are several, else over test images, by groups where these are in groups
    test_images: int
    by_seed: dict[int, float]


def label_curve_specs(
    workspace: Workspace, task: Task, comparison: str, method: str, *, seeds: int = 1, device: str | None = None
) -> list[RunSpec]:
    """The runs of a comparison's method at each of `BUDGETS` that the task has, and with all labels.

    seeds: how many, from the first one of the comparison's on. Raises as `as_compared` and `plan`.
    """
    found, like = as_compared(workspace, task, comparison, method)
    chosen, everything = range(found[0], found[0] + seeds), all_labels(task)
    return [
        spec
        for budget in [*(each for each in BUDGETS if each < everything), everything]
        for spec in plan(workspace, task, [method], chosen, labels_per_class=budget, device=device, **like)
    ]


def entries_of(workspace: Workspace, specs: Sequence[RunSpec]) -> list[Entry]:
    """Those of these runs that were asked for, as they are now."""
    asked = (read_run(workspace, spec.run_id) for spec in specs if (workspace.runs / spec.run_id).exists())
    return [found for found in asked if isinstance(found, Entry)]


def seconds_of(workspace: Workspace, specs: Sequence[RunSpec], device: str, known: Sequence[RunResult]) -> float | None:
    """About how long those take that are not done, one after the other; None while nothing is known.

    known: results of the same method with the same settings, for where no speed was measured on this device.
    """
    done = {entry.run for entry in entries_of(workspace, specs) if entry.result is not None}
    waiting = [spec for spec in specs if spec.run_id not in done]
    if not waiting:
        return 0.0
    if (speed := known_speed(workspace, waiting[0].recipe, device)) is not None:
        return sum(estimate_seconds(speed, spec.train) for spec in waiting)
    if not known:
        return None
    return len(waiting) * sum(result.seconds + result.evaluate_seconds for result in known) / len(known)


def label_curve(entries: Sequence[Entry]) -> list[LabelPoint]:
    """The points of the runs that are done, by rising number of labels."""
    by_budget: dict[int, list[RunResult]] = {}
    for entry in entries:
        if entry.result is not None:
            by_budget.setdefault(entry.spec.labels_per_class, []).append(entry.result)
    return [_point(budget, by_budget[budget]) for budget in sorted(by_budget)]


def _point(budget: int, results: Sequence[RunResult]) -> LabelPoint:
    by_seed = {result.seed: result.held_out_accuracy for result in sorted(results, key=lambda result: result.seed)}
    accuracies = list(by_seed.values())
    return LabelPoint(
        labels_per_class=budget,
        labeled_images=results[0].labeled_images,
        accuracy=sum(accuracies) / len(accuracies),
        interval=interval_of(results),
        test_images=results[0].test_images,
        by_seed=by_seed,
    )


def would_more_help(curve: Sequence[LabelPoint]) -> str:
    """What the last stretch of the curve says, in one sentence or two; empty for less than two points.

    The labels' last increase helped if the gain, paired by seed, is above 0 with its whole 95 % interval; one seed, or
    an interval with 0 in it, cannot say.
    """
    if len(curve) < 2:
        return ""
    before, last = curve[-2:]
    gain = _gain(before, last)
    said = (
        f"From {before.labeled_images:,} to {last.labeled_images:,} labels the accuracy went from "
        f"{percent(before.accuracy)} to {percent(last.accuracy)} ({points(last.accuracy - before.accuracy)} points"
    )
    if gain is None or gain.interval is None:
        return f"{said}, one seed). One seed cannot say whether more would help."
    interval = f", 95{NO_BREAK}% interval {points(gain.interval.low)} to {points(gain.interval.high)}"
    if gain.interval.low > 0:
        return f"{said}{interval}). More labels helped, so still more are likely to help."
    if gain.interval.high < 0:
        return f"{said}{interval}). More labels did not help: look at the labels before adding to them."
    return f"{said}{interval}). Whether more labels help cannot be told from chance here."


def _gain(before: LabelPoint, last: LabelPoint) -> PairedDifference | None:
    if not set(before.by_seed) & set(last.by_seed):
        return None
    return paired_difference(last.by_seed, before.by_seed, images=last.test_images)
