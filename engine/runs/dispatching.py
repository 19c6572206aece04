"""Jobs of a cluster's line: handed over, watched, handed over again when their node dies, cleared away when they end.

Whoever holds the lock of the line does this, as for a lane. All that it knows is in the jobs' folders, so that another
process takes it from there: the ticket of each job, and its status, whose heartbeat comes over the shared file system.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

import torch

from engine import devices, jobs
from engine.errors import FullDiskError, InvalidInputError
from engine.jobs import STALE_AFTER, FileLock, Job, OnChange, Status, Unfinished
from engine.jobs.processes import OWN_WAITING, worker_environment
from engine.runs import queue
from engine.runs.engines import (
    Assignment,
    Cluster,
    Engine,
    EngineSettings,
    Ticket,
    engine_settings,
    get_engine,
    keep_ticket,
    ticket_of,
)
from engine.workspace import Workspace

POLL = 0.5  # s between two readings of the jobs' status
GRACE = 15.0  # s from the wish to cancel until the cluster is asked: a worker notices the wish by itself
ENDING = 5.0  # s that a ticket may outlive its job before the cluster is asked to end it
FULL_DISK = 2.0  # s until a dispatcher that found its disk full goes on
GIVEN_UP = 60.0  # s after which a cluster that does not end it is left alone
MOST_TIMES = 3  # that a job is handed over without ever beginning
PATIENCE = 2.5 * STALE_AFTER  # s that whoever waits gives a job whose node died: until it is known, and taken up again
SENT = ("WORKBENCH_", "HF_")  # beginnings of the variables that a worker on a node gets from here
SENT_TOO = ("PYTHONPATH", *OWN_WAITING)


def dispatch(
    workspace: Workspace,
    name: str,
    *,
    stop: threading.Event | None = None,
    until_empty: bool = False,
    on_change: OnChange | None = None,
) -> None:
    """Have a cluster do the queued jobs of its line, until `stop` is set or (`until_empty`) none is left.

    name: of the engine. While another process does so, this one waits. on_change is called for each job that begins,
    ends, or waits again. Raises as `engine_settings`; UnavailableError if the cluster cannot be reached, StorageError
    if the workspace cannot be written.
    """
    engine, settings = get_engine(name), engine_settings(workspace, name)
    stop, lock = stop or threading.Event(), FileLock(workspace, name)
    waiting = Unfinished(lambda: workspace.queued_folders, name)
    while not stop.is_set():
        if waiting.look() and lock.acquire():  # a cluster is asked for when there is work, and let go of when not
            assert engine.connect is not None
            try:
                with closing(engine.connect(workspace, settings)) as cluster:
                    _Dispatcher(workspace, engine, settings, cluster, waiting, stop, on_change).run()
            except FullDiskError:  # not even a ticket can be written down: what waits goes on waiting
                stop.wait(FULL_DISK)
            finally:
                lock.release()
        if until_empty and not waiting.look():
            return
        stop.wait(POLL)


def hand_over(workspace: Workspace, name: str, device: str) -> int:
    """Let what waits in the lane of a device, and for no card in particular, wait for a cluster; how many jobs."""
    found = [job for job in jobs.queued_jobs(workspace.queued_folders, device) if ":" not in job.device]
    for job in found:
        jobs.change_lane(job, name)
    return len(found)


class EngineThread(queue.QueueThread):
    """The same for a cluster: a background thread that sees to the jobs of its line."""

    patience, clears_within = PATIENCE, 4 * ENDING

    def __init__(self, workspace: Workspace, name: str, *, until_empty: bool = False) -> None:
        super().__init__(workspace, name, until_empty=until_empty)

    def drain(self) -> None:
        """Dispatch until stopped."""
        dispatch(self.workspace, self.device, stop=self.stopping, until_empty=self.until_empty)


def thread_of(
    workspace: Workspace, name: str, device: str, *, until_empty: bool = False, warm: bool = False
) -> queue.QueueThread:
    """The thread, not started yet, that has an engine's jobs done; `device` and `warm` matter on this machine alone."""
    if get_engine(name).connect is None:
        return queue.QueueThread(workspace, device, until_empty=until_empty, warm=warm)
    return EngineThread(workspace, name, until_empty=until_empty)


@dataclass
class _Handed:
    """A job that is with the cluster. ended: when it was seen that the job needs it no more, in s."""

    job: Job
    ticket: Ticket
    ended: float | None = None
    cancelled: bool = False


