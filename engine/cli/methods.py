"""`python -m engine methods`: the methods that `compare` knows, and what can be set of each."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_rows


def add_parser(verbs: Any) -> None:
    """Add `methods` to the command line."""
    add_json(add_command(verbs, "methods", _methods, "list the methods, their settings and defaults"))


def _methods(options: argparse.Namespace) -> int:
    from engine.methods import METHODS

    rows = [_row(method) for method in METHODS.values()]
    for row in rows:
        defaults = ", ".join(f"{name}={json.dumps(value)}" for name, value in row["defaults"].items())
        row["with defaults"] = defaults or "-"
        row["compared"] = "by default" if row["preselected"] else "if named"
    document = [{name: row[name] for name in row if name not in ("with defaults", "compared")} for row in rows]
    return print_rows(options, {"methods": document}, rows, ("method", "title", "compared", "with defaults"))


def _row(method: Any) -> dict[str, Any]:
    from engine.methods import names_of

    settings = method.settings()
    return {
        "method": method.key,
        "title": method.title,
        "summary": method.summary,
        "paper": method.paper,
        "needs": ["labels", *sorted(settings.needs)],
        "weights": method.weights,
        "p": "inf" if method.p == math.inf else method.p,
        "preselected": method.preselected,
        "defaults": {name: getattr(settings, name) for name in names_of(method.settings)} | dict(method.shared),
    }
