"""`python -m engine report`: a comparison as one HTML page."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import add_command


def add_parser(verbs: Any) -> None:
    """Add `report` to the command line."""
    report = add_command(
        verbs,
        "report",
        _report,
        "write a comparison as one HTML page for a colleague",
        "Write a comparison as one HTML page that holds all it shows, images of the task included, and asks no other "
        "machine for anything.",
    )
    report.add_argument("comparison", metavar="COMPARISON", help="what compare printed, or recorded:TASK")
    report.add_argument("--out", type=Path, required=True, help="the file, such as report.html")


def _report(options: argparse.Namespace) -> int:
    from engine.delivery import write_report
    from engine.verbs import open_workspace

    print(write_report(open_workspace(), options.comparison, options.out))
    return 0