@dataclass
class _Dispatcher:
    """What `dispatch` does while it holds the line."""

    workspace: Workspace
    engine: Engine
    settings: EngineSettings
    cluster: Cluster
    waiting: Unfinished
    stop: threading.Event
    on_change: OnChange | None
    _handed: dict[Path, _Handed] = field(default_factory=dict)
    _there: set[str] = field(default_factory=set)  # tickets, as the cluster said last
    _polled: float = float("-inf")
    _hearts: dict[Path, tuple[object, float]] = field(default_factory=dict)  # the last heartbeat, and when it was seen
    _wishes: dict[Path, float] = field(default_factory=dict)  # when it was seen that a running job is to be cancelled
    _states: dict[Path, str] = field(default_factory=dict)
    _count: int = 0

    def run(self) -> None:
        """Until no job and no ticket is left, or until `stop`."""
        while not self.stop.is_set():
            pending = self.waiting.look()
            for job, _ in pending:
                self._remember(job)
            if not pending and not self._handed:
                return
            self._poll()
            self._say(pending)
            for job, present in pending:
                self._settle(job, present)
                self._enforce(job, present)
            self._clear({job.folder for job, _ in pending})
            if not jobs.is_held(self.workspace, self.engine.key):
                self._submit([job for job, present in pending if present.state == "queued"])
            self.stop.wait(POLL)

    def _remember(self, job: Job) -> None:
        """Take up the ticket that this or another process got for it."""
        if job.folder not in self._handed and (ticket := self._own_ticket(job)):
            self._handed[job.folder] = _Handed(job, ticket)
            self._polled = float("-inf")  # what is said of it must be newer than this

    def _own_ticket(self, job: Job) -> Ticket | None:
        found = ticket_of(job)
        return found if found and found.engine == self.engine.key else None

    def _poll(self) -> None:
        if time.monotonic() - self._polled >= self.cluster.every:
            self._there = self.cluster.poll([one.ticket.number for one in self._handed.values()])
            self._polled = time.monotonic()

    def _is_there(self, handed: _Handed) -> bool:
        return handed.ticket.number in self._there

    def _settle(self, job: Job, present: Status) -> None:
        """Queue a job again whose worker is dead. What says so is its heart, watched here: the clock of another
        machine may be wrong, and a cluster that lost a node does not know whether its processes live.
        """
        beat, since = self._hearts.get(job.folder, ("", 0.0))
        if beat != present.heartbeat:
            since = time.monotonic()
            self._hearts[job.folder] = present.heartbeat, since
        is_lost = present.state == "interrupted" or (present.state == "cancelled" and present.pid is not None)
        if is_lost and (jobs.is_here(present) or time.monotonic() - since >= STALE_AFTER):
            with suppress(InvalidInputError):  # removed in the meantime
                jobs.settle(job)

    def _enforce(self, job: Job, present: Status) -> None:
        """Have the cluster end a job that the user cancelled and that does not end by itself."""
        if not present.cancel_requested:
            self._wishes.pop(job.folder, None)
            return
        since = self._wishes.setdefault(job.folder, time.monotonic())
        handed = self._handed.get(job.folder)
        if handed and not handed.cancelled and time.monotonic() - since >= GRACE:
            handed.cancelled = True
            self.cluster.cancel(handed.ticket.number)

    def _clear(self, pending: set[Path]) -> None:
        """Collect the tickets of jobs that have ended; one that the cluster still keeps is taken from it."""
        for folder, handed in list(self._handed.items()):
            if folder in pending:
                handed.ended = None
                continue
            handed.ended = handed.ended or time.monotonic()
            outlived = time.monotonic() - handed.ended
            if not self._is_there(handed) or outlived > GIVEN_UP:
                self.cluster.collect(handed.ticket.number)
                for known in (self._handed, self._hearts, self._wishes):
                    known.pop(folder, None)
            elif not handed.cancelled and outlived > ENDING:
                handed.cancelled = True
                self.cluster.cancel(handed.ticket.number)

    def _submit(self, queued: list[Job]) -> None:
        """Hand over what waits and is not there, or is there no more."""
        lacking = [job for job in queued if not ((had := self._handed.get(job.folder)) and self._is_there(had))]
        lacking = [job for job in lacking if job.folder.exists() and jobs.status(job).state == "queued"]
        for _, group in groupby(sorted(lacking, key=self._takes_up), key=self._takes_up):  # in their order
            self._hand([(job, ticket) for job in group if (ticket := self._next_ticket(job))])

    def _takes_up(self, job: Job) -> tuple[int, bool]:
        """How many processors, and whether a card."""
        threads = self.settings.cpus or job.spec.get("threads") or torch.get_num_threads()
        return int(threads), devices.kind(job.device) == "cuda"

    def _hand(self, found: list[tuple[Job, Ticket]]) -> None:
        if not found:
            return
        numbers = self.cluster.submit([self._assignment(job) for job, _ in found])
        for (job, ticket), number in zip(found, numbers, strict=True):
            if had := self._handed.get(job.folder):
                self.cluster.collect(had.ticket.number)
            handed = _Handed(job, replace(ticket, number=number))
            if job.folder.exists():  # not removed in the meantime: a write would bring it back
                keep_ticket(job, handed.ticket)
            self._handed[job.folder] = handed
            self._there.add(number)

    def _next_ticket(self, job: Job) -> Ticket | None:
        """The ticket that a job gets now, without its number; None, and the job failed, if it got too many in vain."""
        before, now = self._own_ticket(job), jobs.status(job)
        in_vain = before and (before.queued, before.seconds) == (now.queued, now.seconds)
        ticket = Ticket(self.engine.key, "", now.queued, now.seconds, before.times + 1 if before and in_vain else 1)
        if ticket.times <= MOST_TIMES:
            return ticket
        said = f"{self.engine.title} took it {MOST_TIMES} times and ended it before it began"
        self._notify(job, jobs.fail_queued(job, f"{said}: look into {job.log_path}, then resume it."))
        return None

    def _assignment(self, job: Job) -> Assignment:
        sent = {k: v for k, v in worker_environment().items() if k.startswith(SENT) or k in SENT_TOO}
        sent |= devices.node_environment(self._count, self.cluster.among)
        self._count += 1
        cpus, on_a_card = self._takes_up(job)
        return Assignment(job, queue.worker_command(job), sent, cpus, on_a_card)

    def _say(self, pending: list[tuple[Job, Status]]) -> None:
        known = dict(pending)
        for handed in self._handed.values():  # those that have ended stand in no line
            known.setdefault(handed.job, jobs.status(handed.job))
        for job, present in known.items():
            if self._states.get(job.folder) != present.state:
                self._notify(job, present)

    def _notify(self, job: Job, present: Status) -> None:
        before, self._states[job.folder] = self._states.get(job.folder), present.state
        if self.on_change and (before or present.state != "queued"):
            self.on_change(job, present)
