"""`python -m engine benchmark`: comparisons of several tasks in one table of gains."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_benchmark, print_json


def add_parser(verbs: Any) -> None:
    """Add `benchmark` to the command line."""
    benchmark = add_command(verbs, "benchmark", _benchmark, "put comparisons of several tasks into one table of gains")
    benchmark.add_argument("files", nargs="+", type=Path, metavar="FILE", help="what `compare --json` printed")
    add_json(benchmark)


def _benchmark(options: argparse.Namespace) -> int:
    from engine.benchmark import as_document, tabulate
    from engine.files import read_json

    table = tabulate([read_json(path) for path in options.files])
    return print_json(as_document(table)) if options.json else print_benchmark(table)
