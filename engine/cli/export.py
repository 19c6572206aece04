"""`python -m engine export`: a finished run's student as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `export` to the command line."""
    text = "write a finished run's student as files"
    export = verbs.add_parser("export", help=text, description=text)
    export.set_defaults(run=_export)
    export.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    export.add_argument("--out", required=True, type=Path, help="a folder that does not exist yet")
    export.add_argument("--format", help="how the student is written (default safetensors, for timm)")


def _export(options: argparse.Namespace) -> int:
    from engine import jobs
    from engine.delivery import DEFAULT, export_student
    from engine.errors import UnknownNameError

    known = [job.id for job in jobs.list_jobs(Workspace.from_environment().runs)]
    if options.run_id not in known:
        raise UnknownNameError("run", options.run_id, known)
    for path in export_student(
        Workspace.from_environment().runs / options.run_id, options.out, options.format or DEFAULT
    ):
        print(path)
    return 0
