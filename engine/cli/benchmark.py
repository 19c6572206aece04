"""`python -m engine benchmark`: comparisons of several tasks in one table of gains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.printing import print_benchmark, print_json


def add_parser(verbs: Any) -> None:
    """Add `benchmark` to the command line."""
    text = "put comparisons of several tasks into one table of gains"
    benchmark = verbs.add_parser("benchmark", help=text, description=text)
    benchmark.set_defaults(run=_benchmark)
    benchmark.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what `compare --json` printed")
    benchmark.add_argument("--json", action="store_true", help="print one JSON document")


def _benchmark(options: argparse.Namespace) -> int:
    from engine.benchmark import as_document, tabulate
    from engine.files import read_json

    table = tabulate([read_json(path) for path in options.files])
    return print_json(as_document(table)) if options.json else print_benchmark(table)
