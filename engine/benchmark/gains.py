"""One table from several comparisons, as `python -m engine compare --json` printed them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from engine.errors import DamagedFileError, InvalidInputError
from engine.evaluation import Interval, accuracy_interval, bootstrap_over_targets, mean_over_targets
from engine.methods import METHODS, get_method, place

# What comparisons must have in common before their differences may be averaged.
COMMON = ("labels_per_class", "student", "start", "size", "images")


@dataclass(frozen=True)
class Cell:
    """One method on one task, means over `seeds`. accuracy: 0..1, higher is better. seconds: of training. consensus:
    how often what its students learned from is right, 0..1, of labels that were left out and of training images whose
    labels no method sees. None where it was not written down.
    """

    task: str
    method: str
    accuracy: float
    interval: Interval
    seeds: tuple[int, ...]
    test_images: int
    seconds: float | None = None
    consensus: float | None = None
    consensus_unlabeled: float | None = None


@dataclass(frozen=True)
class Gain:
    """Mean over tasks of a method's accuracy minus the reference's, paired by task and seed; shares, above 0 is better.

    over_seeds: where the mean over *these* tasks would lie with other seeds; None with one seed. over_tasks: with other
    tasks as well; None with fewer than three tasks.
    """

    method: str
    reference: str
    mean: float
    by_task: Mapping[str, float]
    seeds: tuple[int, ...]
    over_seeds: Interval | None
    over_tasks: Interval | None


@dataclass(frozen=True)
class GainTable:
    """All cells, and each method's gains over each reference that was run.

    without_relatives: the same gains over the tasks in which no active teacher saw other parts of the task's own
    collection; empty where that leaves no task or leaves none out.
    """

    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    common: Mapping[str, Any]
    cells: tuple[Cell, ...]
    gains: tuple[Gain, ...]
    related: tuple[str, ...]  # tasks with such a teacher
    without_relatives: tuple[Gain, ...]


def tabulate(documents: Sequence[Mapping[str, Any]]) -> GainTable:
    """The table of several comparisons; those of one task are put together, each run once.

    Raises InvalidInputError if there is none, if they differ in labels a class, student, start, size or budget, or if
    those of one task saw different images; DamagedFileError for a document that is no comparison.
    """
    if not documents:
        raise InvalidInputError("A benchmark needs at least one comparison: name a file or a task.")
    try:
        documents = _by_task(documents)
        accuracies = {d["task"]: _accuracies(d) for d in documents}
        common = {name: documents[0]["shared"].get(name) for name in COMMON}
        for document in documents:
            _require_common(common, document)
        cells = tuple(_cell(d, method, by_seed) for d in documents for method, by_seed in accuracies[d["task"]].items())
        related = tuple(d["task"] for d in documents if any(r.get("related_teachers") for r in d["results"]))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedFileError(f"This is not what `compare --json` prints ({error}): make it again.") from error
    methods = tuple(sorted(dict.fromkeys(cell.method for cell in cells), key=place))
    images = {cell.task: cell.test_images for cell in cells}
    apart = {task: found for task, found in accuracies.items() if task not in related}
    return GainTable(
        tasks=tuple(accuracies),
        methods=methods,
        common=common,
        cells=cells,
        gains=_gains(accuracies, methods, images),
        related=related,
        without_relatives=_gains(apart, methods, images) if 0 < len(apart) < len(accuracies) else (),
    )


def tabulate_apart(documents: Sequence[Mapping[str, Any]]) -> list[GainTable]:
    """A table for each set of comparisons that may be averaged, the smallest budget first. Raises as `tabulate` does,
    but not for comparisons that differ.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for document in documents:
        shared = document.get("shared") if isinstance(document, Mapping) else None
        common = [shared.get(name) for name in COMMON] if isinstance(shared, Mapping) else []
        groups.setdefault(repr(common), []).append(document)
    tables = [tabulate(group) for group in groups.values()] if groups else [tabulate(documents)]
    return sorted(tables, key=lambda table: (table.common["size"] or 0, table.common["images"] or 0))


