"""A job as a folder: what was asked for (job.json), which never changes, and the lock under which its state changes."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine import files
from engine.errors import DamagedFileError, InvalidInputError, WorkbenchError
from engine.jobs.lanes import lane_known
from engine.records import Moment, read_record, remembered, write_record

if sys.platform != "win32":
    import fcntl

JOB_FILE = "job.json"
STATUS_FILE = "status.json"
EVENTS_FILE = "events.jsonl"
LOG_FILE = "log.txt"
CANCEL_FLAG = "cancel"  # an empty file: the user asked for the work to stop
SPACE_FLAG = "waits-for-space"  # as long as what the job needs, and without content: its disk is full
LOCK_FILE = "lock"

_SAFE_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,150}")


@dataclass(frozen=True)
class Job:
    """One piece of long work, as it was asked for.

    folder: where everything about it lies; its name is `id`.
    kind: which handler of the worker does it.
    device: what it computes on, such as "cpu", "cuda" for any card or "cuda:1" for that one.
    lane: in whose queue it waits, such as "cpu", "interactive", or "cuda" for the lane of any card.
    spec: what the handler needs to know, as JSON.
    """

    folder: Path
    id: str
    kind: str
    device: str
    spec: Mapping[str, Any] = field(hash=False)
    created: datetime
    lane: str

    @property
    def log_path(self) -> Path:
        """Text file that holds whatever the worker printed."""
        return self.folder / LOG_FILE


@dataclass(frozen=True)
class _Record:
    """What job.json says. The id stands there for whoever reads it; the folder's name decides."""

    kind: str
    device: str
    created: Moment
    spec: dict[str, Any]
    id: str = ""
    lane: str = ""  # of a job of version 0.1


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def write_job(
    folder: Path,
    job_id: str,
    *,
    kind: str,
    device: str,
    lane: str,
    spec: Mapping[str, Any],
    created: datetime | None = None,
) -> None:
    """Write job.json. Raises ValueError for a spec that is not JSON (NaN), StorageError if the disk refuses."""
    write_record(folder / JOB_FILE, _Record(kind, device, created or now(), dict(spec), job_id, lane))


def check_id(job_id: str) -> None:
    """Raises InvalidInputError for an id that is not a plain folder name."""
    if not _SAFE_ID.fullmatch(job_id):
        raise InvalidInputError(
            f"{job_id!r} cannot name a job: use up to 150 letters without accents, digits, '_', '-' and '.', "
            "and begin with a letter or a digit."
        )


def load(folder: Path) -> Job:
    """The job in `folder`.

    Raises InvalidInputError if there is none, DamagedFileError if job.json does not hold what it should, and
    StorageError if it cannot be read.
    """
    return _read(folder / JOB_FILE)


@remembered
def _read(path: Path) -> Job:
    folder, way_out = path.parent, "restore it from a backup, or remove its folder"
    try:
        found = read_record(path, _Record, f"what was asked for as {folder.name}", way_out)
    except DamagedFileError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise InvalidInputError(f"There is no job in {folder}: it was removed, or it never was one.") from None
    lane = lane_known(found.kind, found.device, found.lane)
    return Job(folder, folder.name, found.kind, found.device, found.spec, found.created, lane)


def job_folders(root: Path) -> list[Path]:
    """Folders in `root` that may be jobs, by name; temporary ones are left out. Raises StorageError."""
    try:
        with os.scandir(root) as entries:
            names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise files.storage_error(error, root) from error
    return [root / name for name in names]


def list_jobs(root: Path) -> list[Job]:
    """Jobs of `root`, newest first. Temporary and damaged folders are left out; `load` says what is wrong with one."""
    return sorted(_loaded(root), key=_age, reverse=True)


def damaged_jobs(root: Path, beginning: str) -> list[str]:
    """A sentence for each folder in `root` whose name begins so and whose job cannot be read."""
    found = []
    for folder in job_folders(root):
        if folder.name.startswith(beginning):
            try:
                load(folder)
            except WorkbenchError as error:
                found.append(str(error))
    return found


def _loaded(root: Path) -> Iterator[Job]:
    for folder in job_folders(root):
        with suppress(WorkbenchError):
            yield load(folder)


def _age(job: Job) -> tuple[datetime, str]:
    return job.created, job.id


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Hold the job's lock: every change of its state by anyone but its own live worker happens inside.

    Raises InvalidInputError if the job was removed, StorageError if its folder cannot be written.
    """
    try:
        descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        raise InvalidInputError(f"There is no job in {folder}: it was removed.") from None
    except OSError as error:
        raise files.storage_error(error, folder) from error
    try:
        if sys.platform != "win32":
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if not os.path.exists(folder / JOB_FILE):  # a write now would bring a removed folder back
            raise InvalidInputError(f"There is no job in {folder}: it was removed.")
        yield
    finally:
        os.close(descriptor)
