"""`python -m engine trash`: removed tasks and runs; put one back, delete all for good."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import Any

from engine.cli.confirming import confirmed
from engine.cli.options import add_command, add_json
from engine.cli.printing import print_rows
from engine.files import in_words
from engine.wording import ago, count
from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `trash` and the commands under it to the command line."""
    trash = add_command(verbs, "trash", _trash, "list removed tasks and runs; restore, empty", __doc__)
    add_json(trash)
    below = trash.add_subparsers(metavar="restore | empty")
    restore = add_command(below, "restore", _restore, "put a removed task or run back")
    restore.add_argument("id", metavar="ID", help="its name, its id in the trash, or the beginning of one")
    empty = add_command(below, "empty", _empty, "delete removed tasks and runs for good; asks first")
    empty.add_argument("ids", nargs="*", metavar="ID", help="some of them alone")
    empty.add_argument("--yes", action="store_true", help="do not ask")


def _trash(options: argparse.Namespace) -> int:
    from engine.runs import discards

    found = discards(Workspace.from_environment())
    rows = [{**asdict(one), "removed": ago(one.removed), "size": in_words(one.size)} for one in found]
    if not found and not options.json:
        print("The trash is empty.")
        return 0
    document = {"removed": [asdict(one) for one in found], "size": sum(one.size for one in found)}
    return print_rows(options, document, rows, ("name", "kind", "removed", "size", "id"))


def _restore(options: argparse.Namespace) -> int:
    from engine.runs import restore

    entry = restore(Workspace.from_environment(), options.id)
    print(f"Put {entry.kind} {entry.name} back.")
    return 0


def _empty(options: argparse.Namespace) -> int:
    from engine.runs import delete, discarded, discards

    workspace = Workspace.from_environment()
    chosen = [discarded(workspace, one) for one in options.ids] if options.ids else discards(workspace)
    if not chosen:
        print("The trash is empty.")
        return 0
    what = f"{count(len(chosen), 'removed task or run', 'removed tasks and runs')}"
    if not confirmed(f"Delete {what} ({in_words(sum(one.size for one in chosen))}) for good?", yes=options.yes):
        print("Nothing was deleted.")
        return 1
    print(f"Deleted {what} for good: {in_words(delete(workspace, chosen))} are free again.")
    return 0
