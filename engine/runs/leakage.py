"""Which tasks here a teacher may not teach, and which collections there are to say so with."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import WorkbenchError
from engine.tasks import task_as_labeled, task_names
from engine.teachers import all_teachers, same_collection
from engine.workspace import Workspace


def closed_tasks(workspace: Workspace, collections: Sequence[str]) -> list[str]:
    """Names of the tasks that are closed to a teacher whose training images come from `collections`, all of each."""
    of_tasks = _of_tasks(workspace).items()
    return [name for name, own in of_tasks if any(same_collection(seen, own) for seen in collections)]


def known_collections(workspace: Workspace) -> list[str]:
    """The collections of the tasks and the teachers that are here, in order of the alphabet: what a user's own task is
    of has the task's name.
    """
    of_tasks = [name if same_collection(name, own) else own for name, own in _of_tasks(workspace).items()]
    return sorted({*of_tasks, *(teacher.collection for teacher in all_teachers(workspace))}, key=str.casefold)


def _of_tasks(workspace: Workspace) -> dict[str, str]:
    """The collection of each task, by the task's name. One that cannot be opened is left out: nobody teaches it."""
    found = {}
    for name in task_names(workspace):
        try:
            found[name] = task_as_labeled(workspace, name).record.collection
        except WorkbenchError:
            continue
    return found
