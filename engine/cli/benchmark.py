"""`python -m engine benchmark`: comparisons of several tasks in one table of gains, and the suites that make them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.compare import CANCELLED
from engine.cli.options import add_command, add_engine, add_json, integer, names
from engine.cli.printing import print_benchmark, print_json, print_table
from engine.errors import InvalidInputError
from engine.wording import count, duration

if TYPE_CHECKING:
    from engine.benchmark.sittings import Agenda
    from engine.benchmark.suites import Suite
    from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `benchmark` to the command line."""
    benchmark = add_command(
        verbs,
        "benchmark",
        _benchmark,
        "put comparisons of several tasks into one table of gains, or make them",
        "Put comparisons of several tasks into one table of gains; with --suite, make them first, one task after the "
        "other. Runs that this workspace has already are kept: a new WORKBENCH_HOME begins anew.",
    )
    benchmark.add_argument("files", nargs="*", type=Path, metavar="FILE", help="what `compare --json` or a suite wrote")
    suite = benchmark.add_argument_group("suites")
    suite.add_argument(
        "--suite",
        help="eight (the target tasks), development (those to tune on) or budget (accuracy against student images)",
    )
    suite.add_argument(
        "--resume",
        action="store_true",
        help="leave out what is finished in this very definition, and go on with the rest",
    )
    suite.add_argument("--tasks", help="comma-separated; those that the suite takes by default")
    suite.add_argument("--methods", help="comma-separated, as `compare` takes them; by default the suite's own")
    suite.add_argument("--seeds", help="comma-separated; by default the suite's own")
    suite.add_argument("--images", help="student images of each run; several, comma-separated, for a suite of budgets")
    suite.add_argument("--device", help="auto, cuda (any card), cuda:1 (that one), mps or cpu")
    add_engine(suite)
    suite.add_argument("--out", type=Path, help="folder of the files, in place of assets/results")
    suite.add_argument("--dry-run", action="store_true", help="say what would be done, and do nothing")
    add_json(benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    if options.suite is not None:
        return _suite(options)
    if wrong := [name for name in _OF_SUITES if getattr(options, name) not in (None, False)]:
        raise InvalidInputError(f"--{wrong[0].replace('_', '-')} is an option of a suite: name one with --suite.")
    return _print(options, _in_files(options.files))


_OF_SUITES = ("resume", "tasks", "methods", "seeds", "images", "device", "engine", "out", "dry_run")


def _in_files(files: Sequence[Path]) -> list[Any]:
    from engine.files import read_json
    from engine.runs.recorded import comparisons_in

    return [document for path in files for document in comparisons_in(read_json(path))]


def _print(options: argparse.Namespace, documents: Sequence[Mapping[str, Any]]) -> int:
    """One table, or one for each set of comparisons that may be averaged."""
    from engine.benchmark import as_document, tabulate_apart

    tables = tabulate_apart(documents)
    if options.json:
        found = [as_document(table) for table in tables]
        return print_json(found[0] if len(found) == 1 else {"tables": found})
    for place, table in enumerate(tables):
        if place:
            print()
        print_benchmark(table)
    return 0


def _suite(options: argparse.Namespace) -> int:
    from engine.benchmark import agenda, device_sentence, get_suite, results_folder, run_sittings
    from engine.runs import LOCAL
    from engine.verbs import compare, open_workspace

    if options.files:
        raise InvalidInputError("--suite makes its files itself: name files without it, to print their table.")
    suite = get_suite(options.suite).narrowed(
        names(options.tasks), names(options.methods), _whole(options, "seeds"), _whole(options, "images")
    )
    folder, workspace = results_folder(options.out), open_workspace()
    found = agenda(workspace, suite, folder, options.device, options.engine or LOCAL)
    to_do = [one for one in found.sittings if not (options.resume and one.document())]
    if options.dry_run:
        return _say_plan(options, workspace, found)
    runs = sum(len(one.unfinished(workspace)) for one in to_do)
    on = device_sentence(found.sittings[0].device) if found.sittings else "no device"
    _say(f"Suite {suite.key}: {suite.title}. {count(runs, 'run')} to do, on {on}.")
    for one in found.sittings:
        if one not in to_do:
            _say(f"{one.name} is finished: {one.path}")
    try:
        failures = [*found.failures, *run_sittings(workspace, to_do, compare, _say)]
    except KeyboardInterrupt:
        _say(f"Cancelled. This goes on with it: {_going_on(options, suite)}")
        return CANCELLED
    documents = [document for one in found.sittings if (document := one.document()) is not None]
    if documents:
        _print(options, documents)
    for failure in failures:
        print(f"error: {failure}", file=sys.stderr)
    if failures:
        _say(f"Not finished. This goes on with it: {_going_on(options, suite)}")
    return 1 if failures else 0


def _say_plan(options: argparse.Namespace, workspace: Workspace, found: Agenda) -> int:
    """What a suite would do, a row for each of its comparisons."""
    rows = []
    for one in found.sittings:
        finished = one.document() is not None
        left = [] if finished and options.resume else one.unfinished(workspace)
        seconds = one.seconds(workspace) if left else 0.0
        rows.append(
            {
                "task": one.task.name,
                "student images": f"{one.images:,}",
                "runs": len(one.specs),
                "to do": len(left),
                "about": "unknown" if seconds is None else duration(seconds),
                "file": str(one.path),
                "its file is": "of this definition"
                if finished
                else "of another one"
                if one.path.exists()
                else "missing",
            }
        )
    for failure in found.failures:
        print(f"error: {failure}", file=sys.stderr)
    if options.json:
        print_json(rows)
    elif rows:
        print_table(rows, tuple(rows[0]))
    return 1 if found.failures else 0


def _going_on(options: argparse.Namespace, suite: Suite) -> str:
    from engine.benchmark import suite_command

    given = {
        name: getattr(options, name) for name in ("tasks", "methods", "seeds", "images", "device", "engine", "out")
    }
    return suite_command(suite, **given, resume=True)


def _whole(options: argparse.Namespace, name: str) -> list[int] | None:
    found = names(getattr(options, name))
    return None if found is None else [integer(f"--{name}", text) for text in found]


def _say(text: str) -> None:
    print(text, file=sys.stderr)