def as_document(table: GainTable) -> dict[str, Any]:
    """The JSON value of a table."""
    return asdict(table)


def _by_task(documents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """One document for each task, with the results of all of its documents."""
    merged: dict[str, dict[str, Any]] = {}
    for document in documents:
        first = merged.setdefault(document["task"], {**document, "results": []})
        if first["shared"].get("task_revision") != document["shared"].get("task_revision"):
            raise InvalidInputError(f"Task {document['task']!r} changed between its comparisons: run them again.")
        _require_common({name: first["shared"].get(name) for name in COMMON}, document)
        first["results"] = [*first["results"], *document["results"]]
    return list(merged.values())


def _accuracies(document: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    """Accuracy by method and seed."""
    found: dict[str, dict[int, float]] = {}
    for result in document["results"]:
        found.setdefault(get_method(result["method"]).key, {})[int(result["seed"])] = float(result["accuracy"])
    return found


def _require_common(common: Mapping[str, Any], document: Mapping[str, Any]) -> None:
    for name, value in common.items():
        if name in document["differs"] or document["shared"].get(name) != value:
            raise InvalidInputError(
                f"The comparisons differ in {name.replace('_', ' ')} ({value} and {document['shared'].get(name)}, task "
                f"{document['task']!r}): their gains cannot be averaged. Run them with the same settings."
            )


def _cell(document: Mapping[str, Any], method: str, by_seed: Mapping[int, float]) -> Cell:
    images = int(document["results"][0]["test_images"])
    values = [by_seed[seed] for seed in sorted(by_seed)]
    of_method = [result for result in document["results"] if get_method(result["method"]).key == method]
    own = {int(result["seed"]): result for result in of_method}.values()
    alone = next(iter(own)).get("interval") if len(own) == 1 else None  # over groups, where its images are in groups
    interval = Interval(**alone) if alone else accuracy_interval(values, images)
    judged = [result.get("consensus") or {} for result in own]
    return Cell(
        task=document["task"],
        method=method,
        accuracy=float(np.mean(values)),
        interval=interval,
        seeds=tuple(sorted(by_seed)),
        test_images=images,
        seconds=_mean([result.get("seconds") for result in own]),
        consensus=_mean([found.get("accuracy") for found in judged]),
        consensus_unlabeled=_mean([found.get("unlabeled_accuracy") for found in judged]),
    )


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, or None unless each is known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def _gains(
    accuracies: Mapping[str, Mapping[str, Mapping[int, float]]], methods: Sequence[str], images: Mapping[str, int]
) -> tuple[Gain, ...]:
    references = [key for key, method in METHODS.items() if method.baseline]
    pairs = [(method, reference) for reference in references for method in methods if method != reference]
    found = [_gain(accuracies, method, reference, images) for method, reference in pairs if reference in methods]
    return tuple(gain for gain in found if gain is not None)


def _gain(
    accuracies: Mapping[str, Mapping[str, Mapping[int, float]]], method: str, reference: str, images: Mapping[str, int]
) -> Gain | None:
    """The gain over the tasks and seeds that have both, or None if no seed is shared by all of those tasks. images: of
    each task's test.
    """
    both = {t: (m[method], m[reference]) for t, m in accuracies.items() if method in m and reference in m}
    if not both:
        return None
    seeds = sorted(set.intersection(*({*own} & {*other} for own, other in both.values())))
    if not seeds:
        return None
    differences = [[own[seed] - other[seed] for seed in seeds] for own, other in both.values()]
    mean, over_seeds = mean_over_targets(differences, images=[images[task] for task in both])
    by_task = {task: float(np.mean(row)) for task, row in zip(both, differences, strict=True)}
    return Gain(method, reference, mean, by_task, tuple(seeds), over_seeds, bootstrap_over_targets(differences))
