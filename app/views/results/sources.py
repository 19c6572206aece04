"""What the Results page can show: the comparisons of a task that were run here, and the recorded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from app.components import wording
from app.components.charts import Curve
from engine.evaluation import Interval
from engine.methods import place
from engine.results import RunResult, results_in
from engine.runs import (
    RECORDED,  # stands in the URL where the id of an own comparison would
    Comparison,
    MethodMean,
    as_document,
    list_comparisons,
    method_means,
    read_runs,
    recorded_comparison,
)
from engine.tasks import Task
from engine.teachers import all_teachers
from engine.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """A comparison that can be shown. comparison: the own one; None for the recorded one."""

    id: str
    label: str
    comparison: Comparison | None


@dataclass(frozen=True)
class Shown:
    """A comparison's numbers. unfinished: how many of its runs are not done. problems: why others cannot be shown."""

    id: str
    document: Mapping[str, Any]
    results: tuple[RunResult, ...]
    means: tuple[MethodMean, ...]
    unfinished: int = 0
    problems: tuple[str, ...] = ()

    @property
    def recorded(self) -> bool:
        """Whether it came with the program instead of having been run here."""
        return self.id == RECORDED

    @property
    def curves(self) -> list[Curve]:
        """Each run's curve, in the order in which the runs were made."""
        return [Curve(result.method, result.seed, result.curve) for result in self.results]

    @property
    def by_seed(self) -> dict[str, list[float]]:
        """Accuracies of each method's seeds."""
        found: dict[str, list[float]] = {}
        for result in self.results:
            found.setdefault(result.method, []).append(result.held_out_accuracy)
        return found


def sources(workspace: Workspace, task: str) -> list[Source]:
    """What there is to show: own comparisons, the newest first, then the recorded one."""
    found = [Source(c.id, wording.described(c), c) for c in list_comparisons(workspace, task)]
    document = recorded_comparison(task)
    if document is not None:
        when = wording.moment(document.get("created", ""))
        found.append(Source(RECORDED, f"Recorded · {when} · {machine(document)}", None))
    return found


def load(workspace: Workspace, source: Source, task: str) -> Shown:
    """The numbers of a source. Raises WorkbenchError for a damaged file."""
    if source.comparison is None:
        document = recorded_comparison(task) or {}
        results = results_in(document, Path(f"{task}.json"))
        unfinished, problems = 0, tuple[str, ...]()
    else:
        found = read_runs(workspace, source.comparison)
        results = found.results
        document = as_document(source.comparison, results)
        problems = tuple(lost.problem for lost in found.lost)
        unfinished = len(source.comparison.runs) - len(results) - len(problems)
    means = sorted(method_means(results), key=lambda mean: (place(mean.method), mean.method))
    return Shown(source.id, document, tuple(results), tuple(means), unfinished, problems)


def machine(document: Mapping[str, Any]) -> str:
    """On what it was recorded, in words."""
    named = document.get("machine") or next((result.get("machine") for result in document.get("results", ())), None)
    return str(named or "machine not written down")


def what_changed(shared: Mapping[str, Any], task: Task) -> list[str]:
    """What of a task is not as it was for runs that share `shared`; empty if all is as it was, or is not known. The
    size that the student sees is each comparison's own choice.
    """
    revision = shared.get("task_revision")
    if revision is None or revision == task.revision:
        return []
    other_split = "split" in shared and shared["split"] != task.record.split
    return [f"its {'split, labels or classes' if other_split else 'labels, images or geometry'} are others"]


def arithmetic(results: Sequence[RunResult]) -> str:
    """How a card computed these, a sentence; empty for runs on a CPU, which knows one way."""
    found = dict.fromkeys(result.arithmetic for result in results if result.arithmetic is not None)
    said = [
        f"{each.precision}{', channels last' if each.channels_last else ''}, with "
        f"{'repeatable' if each.repeatable else 'the quickest'} kernels"
        for each in found
    ]
    if not said:
        return ""
    return f"Computed in {' and in '.join(said)}{'' if len(said) == 1 else ': the last digits do not compare'}."


def finished_runs(workspace: Workspace, comparison: Comparison) -> int:
    """How many runs of a comparison are done now."""
    return len(read_runs(workspace, comparison).results)


def table(shown: Shown) -> pd.DataFrame:
    """One row for each method: what the bars show, and what it rests on. Accuracies in percent, higher is better."""
    steps = {result.method: result.steps for result in shown.results}
    rows = [
        {
            "Method": mean.title,
            "Held-out accuracy, %": f"{100 * mean.accuracy:.1f}",
            "95\u00a0% interval, %": in_percent(mean.interval),
            "Interval from": mean.interval.method,
            "To fine-tuning, points": difference(mean),
            "Seeds": ", ".join(str(seed) for seed in mean.seeds),
            "Student images": f"{mean.images:,}",
            "Steps": f"{steps[mean.method]:,}",
            "Training seconds": f"{mean.seconds:,.1f}",
            "At equal seconds, %": "–" if mean.at_equal_seconds is None else f"{100 * mean.at_equal_seconds:.1f}",
            "Test images": f"{mean.test_images:,}",
        }
        for mean in shown.means
    ]
    return pd.DataFrame(rows)


REPEATED = ("Interval from", "Seeds", "Student images", "Test images")  # columns that are often alike in all rows


def in_percent(interval: Interval) -> str:
    """An interval of shares as "58.1 to 64.2"."""
    return f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def difference(mean: MethodMean) -> str:
    """The difference to fine-tuning in points, with its interval where several seeds give one."""
    found = mean.difference
    if found is None:
        return "–"
    if found.interval is None:
        return f"{wording.points(found.mean)} (one seed, no interval)"
    low, high = wording.points(found.interval.low), wording.points(found.interval.high)
    return f"{wording.points(found.mean)} ({low} to {high}, {wording.count(len(found.seeds), 'seed')})"


def weights_table(workspace: Workspace, results: Sequence[RunResult]) -> pd.DataFrame:
    """The weights with which teachers taught: a row for each teacher, a column for each method, mean over its seeds."""
    alphas: dict[str, list[Mapping[str, float]]] = {}
    for result in results:
        if result.active_alpha:
            alphas.setdefault(result.title, []).append(result.active_alpha)
    teachers = {name for found in alphas.values() for alpha in found for name in alpha}
    means = {
        method: {name: sum(alpha.get(name, 0.0) for alpha in found) / len(found) for name in teachers}
        for method, found in alphas.items()
    }
    titles = {record.name: record.title for record in all_teachers(workspace)}
    ordered = sorted(teachers, key=lambda name: (-max(column[name] for column in means.values()), name))
    return pd.DataFrame(
        {"Teacher": [titles.get(name, name) for name in ordered]}  # of one that is not here any more, its name
        | {
            method: [_spread([alpha.get(name, 0.0) for alpha in alphas[method]]) for name in ordered]
            for method in means
        }
    )


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    if len(values) == 1 or max(values) - min(values) < 0.005:
        return f"{mean:.2f}" if mean else "–"
    return f"{mean:.2f} ({min(values):.2f} to {max(values):.2f})"
