"""A demo: visitors share a workspace that none of them changes, and each has a scratch of their own over it.

A scratch is a workspace laid out in folders of its own whose files are links to those of the base. So reads fall
through in the file system, for every reader there is and will be, and a write, which puts a new file in the place of
the old one (`engine.files`), ends in the scratch. What is written in place becomes a copy first (`make_own`), and what
is about one process alone is not linked. A scratch appears at once and whole; what its host adds to the base later is
in the scratches that are begun after.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine import jobs
from engine.errors import BusyError, WorkbenchError
from engine.files import TEMPORARY_PREFIX, make_folder, remove_temporary, storage_error
from engine.jobs import Job, Status
from engine.quotas import used_bytes
from engine.runs import list_comparisons
from engine.settings import DemoSettings, demo_settings
from engine.tasks import bundled_names, task_as_labeled
from engine.workspace import Workspace

_VISITED = "visited"  # an empty file of a scratch, as old as the last visit
_NOTICE = "notice.txt"  # what was done to its visitor's jobs, for the visitor to read
_FILES = ("features", "maps", "pixels", "rankings", "speeds", "tasks", "teachers")
_OF_ONE_PROCESS = ("lock", "log.txt", "checkpoint.safetensors")  # of a job that is done, nobody reads them
_HALF_MADE = 600.0  # s after which a scratch that was being laid out has nobody who goes on
_entering = threading.Lock()  # two visitors who come at once do not both get the last place


@dataclass(frozen=True)
class Scratch:
    """A visitor's part. idle: s since the last visit. size: bytes that it takes on the disk."""

    workspace: Workspace
    idle: float
    size: int


def prepare(base: Workspace) -> None:
    """Have the tasks that come with the program in the base, so that no scratch needs a copy. Raises WorkbenchError."""
    for name in bundled_names():
        task_as_labeled(base, name)
    make_folder(base.scratches)


def enter(base: Workspace, name: str) -> tuple[Workspace, bool]:
    """The scratch of a visitor, and whether it was begun by this visit.

    Raises BusyError if all places are taken, StorageError.
    """
    found = base.scratch(name)
    with _entering:
        if found.path.is_dir():
            visit(found)
            return found, False
        taken = len(_names(base))
        if taken >= demo_settings(base).visitors:
            raise BusyError(f"All {taken} places of this demo are taken: come back in a few minutes.")
        _begin(base, found)
    return found, True


