"""What the command line prints on standard output: tables and JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.results import results_in
from engine.runs import starts_sentence
from engine.wording import ALL_LABELS_INTERVALS, count, number, percent, points


def print_rows(
    options: argparse.Namespace, document: dict[str, Any], rows: list[dict[str, Any]], shown: tuple[str, ...]
) -> int:
    """With --json the whole document, else a table of the `shown` keys of its rows."""
    if options.json:
        return print_json(document)
    print_table(rows, shown)
    return 0


def print_json(document: Any) -> int:
    """One document on standard output."""
    print(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False))
    return 0


def print_table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Rows under the names of their columns, aligned."""
    titles = {column: column.replace("_", " ") for column in columns}
    text = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[i]) for line in [list(titles.values()), *text]) for i, c in enumerate(columns)]
    for line in [[titles[c] for c in columns], ["-" * width for width in widths], *text]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_ranking(document: Mapping[str, Any]) -> None:
    """The teachers under one metric."""
    if document["problem"]:
        print(f"No ranking is possible: {document['problem']}")
        return
    print(f"{document['metric']} on {_labels(document)} (higher is better)")
    places = [{**row, "score": row["similarity"]} for row in document["ranking"]]
    rows = [{**_place_cells(p, ".2f"), "collection": p["collection"], "relation": p["relation"]} for p in places]
    print_table(rows, tuple(rows[0]))
    if document["doubt"]:
        print(f"no intervals: {document['doubt']}")
    _print_undecided(document["undecided"], rows[0]["teacher"])


def print_panel(document: Mapping[str, Any]) -> None:
    """The mean rank over the metrics, and who comes first under each."""
    if by_mean_rank := document["consensus"]:
        count = len(by_mean_rank["metrics"])
        print(f"Mean rank over the {count} metrics that use the labels, on {_labels(document)}")
        print("(lower is better; 1 is first under every metric)")
        rows = [_place_cells(place, ".1f", "mean rank") for place in by_mean_rank["places"]]
        print_table(rows, tuple(rows[0]))
        _print_undecided(by_mean_rank["undecided"], rows[0]["teacher"])
        print()
    rows = []
    for found in document["metrics"]:
        if found["problem"]:
            continue
        cells = _place_cells(found["places"][0], ".4g")
        alike = sum(place["rank"] == 1 for place in found["places"])
        first = cells.pop("teacher") if alike == 1 else f"{alike} alike"
        del cells["rank"]
        rows.append({"metric": found["metric"], "first": first, **cells, "unit": found["unit"]})
    if rows:
        print("First under each metric (higher is better)")
        print_table(rows, tuple(rows[0]))
    for found in document["metrics"]:
        if found["problem"]:
            print(f"{found['metric']}: no ranking: {found['problem']}")
        elif found["doubt"]:
            print(f"{found['metric']}: no intervals: {found['doubt']}")


def _place_cells(place: Mapping[str, Any], form: str, score: str = "similarity") -> dict[str, str]:
    """A teacher's place as the cells of a row; interval and share of first places where there are any."""
    cells = {"rank": str(place["rank"]), "teacher": place["teacher"], score: number(place["score"], form)}
    if interval := place["interval"]:
        cells[f"{percent(interval['level'], 0)} interval"] = _between_numbers(interval, form)
        cells["first in"] = percent(place["probability_first"], 0)
    return cells


def _print_undecided(undecided: Sequence[Sequence[str]] | None, first: str) -> None:
    """Who may as well be first."""
    others = [name for pair in undecided or () if first in pair for name in pair if name != first]
    if others:
        print(f"not told apart from {first}: {', '.join(others)}")


def _labels(document: Mapping[str, Any]) -> str:
    drawn = f", {document['resamples']} draws of half of them" if document["resamples"] else ""
    used, there = document["labeled_images"], document["labels"]
    of = f" (of {there:,}, spread evenly over the classes)" if used < there else ""
    return f"{used:,} labeled images of {document['task']}{of}{drawn}"


