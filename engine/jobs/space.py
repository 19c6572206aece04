"""A job that meets a full disk waits until there is room again, and then goes on from what it has kept."""

from __future__ import annotations

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from engine.errors import FullDiskError
from engine.files import TEMPORARY_PREFIX, in_words, storage_error
from engine.jobs.records import SPACE_FLAG, Job

POLL = 1.0  # s between looks whether there is room
LEAST = 20_000_000  # bytes to wait for where nobody knows how many are needed (ours)
AGAIN = 60.0  # s after which a disk that is full again is not the same shortage: more than was waited for is needed
_REFUSALS = (errno.ENOSPC, errno.EDQUOT)
_WORDS = ("No space left on device", "Disk quota exceeded")


def full_disk(error: BaseException | None, folder: Path) -> FullDiskError | None:
    """The full disk that an error comes from, also where a library has put it into other words; else None. folder:
    where the job writes.
    """
    while error is not None:
        if isinstance(error, FullDiskError):
            return error
        if isinstance(error, OSError) and error.errno in _REFUSALS:
            return _as_full(error, Path(os.fsdecode(error.filename)) if _named(error) else folder / "a file")
        if any(words in str(error) for words in _WORDS):
            return _as_full(OSError(errno.ENOSPC, str(error)), folder / "a file")
        error = error.__cause__
    return None


def _named(error: OSError) -> bool:
    return isinstance(error.filename, str | bytes)


def _as_full(error: OSError, path: Path) -> FullDiskError:
    found = storage_error(error, path)
    assert isinstance(found, FullDiskError)
    return found


class SpaceWait:
    """The waiting of one job, which may meet a full disk more than once."""

    def __init__(self, job: Job, check: Callable[[], None]) -> None:
        self._job, self._check = job, check
        self._needed, self._went_on = 0, float("-inf")

    def wait(self, full: FullDiskError) -> None:
        """Return when there is room for what could not be written. Raises what `check` does, such as CancelledError."""
        needed = max(full.needed or LEAST, 2 * self._needed if time.monotonic() - self._went_on < AGAIN else 0)
        self._needed = needed
        set_flag(self._job, needed)
        place = _beside(full.path, self._job.folder)
        while not has_room(place, needed):
            self._check()
            time.sleep(POLL)
        remove_flag(self._job)
        self._went_on = time.monotonic()


def has_room(folder: Path, needed: int) -> bool:
    """Whether so many bytes can be written in a folder, which a quota may forbid where the disk has room."""
    if shutil.disk_usage(folder).free < needed:
        return False
    if not hasattr(os, "posix_fallocate"):
        return True
    probe = folder / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-room"
    try:
        descriptor = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.posix_fallocate(descriptor, 0, needed)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno not in _REFUSALS  # whatever else is wrong, the work itself says better
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return True


def set_flag(job: Job, needed: int) -> None:
    """Say to whoever looks that the job waits for so many bytes: by the length of a file that holds none, which can be
    made on a full disk.
    """
    path = job.folder / SPACE_FLAG
    with suppress(OSError):
        with path.open("ab"):
            pass
        os.truncate(path, needed)


def remove_flag(job: Job) -> None:
    """Say that it goes on."""
    with suppress(OSError):
        (job.folder / SPACE_FLAG).unlink(missing_ok=True)


def waits_for(job: Job) -> str | None:
    """In words, what a job that found its disk full waits for; None for one that does not."""
    try:
        needed = os.stat(job.folder / SPACE_FLAG).st_size
        free = shutil.disk_usage(job.folder).free
    except OSError:
        return None
    return f"Waiting for disk space: needs about {in_words(needed)}, {in_words(free)} are free"


def _beside(path: Path, folder: Path) -> Path:
    """The folder to try: the job's own, unless what it writes lies on another disk."""
    try:
        return folder if os.stat(path.parent).st_dev == os.stat(folder).st_dev else path.parent
    except OSError:
        return folder
