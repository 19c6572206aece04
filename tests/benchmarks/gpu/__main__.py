"""`python -m tests.benchmarks.gpu [--cpu] [--json] [--only PART,...]`: how well a card is used, and if it is right.

Parts: loops (ours beside plain loops, in student images with gradient a second), numbers (the same weights as a plain
loop, and after a resumption), commands (`rank` and `compare` from the first key to the table), extraction, spread
(accuracy on a card within that of the seeds that were recorded on a CPU). --cpu: the same on a CPU, with shorter times
and smaller steps. Ends with 1 if a row could not be measured or a goal was missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from engine.devices import describe, resolve
from engine.errors import WorkbenchError
from engine.training import TrainSpec
from tests.benchmarks.gpu.rows import Goal, Row, all_rows, between_rows
from tests.benchmarks.gpu.watch import TooLongError, at_most

LIMIT = {"cuda": 240, "cpu": 900}  # s for everything: a card is lent for minutes
SECONDS = {"cuda": 0.8, "cpu": 3.0}  # of timing a loop


def main(arguments: Sequence[str]) -> int:
    """Measure, print, and say whether all is well."""
    options = _options(arguments)
    kind = "cpu" if options.cpu else "cuda"
    try:
        device = resolve(kind)
    except WorkbenchError as error:
        print(f"error: {error} --cpu measures on a CPU.", file=sys.stderr)
        return 1
    ends = time.monotonic() + (options.limit or LIMIT[kind])
    seconds = SECONDS[kind] if options.seconds is None else options.seconds
    sizes = tuple(int(size) for size in options.sizes.split(","))
    chosen = options.only.split(",") if options.only else None
    document: dict[str, Any] = {
        "device": describe(device),
        "torch": torch.__version__,
        "when": datetime.now(UTC).isoformat(timespec="minutes"),
        "rows": {},
    }
    say = _quiet if options.json else print
    say(f"{document['device']}, torch {document['torch']}, {document['when']}")
    for row in all_rows(device, seconds, sizes, options.architecture):
        if chosen is None or row.part in chosen:
            document["rows"][row.name] = found = _measured(row, ends)
            say(_line(row, found), flush=True)
    measured = {name: found for name, found in document["rows"].items() if "error" not in found}
    goals = between_rows(measured, device)
    document["goals"] = [asdict(goal) for goal in goals]
    for goal in goals:
        say(_said(goal))
    if options.json:
        print(json.dumps(document, indent=1))
    missed = [goal for found in measured.values() for goal in found["goals"] if goal["passed"] is False]
    failed = len(measured) < len(document["rows"])
    return 1 if failed or missed or any(goal.passed is False for goal in goals) else 0


def _measured(row: Row, ends: float) -> dict[str, Any]:
    """What a row found, or why it found nothing."""
    left = ends - time.monotonic()
    if left <= 1:
        return {"error": "not measured: the time was up"}
    try:
        with at_most(min(row.limit, left)):
            found = dict(row.measured())
    except TooLongError as error:
        return {"error": f"given up: {error}"}
    except Exception as error:  # one row that fails must not cost the others; it is printed, and the exit status tells
        return {"error": f"{type(error).__name__}: {error}"}
    return {**found, "goals": [asdict(goal) for goal in row.goals(found)]}


def _line(row: Row, found: dict[str, Any]) -> str:
    """A row as text, its goals under it."""
    if "error" in found:
        return f"{row.name}\n    FAILED  {found['error']}"
    values = "  ".join(
        f"{name} {_text(name, value)}" for name, value in found.items() if name not in ("goals", "spread")
    )
    return "\n".join([f"{row.name}\n    {values}", *(_said(Goal(**goal)) for goal in found["goals"])])


def _said(goal: Goal) -> str:
    verdict = {True: "pass", False: "MISS", None: "open"}[goal.passed]
    return f"    {verdict:4}  {goal.wanted}: {goal.reached}"


def _text(name: str, value: Any) -> str:
    if value is None:
        return "not measured"
    if name == "notes":
        return "; ".join(value)
    if name == "memory":
        return f"{value / 2**30:.2f} GiB"
    if name == "apart":
        return f"{value:.1e}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def _quiet(*text: object, flush: bool = False) -> None:
    """With --json nothing else is printed."""


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu", description=__doc__.partition("\n")[0])
    parser.add_argument("--cpu", action="store_true", help="measure on a CPU, with shorter times and smaller steps")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--only", help="parts, comma-separated: loops, numbers, commands, extraction, spread")
    parser.add_argument("--sizes", default="64,224", help="image sizes, in pixels (default 64,224)")
    parser.add_argument("--architecture", default=TrainSpec.architecture, help="the student (timm's name)")
    parser.add_argument("--seconds", type=float, help="of timing each loop")
    parser.add_argument("--limit", type=float, help="seconds for everything")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
