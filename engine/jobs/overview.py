"""Looking at a queue: what waits in a lane, in which order, and how it ends."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import zip_longest
from pathlib import Path

from engine.errors import WorkbenchError
from engine.jobs.lanes import sources
from engine.jobs.records import STATUS_FILE, Job, job_folders, load
from engine.jobs.states import Status, is_unsettled, status
from engine.workspace import Workspace

OnChange = Callable[[Job, Status], None]

POLL = 0.25  # s between looks at the queue, its processes and its flags
_NEVER = datetime.min.replace(tzinfo=UTC)
GIVE_UP_INTERRUPTED = 10.0  # s after which `wait` takes an interrupted job that nobody takes up again as ended


def unfinished_jobs(roots: Sequence[Path], lane: str) -> list[tuple[Job, Status]]:
    """Jobs that a lane works off, with their status: those that run first, then in the order in which they will start.

    A card's lane works off what asks for any card too, which may run, or start, on another one.
    """
    return Unfinished(lambda: roots, lane).look()


def unfinished_in(workspace: Workspace, lane: str) -> list[tuple[Job, Status]]:
    """The same for a lane of the machine that a workspace is of. What has ended is remembered for whoever asks next:
    visitors of a demo ask all the time.
    """
    return _known_lane(workspace.machine, lane).look()


@lru_cache(maxsize=64)
def _known_lane(machine: Workspace, lane: str) -> Unfinished:
    return Unfinished(lambda: machine.queued_folders, lane)


def in_order(
    found: Iterable[tuple[Job, Status]], served: Mapping[Path, datetime] | None = None
) -> list[tuple[Job, Status]]:
    """Jobs that run first, then the others in the order in which they will start.

    Those who asked for them take turns: one job of each, then the next one of each. Within a workspace they follow in
    the order of its line; first comes the workspace of which no job has begun for the longest time. served: when that
    was, by the workspace's folder.
    """
    ordered, known = sorted(found, key=_turn), served or {}
    lines: dict[Path, list[tuple[Job, Status]]] = {}
    for pair in ordered:
        if pair[1].state == "queued":
            lines.setdefault(_asked_in(pair[0]), []).append(pair)
    order = sorted(lines, key=lambda folder: (known.get(folder, _NEVER), lines[folder][0][1].queued))
    turns = zip_longest(*(lines[folder] for folder in order))
    running = [pair for pair in ordered if pair[1].state != "queued"]
    return running + [pair for turn in turns for pair in turn if pair is not None]


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

    def __init__(self, roots: Callable[[], Sequence[Path]], lane: str) -> None:
        self._roots, self._sources = roots, sources(lane)
        self._passed: dict[str, object] = {}  # folder -> stamp of its status when it needed no look
        self._served: dict[Path, datetime] = {}  # workspace -> when a job of it began last

    def look(self) -> list[tuple[Job, Status]]:
        """Jobs that are queued, running or to be settled, with their status, as `in_order`."""
        found, roots, passed = [], self._roots(), dict[str, object]()
        for folder in (folder for root in roots for folder in job_folders(root)):
            name = str(folder)
            stamp = _stamp(os.path.join(name, STATUS_FILE))  # text, no Path: this runs often, for every job there is
            if stamp is not None and self._passed.get(name) == stamp:
                passed[name] = stamp
                continue
            try:
                job = load(folder)
            except WorkbenchError:
                continue
            present = status(job)
            if job.lane in self._sources and present.started is not None:
                asked_in = _asked_in(job)
                self._served[asked_in] = max(present.started, self._served.get(asked_in, _NEVER))
            if job.lane not in self._sources or (present.terminal and not is_unsettled(present)):
                passed[name] = stamp
            else:
                found.append((job, present))
        self._passed = passed  # without what is gone: a demo's visitors come and go
        there = {root.parent for root in roots}
        self._served = {folder: moment for folder, moment in self._served.items() if folder in there}
        return in_order(found, self._served)


def _asked_in(job: Job) -> Path:
    """The folder of the workspace that a job is of: its own one in a demo, for each visitor."""
    return job.folder.parent.parent


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
