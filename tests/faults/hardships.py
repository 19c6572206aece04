"""A workspace that refuses: one that may not be written, a disk that is full at each write, a clock that was set back.

What is looked at is what `tests.faults.visits` knows: every page, and every verb of the command line.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import torch

from engine import files, jobs
from engine.jobs import states
from engine.workspace import Workspace
from tests.faults.account import Account
from tests.faults.kills import unreadable
from tests.faults.visits import PAGES, VERBS, Look, look
from tests.faults.workspace import copy

DAYS = 400  # by which the clock was set back after the workspace was made
LEFT_OUT = ("work", "benchmark")  # verbs: the one waits for a queue, the other reads one file alone
WRITING = ("compare", "export", "report", "finish")  # verbs that write without training
MOST_WRITES = 100  # of a verb; the campaign says when it is more
NO_ROOT = (28, 0b11, 0, 0, 0)  # prctl(2): PR_SET_SECUREBITS, SECBIT_NOROOT and its lock
CAPABILITIES = 0x20080522  # version of the structures of capset(2)


@dataclass
class Hardship:
    """How the looks at one hardship ended."""

    looks: int = 0
    refused: int = 0  # writes for which there was no space
    errors: list[str] = field(default_factory=list)  # of the program
    half_made: list[str] = field(default_factory=list)

    def take_in(self, name: str, looks: Iterator[Look] | list[Look]) -> None:
        """Count looks; name: what was done before."""
        for one in looks:
            self.looks += 1
            if one.error:
                self.errors.append(f"{name}: {one.name}: {one.error[-400:]}")


def closed(home: Workspace) -> Hardship:
    """Pages and verbs for a user who may read the workspace and write nothing of it."""
    found = Hardship()
    with _copied(home) as there, _without_writing(there.path):
        found.take_in("closed", _as_ordinary_user(lambda: list(look(there, list(PAGES), _verbs()))))
    return found


def full(home: Workspace) -> Hardship:
    """Each verb that writes, with no space left at its first write, its second, and so on; then with space."""
    found = Hardship()
    for verb in WRITING:
        for number in range(MOST_WRITES):
            with _copied(home) as there:
                flushed = _Refusing(number)
                with mock.patch.object(files, "_flush", flushed):
                    found.take_in(f"full at write {number}", look(there, [], [verb]))
                found.half_made += unreadable(there)
                found.take_in(f"after no space at write {number}", look(there, [], [verb]))
            if not flushed.refused:
                break
            found.refused += 1
        else:
            found.errors.append(f"full: {verb} writes more than {MOST_WRITES} times: raise MOST_WRITES")
        if number == 0:
            found.errors.append(f"full: {verb} writes nothing, so that nothing was tried")
    return found


def clock(home: Workspace) -> Hardship:
    """Pages and verbs of a workspace that was made in what is now the future; and what becomes of its jobs."""
    found = Hardship()
    with _copied(home) as there:
        for path in [*there.path.glob("[jr]*s/*/*.json"), *there.path.glob("comparisons/*.json")]:
            _from_the_future(path)
        found.take_in("clock set back", look(there, list(PAGES), _verbs()))
        for root in there.job_folders:
            for job in jobs.list_jobs(root):
                if jobs.status(job).state == "running":
                    found.errors.append(f"clock set back: {job.id} is taken to be running")
        late = jobs.create(there.jobs, "late", kind="speed", spec={}, device="cpu")
        if states.begin(late, os.getpid()) is None:
            found.errors.append("clock set back: a new job cannot begin")
    return found


def _verbs() -> list[str]:
    return [verb for verb in VERBS if verb not in LEFT_OUT]


@contextmanager
def _copied(home: Workspace) -> Iterator[Workspace]:
    with tempfile.TemporaryDirectory(dir=home.path.parent) as folder:
        there = copy(home, Path(folder) / "home")
        before = os.environ.get("WORKBENCH_HOME")
        os.environ["WORKBENCH_HOME"] = str(there.path)
        try:
            yield there
        finally:
            os.environ["WORKBENCH_HOME"] = before or ""


@contextmanager
def _without_writing(folder: Path) -> Iterator[None]:
    """Nobody may write in a folder or below it, but root."""
    every = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in every:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in every:
            path.chmod(0o755)


def _as_ordinary_user(do: Callable[[], list[Look]]) -> list[Look]:
    """What `do` gives in a forked process that has none of root's rights."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            if sys.platform == "linux":
                _give_up_capabilities()
            with os.fdopen(writing, "wb") as out:
                out.write(pickle.dumps(do()))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as answer:
        content = answer.read()
    os.waitpid(child, 0)
    return pickle.loads(content) if content else [Look("all", "", "its process ended without an answer")]


def _give_up_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(*NO_ROOT):  # or whatever it starts would have them again
        raise OSError(ctypes.get_errno(), "root's rights could not be given up")
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES, 0), (ctypes.c_uint32 * 6)()
    if libc.capset(header, none):
        raise OSError(ctypes.get_errno(), "root's rights could not be given up")


class _Refusing:
    """Flushes to disk; the one of that number finds no space left."""

    def __init__(self, number: int) -> None:
        self._number, self._flush = number, files._flush
        self.refused = False

    def __call__(self, file: Path) -> None:
        if self._number == 0 and file.is_file():
            self._number, self.refused = -1, True
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
        self._number -= file.is_file()
        self._flush(file)


def _from_the_future(path: Path) -> None:
    """Move each moment in a JSON file, and that of the file, by `DAYS`; its seal would no longer hold, and goes."""
    value = json.loads(path.read_bytes())
    if isinstance(value, dict):
        value.pop("seal", None)
        moved = {name: _later(inner) for name, inner in value.items()}
        path.unlink()
        path.write_text(json.dumps(moved))
        later = path.stat().st_mtime + DAYS * 86_400
        os.utime(path, (later, later))


def _later(value: object) -> object:
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return value
    return (moment + timedelta(days=DAYS)).isoformat() if moment is not None and moment.tzinfo else value


def account() -> Account:
    """All three in figures."""
    from tests.faults.damage import prepared

    found: dict[str, Hardship] = {}
    torch.set_num_threads(2)  # as when the runs were made: they are compared again under their own names
    with tempfile.TemporaryDirectory() as folder:
        home = prepared(Path(folder))
        for name, part in (("may not be written", closed), ("disk full", full), ("clock set back", clock)):
            found[name] = part(home)
    figures = {f"{name}, looks at a page or a verb": one.looks for name, one in found.items()}
    wrong = [sentence for one in found.values() for sentence in (*one.errors, *one.half_made)]
    counted = {"tracebacks": len([sentence for one in found.values() for sentence in one.errors])}
    half = {"files half-made": len([sentence for one in found.values() for sentence in one.half_made])}
    return Account(figures | counted | half, tuple(wrong))


if __name__ == "__main__":
    print(*account().lines(), sep="\n")
