"""`python -m engine export`: a finished run's student as files."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from engine.cli.options import add_command


def add_parser(verbs: Any) -> None:
    """Add `export` to the command line."""
    export = add_command(verbs, "export", _export, "write a finished run's student as files")
    export.add_argument("run_id", metavar="RUN", help="a run's name, as compare prints it")
    export.add_argument("--out", required=True, type=Path, help="a folder that does not exist yet")
    export.add_argument("--format", help="how the student is written, such as onnx (default safetensors, for timm)")
    export.add_argument("--anyway", action="store_true", help="also a format that loses more accuracy than it may")
    export.add_argument("--push-to", metavar="NAME", help="of format timm: a private repository owner/name of the hub")


def _export(options: argparse.Namespace) -> int:
    from engine.delivery import DEFAULT, check_push, export_student, push
    from engine.verbs import finished_run, open_workspace

    form = options.format or ("timm" if options.push_to else DEFAULT)
    if options.push_to:
        check_push(form, options.push_to)
    run = finished_run(open_workspace(), options.run_id)
    exported = export_student(run, options.out, form, anyway=options.anyway)
    for path in exported.files:
        print(path)
    if exported.check:
        print(exported.check)
    if options.push_to:
        print(push(options.out, options.push_to))
    return 0
