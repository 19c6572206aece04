"""The commands about tasks: list them, remove one of your own."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from engine.cli.options import add_command, add_json
from engine.cli.printing import print_rows
from engine.errors import WorkbenchError
from engine.workspace import Workspace


def add_parser(verbs: Any) -> None:
    """Add `tasks` and the commands under it to the command line."""
    tasks = add_command(verbs, "tasks", _tasks, "list the tasks; remove", __doc__)
    add_json(tasks)
    below = tasks.add_subparsers(metavar="remove")
    remove = add_command(below, "remove", _remove, "move a task of your own to the trash")
    remove.add_argument("name", metavar="NAME")


def _tasks(options: argparse.Namespace) -> int:
    from engine.review import open_task
    from engine.tasks import task_names

    workspace, rows, left_out = Workspace.from_environment(), list[dict[str, Any]](), list[dict[str, str]]()
    for name in task_names(workspace):
        try:
            rows.append(_task_row(open_task(workspace, name)))
        except WorkbenchError as error:  # one task that cannot be opened hides no other
            left_out.append({"name": name, "problem": str(error)})
            print(f"left out: {name}: {error}", file=sys.stderr)
    shown = ("name", "classes", "training_images", "test_images", "title")
    return print_rows(options, {"tasks": rows, "left_out": left_out}, rows, shown)


def _task_row(task: Any) -> dict[str, Any]:
    return {
        "name": task.name,
        "title": task.record.title,
        "classes": len(task.classes),
        "training_images": len(task.train_rows),
        "test_images": len(task.test_rows),
        "labels_per_class_at_least": int(min(task.available_labels(), default=0)),
        "collection": task.record.collection,
        "license": task.record.license,
    }


def _remove(options: argparse.Namespace) -> int:
    from engine.runs import remove_task, users_of_task

    workspace = Workspace.from_environment()
    finished = users_of_task(workspace, options.name).finished_runs
    identifier = remove_task(workspace, options.name)
    print(f"Moved {options.name} to the trash as {identifier}; `trash restore {options.name}` puts it back.")
    if finished:
        print(f"{finished} finished run{'s' if finished > 1 else ''} used it: results and students stay.")
    return 0