def _begin(base: Workspace, found: Workspace) -> None:
    """Lay a scratch out beside its place, then put it there. Raises StorageError."""
    half = base.scratch(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{found.path.name}")
    try:
        make_folder(half.path)
        _lay_out(base, half)
        (half.path / _VISITED).touch()
        os.rename(half.path, found.path)
    except OSError as error:
        if not found.path.is_dir():  # else another server of the same workspace was faster
            raise storage_error(error, found.path) from error
    finally:
        shutil.rmtree(half.path, ignore_errors=True)


def visit(scratch: Workspace) -> None:
    """Note that the visitor is there."""
    with suppress(FileNotFoundError):  # cleared away in between: the next visit begins anew
        os.utime(scratch.path / _VISITED)


def leave(scratch: Workspace) -> bool:
    """Clear a scratch away, as soon as none of its jobs runs any more; whether it is gone."""
    if not _ended(scratch):
        return False
    doomed = scratch.path.with_name(f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{scratch.path.name}")
    try:
        os.rename(scratch.path, doomed)
    except FileNotFoundError:  # another process did so
        return True
    except OSError as error:
        raise storage_error(error, scratch.path) from error
    shutil.rmtree(doomed, ignore_errors=True)
    return True


def scratches(base: Workspace) -> list[Scratch]:
    """Every scratch there is."""
    found = []
    for name in _names(base):
        scratch = base.scratch(name)
        try:
            seen = (scratch.path / _VISITED).stat().st_mtime
        except OSError:  # it is being cleared away, or somebody took the file: then it has no visitor
            seen = 0.0
        found.append(Scratch(scratch, time.time() - seen, used_bytes(scratch)))
    return found


def keep_house(base: Workspace) -> None:
    """Clear away what nobody visits, and stop what takes more than a visitor may have. Raises StorageError."""
    limits, failed = demo_settings(base), None
    remove_temporary(base.scratches, older_than=_HALF_MADE)
    for one in scratches(base):
        try:
            if one.idle > limits.minutes * 60:
                leave(one.workspace)
            else:
                _hold_to(one, limits)
        except WorkbenchError as error:  # the others are looked after all the same
            failed = failed or error
    if failed is not None:
        raise failed


def notice(scratch: Workspace) -> str:
    """What was done to the visitor's jobs, as a sentence; empty if nothing was."""
    try:
        return (scratch.path / _NOTICE).read_text(encoding="utf-8")
    except OSError:
        return ""


def forget_notice(scratch: Workspace) -> None:
    """The visitor has read it."""
    (scratch.path / _NOTICE).unlink(missing_ok=True)


def _hold_to(one: Scratch, limits: DemoSettings) -> None:
    if one.size > limits.disk_bytes:
        _stop(
            one.workspace,
            "Your jobs were stopped, since your part of this demo is full: remove tasks or runs of yours.",
        )
        return
    for job, now in _open_jobs(one.workspace):
        if now.state == "running" and now.seconds > limits.job_minutes * 60:
            sentence = (
                f"A job of yours was stopped after {limits.job_minutes:g} minutes, since others wait: choose less."
            )
            _stop(one.workspace, sentence, [job])


def _stop(scratch: Workspace, sentence: str, found: list[Job] | None = None) -> None:
    doomed = found or [job for job, _ in _open_jobs(scratch)]
    if not doomed:
        return
    for job in doomed:
        with suppress(WorkbenchError):  # removed in the meantime
            jobs.request_cancel(job)
    with suppress(OSError):
        (scratch.path / _NOTICE).write_text(sentence, encoding="utf-8")


def _ended(scratch: Workspace) -> bool:
    """Cancel what waits or runs in a scratch; whether all of it has ended."""
    for job, _ in _open_jobs(scratch):
        with suppress(WorkbenchError):
            jobs.request_cancel(job)
    return not any(now.state == "running" for _, now in _open_jobs(scratch))


def _open_jobs(scratch: Workspace) -> list[tuple[Job, Status]]:
    found = [(job, jobs.status(job)) for folder in scratch.job_folders for job in jobs.list_jobs(folder)]
    return [(job, now) for job, now in found if not now.terminal]


def _names(base: Workspace) -> list[str]:
    try:
        return sorted(name for name in os.listdir(base.scratches) if not name.startswith("."))
    except FileNotFoundError:
        return []


def _lay_out(base: Workspace, half: Workspace) -> None:
    for kind in _FILES:
        _link(base.path / kind, half.path / kind)
    for theirs, ours in zip(base.job_folders, half.job_folders, strict=True):
        for job in jobs.list_jobs(theirs):
            if jobs.status(job).state == "done":
                _link(job.folder, ours / job.id, without=_OF_ONE_PROCESS)
    for comparison in list_comparisons(base):
        if all((half.runs / run).is_dir() for run in comparison.runs):  # none that is still under way
            _link(base.comparisons, half.comparisons, only=f"{comparison.id}.json")


def _link(source: Path, target: Path, without: tuple[str, ...] = (), only: str = "") -> None:
    """A folder like `source` whose files are links to those of `source`; what is half-written is left out."""
    for place, name in _files(source):
        if name not in without and only in ("", name):
            folder = target / os.path.relpath(place, source)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(os.path.abspath(os.path.join(place, name)))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from ((place, name) for name in names if not name.startswith("."))
