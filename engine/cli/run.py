"""`python -m engine run`: one run from a file."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.cli.compare import CANCELLED
from engine.cli.options import add_command, add_json
from engine.cli.printing import print_json
from engine.errors import InvalidInputError
from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `run` to the command line."""
    run = add_command(
        verbs,
        "run",
        _run,
        "train one student as a file says",
        "Train one student as a JSON file says: its task and method, and any field of training. The same file gives "
        "the same run, and takes up one that was stopped.",
    )
    run.add_argument("spec", metavar="SPEC.json", type=Path, nargs="?")
    run.add_argument("--example", action="store_true", help="print a spec to begin with")
    run.add_argument("--queue", action="store_true", help="only queue it: the app or `work` does it, `runs` watches it")
    add_json(run)


def _run(options: argparse.Namespace) -> int:
    if options.example:
        from engine.runs import EXAMPLE

        return print_json(dict(EXAMPLE))
    if options.spec is None:
        raise InvalidInputError("run needs the file of a run: `run --example` prints one to begin with.")
    from engine.results import accuracy_sentence, read_result
    from engine.verbs import open_workspace, run

    workspace = open_workspace()
    if options.queue:
        queued = _queued(workspace, options.spec)
        if options.json:
            return print_json(queued)
        print(queued["run"])
        return 0
    try:
        document = run(workspace, options.spec)
    except KeyboardInterrupt:
        print("Cancelled; the same command goes on with it.", file=sys.stderr)
        return CANCELLED
    if options.json:
        return print_json(document)
    print(f"{document['run']}: {accuracy_sentence(read_result(workspace.runs / document['run']))}")
    return 0


def _queued(workspace: Workspace, path: Path) -> dict[str, str]:
    """The run that now waits, or is there already: its name and its state."""
    from engine.devices import resolve
    from engine.jobs import status
    from engine.runs import enqueue, read_spec_file, spec_from_file

    spec, device = spec_from_file(workspace, read_spec_file(path))
    [job] = enqueue(workspace, [spec], resolve(device))
    return {"run": job.id, "state": status(job).state}
