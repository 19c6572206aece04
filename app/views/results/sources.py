"""What the Results page can show: the comparisons of a task that were run here, and the recorded one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from app.components import tables, wording
from app.components.charts import Curve
from engine.evaluation import Interval
from engine.results import RunResult
from engine.runs import (
    RECORDED,  # stands in the URL where the id of an own comparison would
    Compared,
    Comparison,
    ConsensusMean,
    MethodMean,
    list_comparisons,
    machine_of,
    mean_by_teacher,
    read_compared,
    read_runs,
    recorded_budgets,
    recorded_compared,
    recorded_comparison,
)
from engine.teachers import all_teachers
from engine.workspace import Workspace


@dataclass(frozen=True)
class Source:
    """A comparison that can be shown. comparison: the own one; None for the recorded one."""

    id: str
    label: str
    comparison: Comparison | None


Shown = Compared  # what the page shows of a source


def curves(shown: Shown) -> list[Curve]:
    """Each run's curve, in the order in which the runs were made."""
    return [Curve(result.method, result.seed, result.curve) for result in shown.results]


def sources(workspace: Workspace, task: str) -> list[Source]:
    """What there is to show: own comparisons, the newest first, then the recorded one."""
    found = [Source(c.id, wording.described(c), c) for c in list_comparisons(workspace, task)]
    document = recorded_comparison(task)
    if document is not None:
        when = wording.moment(document.get("created", ""))
        found.append(Source(RECORDED, f"Recorded · {when} · {machine_of(document)}", None))
    return found


def load(workspace: Workspace, source: Source, task: str) -> Shown:
    """The numbers of a source. Raises WorkbenchError for a damaged file."""
    if source.comparison is None:
        return recorded_compared(recorded_comparison(task) or {}, task)
    return read_compared(workspace, source.comparison)


def budgets(task: str) -> list[Shown]:
    """The comparisons with one budget each that came with the program, the smallest first. Raises WorkbenchError."""
    return [recorded_compared(document, task) for document in recorded_budgets(task)]


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
            "Consensus, %": None if mean.consensus is None else _consensus(mean.consensus),
            "At equal seconds, %": "–" if mean.at_equal_seconds is None else f"{100 * mean.at_equal_seconds:.1f}",
            "Test images": f"{mean.test_images:,}",
        }
        for mean in shown.means
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all").fillna("–")


def _consensus(found: ConsensusMean) -> str:
    return f"{100 * found.accuracy:.1f} ({in_percent(found.interval)})"


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
    means = {method: mean_by_teacher(found) for method, found in alphas.items()}
    titles = {record.name: record.title for record in all_teachers(workspace)}
    ordered = sorted(teachers, key=lambda name: (-max(column.get(name, 0.0) for column in means.values()), name))
    return pd.DataFrame(
        {"Teacher": [titles.get(name, name) for name in ordered]}  # of one that is not here any more, its name
        | {
            method: [_spread([alpha.get(name, 0.0) for alpha in alphas[method]]) for name in ordered]
            for method in means
        }
    )


def _spread(values: Sequence[float]) -> str:
    mean = sum(values) / len(values)
    low, middle, high = (format(value, tables.WEIGHT) for value in (min(values), mean, max(values)))
    if low == high:
        return middle if mean else "–"
    return f"{middle} ({low} to {high})"
