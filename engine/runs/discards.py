"""Removed runs, beside removed tasks in the trash of the workspace: list both, put one back, delete for good."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from engine import jobs, tasks
from engine.errors import InvalidInputError, UnknownNameError
from engine.files import make_folder, storage_error
from engine.jobs import Job
from engine.jobs.records import JOB_FILE
from engine.quotas import is_lent
from engine.runs.comparison import list_comparisons
from engine.tasks.trash import delete_entry, entry_id, parsed_id
from engine.workspace import Workspace


@dataclass(frozen=True)
class RunUsers:
    """Who needs a run. comparisons: the ids of those that it is part of. unfinished: jobs about its student that have
    not ended. size: of its folder, in bytes.
    """

    comparisons: tuple[str, ...]
    unfinished: tuple[Job, ...]
    size: int


@dataclass(frozen=True)
class Discard:
    """A task or a run in the trash."""

    id: str  # names its folder there
    kind: Literal["task", "run"]
    name: str
    title: str
    removed: str  # UTC, ISO 8601
    size: int  # in bytes


def users_of_run(workspace: Workspace, run: str) -> RunUsers:
    """What else is about a run, and what its removal frees."""
    comparisons = [found.id for found in list_comparisons(workspace) if run in found.runs]
    about = [job for job in jobs.list_jobs(workspace.jobs) if job.spec.get("run") == run]
    unfinished = [job for job in about if not jobs.status(job).terminal]
    return RunUsers(tuple(sorted(comparisons)), tuple(unfinished), folder_size(workspace.runs / run))


def remove_run(workspace: Workspace, job: Job) -> str:
    """Move a run that has ended to the trash, in one step; gives its id there.

    Raises BusyError while it waits or runs, InvalidInputError while a job about its student has not ended, and for one
    of a demo; StorageError.
    """
    if is_lent(job.folder):
        raise InvalidInputError(f"{job.id} belongs to the demo and stays: only runs of your own can be deleted.")
    if unfinished := users_of_run(workspace, job.id).unfinished:
        raise InvalidInputError(
            f"{unfinished[0].id} still works with the student of {job.id}: wait until it has ended, or cancel it first."
        )
    identifier = entry_id(job.id)
    jobs.move(job, make_folder(workspace.trash) / identifier)
    return identifier


def discards(workspace: Workspace) -> list[Discard]:
    """What is in the trash, the last one removed first."""
    removed = {entry.id: entry for entry in tasks.removed_tasks(workspace)}
    found = [
        Discard(one.id, "task", one.name, one.title, one.removed, _size_there(workspace.trash / one.id))
        for one in removed.values()
    ]
    for name in os.listdir(workspace.trash) if workspace.trash.is_dir() else ():
        folder = workspace.trash / name
        if (parsed := parsed_id(name)) is not None and (folder / JOB_FILE).exists():
            found.append(Discard(name, "run", parsed[1], parsed[1], parsed[0], _size_there(folder)))
    return sorted(found, key=lambda one: one.id, reverse=True)


def restore(workspace: Workspace, identifier: str) -> Discard:
    """Put back what is in the trash under this id or name, or the only one that begins so.

    Raises UnknownNameError, InvalidInputError if it is not clear which is meant, or one of that name is there by now;
    StorageError.
    """
    entry = discarded(workspace, identifier)
    if entry.kind == "task":
        tasks.restore_task(workspace, entry.id)
        return entry
    target = make_folder(workspace.runs) / entry.name
    if os.path.lexists(target):
        raise InvalidInputError(f"There is a run {entry.name!r} by now: delete that one first, then put this one back.")
    try:
        os.rename(workspace.trash / entry.id, target)
    except OSError as error:
        raise storage_error(error, target) from error
    return entry


def delete(workspace: Workspace, entries: Sequence[Discard]) -> int:
    """Delete these for good; gives how many bytes that frees. Raises StorageError."""
    for entry in entries:
        delete_entry(workspace, entry.id)
    return sum(entry.size for entry in entries)


def discarded(workspace: Workspace, identifier: str) -> Discard:
    """What in the trash has this id or name, or alone begins so. Raises UnknownNameError, InvalidInputError."""
    there = discards(workspace)
    found = (
        [one for one in there if one.id == identifier]
        or [one for one in there if one.name == identifier]
        or [one for one in there if identifier and (one.id.startswith(identifier) or one.name.startswith(identifier))]
    )
    if not found:
        raise UnknownNameError("removed task or run", identifier, [one.name for one in there])
    if len(found) > 1:
        raise InvalidInputError(
            f"{len(found)} removed tasks or runs are meant by {identifier!r}: say which one, "
            f"{' or '.join(one.id for one in found[:6])}."
        )
    return found[0]


def _size_there(folder: Path) -> int:
    """The size of a folder in the trash: added up once, and again when something more is moved into it."""
    try:
        found = folder.stat()
    except FileNotFoundError:
        return 0
    return _size_of(folder, found.st_ino, found.st_mtime_ns)


@lru_cache(maxsize=4096)
def _size_of(folder: Path, _inode: int, _changed: int) -> int:
    return folder_size(folder)


def folder_size(folder: Path) -> int:
    """How many bytes the files of a folder have; those that go meanwhile are left out."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except FileNotFoundError:
                continue
    return total
