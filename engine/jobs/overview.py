"""Looking at a queue: what waits in a lane, in which order, and how it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from engine.errors import WorkbenchError
from engine.jobs.lanes import sources
from engine.jobs.records import STATUS_FILE, Job, job_folders, load
from engine.jobs.states import Status, is_unsettled, status

OnChange = Callable[[Job, Status], None]

POLL = 0.25  # s between looks at the queue, its processes and its flags
GIVE_UP_INTERRUPTED = 10.0  # s after which `wait` takes an interrupted job that nobody takes up again as ended


def unfinished_jobs(roots: Sequence[Path], lane: str) -> list[tuple[Job, Status]]:
    """Jobs that a lane works off, with their status: those that run first, then in the order in which they will start.

    A card's lane works off what asks for any card too, which may run, or start, on another one.
    """
    return in_order(Unfinished(roots, lane).look())


def in_order(found: Iterable[tuple[Job, Status]]) -> list[tuple[Job, Status]]:
    """Jobs that run first, then the others in the order in which they will start."""
    return sorted(sorted(found, key=_turn), key=lambda pair: pair[1].state == "queued")


def queued_jobs(roots: Sequence[Path], lane: str) -> list[Job]:
    """Jobs that wait in a lane, in the order in which they will start."""
    return [job for job, now in unfinished_jobs(roots, lane) if now.state == "queued"]


def wait(
    jobs: Iterable[Job],
    on_change: OnChange | None = None,
    *,
    poll: float = POLL,
    stop: threading.Event | None = None,
    patience: float = GIVE_UP_INTERRUPTED,
) -> dict[Job, Status]:
    """Wait until every job has ended (or `stop` is set), and give how each one ended.

    on_change is called for each change of state or progress. It only watches: somebody must drain the queue. A job
    that is interrupted and that nobody takes up within `patience`, in s, counts as ended.
    """
    jobs = list(jobs)
    stop = stop or threading.Event()
    seen: dict[Job, Status] = {}
    lost_since: dict[Job, float] = {}
    while True:
        last = stop.is_set()  # whatever was to happen has happened by now: this look sees all of it
        for job in jobs:
            present = status(job)
            if on_change and _without_clock(present) != _without_clock(seen.get(job)):
                on_change(job, present)
            seen[job] = present
            if present.state == "interrupted":
                lost_since.setdefault(job, time.monotonic())
            else:
                lost_since.pop(job, None)
        given_up = {job for job, since in lost_since.items() if time.monotonic() - since > patience}
        if all(seen[job].terminal or job in given_up for job in jobs) or last:
            return seen
        stop.wait(poll)


class Unfinished:
    """The unfinished jobs that a lane works off; what has ended is remembered, so that looking is cheap."""

    def __init__(self, roots: Sequence[Path], lane: str) -> None:
        self._roots, self._sources = list(roots), sources(lane)
        self._passed: dict[str, object] = {}  # folder -> stamp of its status when it needed no look

    def look(self) -> list[tuple[Job, Status]]:
        """Jobs that are queued, running or to be settled, with their status, in the order of the queue."""
        found = []
        for folder in (folder for root in self._roots for folder in job_folders(root)):
            name = str(folder)
            stamp = _stamp(os.path.join(name, STATUS_FILE))  # text, no Path: this runs often, for every job there is
            if stamp is not None and self._passed.get(name) == stamp:
                continue
            try:
                job = load(folder)
            except WorkbenchError:
                continue
            present = status(job)
            if job.lane not in self._sources or (present.terminal and not is_unsettled(present)):
                self._passed[name] = stamp
            else:
                found.append((job, present))
        return sorted(found, key=_turn)


def _turn(pair: tuple[Job, Status]) -> tuple[float, datetime, datetime, str]:
    """The order of a line: what the user wants next, the last wish first; then what has waited longest."""
    job, present = pair
    return -present.first.timestamp() if present.first else 0.0, present.queued, job.created, job.id


def _stamp(path: str) -> object:
    """Something that changes whenever the file is replaced; None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _without_clock(present: Status | None) -> Status | None:
    """A status without what changes by itself."""
    return None if present is None else replace(present, heartbeat=None, seconds=0.0)
