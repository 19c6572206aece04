"""`python -m engine export`: a finished run's student as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import add_command
from engine.cli.printing import print_table
from engine.errors import InvalidInputError


def add_parser(verbs: Any) -> None:
    """Add `export` to the command line."""
    export = add_command(verbs, "export", _export, "write a finished run's student as files")
    export.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    export.add_argument("--out", type=Path, help="a folder that does not exist yet")
    export.add_argument("--format", help="how the student is written, such as onnx (default safetensors, for timm)")
    export.add_argument("--anyway", action="store_true", help="also a format that loses more accuracy than it may")
    export.add_argument("--push-to", metavar="NAME", help="of format timm: a private repository owner/name of the hub")
    export.add_argument("--measure", action="store_true", help="write nothing: every format's size, accuracy and time")


def _export(options: argparse.Namespace) -> int:
    from engine.delivery import DEFAULT, check_push, export_student, finished_run, push
    from engine.verbs import open_workspace

    form = options.format or ("timm" if options.push_to else DEFAULT)
    if options.push_to:
        check_push(form, options.push_to)
    run = finished_run(open_workspace(), options.run_id)
    if options.measure:
        return _measure(run)
    if options.out is None:
        raise InvalidInputError("--out is missing: name a folder that does not exist yet.")
    exported = export_student(run, options.out, form, anyway=options.anyway)
    for path in exported.files:
        print(path)
    if exported.check:
        print(exported.check)
    if options.push_to:
        print(push(options.out, options.push_to))
    return 0


def _measure(run: Path) -> int:
    """Print the table of formats for small devices."""
    from engine.delivery import measure_formats
    from engine.progress import ProgressLine

    line = ProgressLine("formats")
    table = measure_formats(run, hear=lambda done, total, title: line(done, total, title))
    rows = [
        {
            "format": row.key,
            "MB": f"{row.size / 1e6:.1f}" if row.size else "",
            "accuracy": "" if row.accuracy is None else f"{100 * row.accuracy:.1f}",
            "ms on one thread": _milliseconds(row.one_thread),
            f"ms on {table.threads}": _milliseconds(row.all_threads),
        }
        for row in table.rows
    ]
    print(f"{table.run} on {table.machine}: milliseconds a picture, accuracy in % of held-out images")
    print_table(rows, tuple(rows[0]))
    for row in table.rows:
        if said := row.problem or row.check:
            print(f"{row.key}: {said}")
    return 0


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
