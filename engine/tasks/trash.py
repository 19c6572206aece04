"""Removed tasks: they lie in the workspace's trash until somebody empties it, and can be put back until then."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.files import TEMPORARY_PREFIX, make_folder, read_json, storage_error
from engine.quotas import is_lent
from engine.tasks.catalogue import bundled_names, task_names
from engine.workspace import Workspace

# Of the name of a folder in the trash, one for each removal: its moment and the task.
_ENTRY = re.compile(r"(?P<moment>\d{8}T\d{12}Z)-(?P<name>.+)", re.DOTALL)
_MOMENT = "%Y%m%dT%H%M%S%fZ"
_TASK = "task"
_BESIDE = ("features", "maps", "pixels")  # computed of the task; they go with it, lest another of its name meets them


@dataclass(frozen=True)
class Removed:
    """A task in the trash."""

    id: str  # names its folder there
    name: str
    title: str
    removed: str  # UTC, ISO 8601


def remove_task(workspace: Workspace, name: str) -> str:
    """Move an own task, with what teachers said of its images, to the trash; gives its id there.

    A task that is damaged can be removed as well. Raises UnknownNameError, InvalidInputError for a bundled one
    or one of a demo, StorageError.
    """
    if name not in (names := task_names(workspace)):
        raise UnknownNameError("task", name, names)
    if name in bundled_names():
        raise InvalidInputError(f"{name!r} comes with the program and stays: only tasks of your own can be removed.")
    if is_lent(workspace.tasks / name):
        raise InvalidInputError(f"{name!r} belongs to the demo and stays: only tasks of your own can be removed.")
    identifier = entry_id(name)
    place = make_folder(workspace.trash / identifier)
    _move(workspace.tasks / name, place / _TASK)  # one step: it is there, or in the trash
    for kind in _BESIDE:
        if (workspace.path / kind / name).is_dir():
            _move(workspace.path / kind / name, place / kind)
    return identifier


def removed_tasks(workspace: Workspace) -> list[Removed]:
    """The tasks in the trash, the last one removed first."""
    folder = workspace.trash
    found = sorted((path.parent for path in folder.glob(f"*/{_TASK}")), reverse=True) if folder.is_dir() else []
    return [entry for path in found if (entry := _entry(path)) is not None]


def restore_task(workspace: Workspace, identifier: str) -> str:
    """Put the task that has this id in the trash back; gives its name. (`engine.runs.discarded` finds one by its name.)

    Raises UnknownNameError, InvalidInputError if there is a task of that name by now, StorageError.
    """
    there = {entry.id: entry for entry in removed_tasks(workspace)}
    if (entry := there.get(identifier)) is None:
        raise UnknownNameError("removed task", identifier, there)
    place, target = workspace.trash / entry.id, workspace.tasks / entry.name
    if target.exists():
        raise InvalidInputError(
            f"There is a task named {entry.name!r} by now: remove that one first, then put this one back."
        )
    make_folder(target.parent)
    for kind in _BESIDE:  # before the task, so that a stop in between leaves all of it to be put back
        if (place / kind).is_dir() and not (workspace.path / kind / entry.name).exists():
            make_folder(workspace.path / kind)
            _move(place / kind, workspace.path / kind / entry.name)
    _move(place / _TASK, target)
    shutil.rmtree(place, ignore_errors=True)
    return entry.name


def entry_id(name: str) -> str:
    """The name of a new folder in the trash, for what is called `name`."""
    return f"{datetime.now(UTC).strftime(_MOMENT)}-{name}"


def parsed_id(identifier: str) -> tuple[str, str] | None:
    """When what has this id in the trash was removed (UTC, ISO 8601), and its name; None of a folder that no removal
    made.
    """
    if (parts := _ENTRY.fullmatch(identifier)) is None:
        return None
    try:
        moment = datetime.strptime(parts["moment"], _MOMENT).replace(tzinfo=UTC)
    except ValueError:
        return None
    return moment.isoformat(timespec="seconds"), parts["name"]


def delete_entry(workspace: Workspace, identifier: str) -> None:
    """Delete a folder of the trash for good, and what an emptying that was stopped has left. Raises StorageError."""
    doomed = workspace.trash / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}"
    _move(workspace.trash / identifier, doomed)  # one step, so that no half of it can be put back
    for left in workspace.trash.glob(f"{TEMPORARY_PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)


def _entry(folder: Path) -> Removed | None:
    if (parsed := parsed_id(folder.name)) is None:
        return None
    removed, name = parsed
    title = name
    with suppress(WorkbenchError, KeyError, TypeError):  # a damaged task is called by its name
        title = str(read_json(folder / _TASK / "task.json")["title"])
    return Removed(folder.name, name, title, removed)


def _move(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
    except OSError as error:
        raise storage_error(error, source) from error