def print_comparison(document: dict[str, Any]) -> None:
    """What the runs share, and each method's accuracy with its interval."""
    shared = document["shared"]
    common = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shared.items())
    print(f"{document['comparison']}: accuracy in % of held-out images (higher is better)\nshared: {common}")
    if document["differs"]:
        print(f"NOT shared: {', '.join(document['differs'])}")
    if said := starts_sentence(results_in(document, Path(document["comparison"]))):
        print(said)
    rows = []
    for mean in document["means"]:
        interval, difference = mean["interval"], mean["difference"]
        rows.append(
            {
                "method": mean["title"],
                "accuracy": f"{100 * mean['accuracy']:.1f}",
                "interval": f"{100 * interval['low']:.1f} to {100 * interval['high']:.1f}",
                "from": interval["method"],
                "to fine-tuning": "" if difference is None else points(difference["mean"]),
                "student images": f"{mean['images']:,}",
                "seconds": f"{mean['seconds']:.0f}",
                "at equal seconds": "" if (at := mean["at_equal_seconds"]) is None else f"{100 * at:.1f}",
            }
        )
    if rows:
        print_table(rows, tuple(rows[0]))
    for mean in document["means"]:
        if found := mean["consensus"]:
            print(f"{mean['title']}: the consensus is right on {_consensus(found)}")
    if "all_labels" in shared and any(len(mean["seeds"]) > 1 for mean in document["means"]):
        print(f"note: {ALL_LABELS_INTERVALS}")
    for result in document["results"]:
        print(f"run {result['run']}: {percent(result['accuracy'])}")


def print_benchmark(table: Any) -> int:
    """Accuracies by task and method, and the gains over the tasks."""
    common = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in table.common.items())
    print(f"Accuracy in % of held-out images (higher is better); shared: {common}")
    cells = {(cell.task, cell.method): cell for cell in table.cells}
    rows = []
    for task in table.tasks:
        own = [cell for cell in table.cells if cell.task == task]
        counts = sorted({len(cell.seeds) for cell in own})
        seeds = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
        row: dict[str, Any] = {"task": task, "seeds": seeds, "test images": own[0].test_images}
        for method in table.methods:
            cell = cells.get((task, method))
            row[method] = "" if cell is None else f"{100 * cell.accuracy:.1f} {_between(cell.interval, _accuracy)}"
        rows.append(row)
    print_table(rows, tuple(rows[0]))
    _print_costs(table)
    _print_gains("Gain in points, paired by task and seed (above 0 is better)", table.gains)
    if table.without_relatives:
        left_out = ", ".join(table.related)
        _print_gains(
            f"The same without tasks whose collection a teacher knows in part ({left_out})", table.without_relatives
        )
    return 0


def _consensus(found: Mapping[str, Any]) -> str:
    """Of how many labels that were left out, and of how many training images whose labels no method sees."""
    low, high = percent(found["interval"]["low"]), percent(found["interval"]["high"])
    said = f"{percent(found['accuracy'])} ({low} to {high}) of {count(found['images'], 'label')} left out"
    if found["unlabeled_accuracy"] is not None:
        images = count(found["unlabeled_images"], "training image")
        said += f", and on {percent(found['unlabeled_accuracy'])} of {images} whose labels no method sees"
    return said


def _print_costs(table: Any) -> None:
    """Seconds of training by task and method, and how often the consensus is right that students learned from."""
    rows = []
    for task in table.tasks:
        own = {cell.method: cell for cell in table.cells if cell.task == task}
        row: dict[str, Any] = {"task": task}
        for method in table.methods:
            seconds = own[method].seconds if method in own else None
            row[method] = "" if seconds is None else f"{seconds:.0f} s"
        for method, cell in own.items():
            if cell.consensus is not None:
                row[f"consensus of {method}"] = _accuracy(cell.consensus)
            if cell.consensus_unlabeled is not None:
                row["of unlabeled images"] = _accuracy(cell.consensus_unlabeled)
        rows.append(row)
    columns = tuple(dict.fromkeys(name for row in rows for name in row))
    if any(row.get(method) for row in rows for method in table.methods):
        print("\nSeconds of training, mean over seeds; consensus: % right of labels left out, and of unlabeled images")
        print_table(rows, columns)


def _print_gains(title: str, gains: Sequence[Any]) -> None:
    rows = [
        {
            "method": gain.method,
            "over": gain.reference,
            "mean": points(gain.mean),
            "other seeds": _between(gain.over_seeds, points),
            "other tasks too": _between(gain.over_tasks, points),
            "tasks": len(gain.by_task),
            "seeds": len(gain.seeds),
            "by task": ", ".join(f"{task} {points(value)}" for task, value in gain.by_task.items()),
        }
        for gain in gains
    ]
    if rows:
        print(f"\n{title}")
        print_table(rows, tuple(rows[0]))


def _between_numbers(interval: Mapping[str, float], form: str) -> str:
    return f"{number(interval['low'], form)} to {number(interval['high'], form)}"


def _between(interval: Any, form: Callable[[float], str]) -> str:
    return "unknown" if interval is None else f"({form(interval.low)} to {form(interval.high)})"


def _accuracy(share: float) -> str:
    return f"{100 * share:.1f}"
