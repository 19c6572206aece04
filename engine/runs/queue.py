"""The queue as the app and the command line use it: where jobs lie, which go first, how a worker is started, a thread
that drains.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from functools import partial

from engine import devices, jobs
from engine.errors import WorkbenchError
from engine.files import storage_error, write_bytes
from engine.installation import FOLDER
from engine.jobs import (
    ANY_CARD,
    GIVE_UP_INTERRUPTED,
    IMPORT,
    INTERACTIVE,
    Job,
    OnChange,
    Status,
    WarmWorker,
    works_in,
)
from engine.workspace import Workspace

LOOK_AGAIN = 2.0  # s until an empty lane looks for work again while another lane still has some


def lanes(device: str) -> list[str]:
    """The lanes that whoever works for `device` drains: its own, for "cuda" that of each card, and those that are of no
    device.
    """
    own = [f"cuda:{card.index}" for card in devices.cards()] or ["cuda:0"] if device == "cuda" else [device]
    return [INTERACTIVE, IMPORT, *own]


def waiting(workspace: Workspace, device: str) -> list[Job]:
    """Jobs that wait in the lanes of `device`: lane by lane, in the order in which they will start."""
    found = [job for lane in lanes(device) for job in jobs.queued_jobs(workspace.queued_folders, lane)]
    return list(dict.fromkeys(found))  # what waits for any card waits in the lanes of all


def line(workspace: Workspace, job: Job) -> list[tuple[Job, Status]]:
    """What runs in the lane of `job` now, then what waits there in the order in which it will start, `job` with it. A
    job that waits waits for all that stands before it here; for any card, until one of all cards is free.
    """
    if job.lane != ANY_CARD:
        found = jobs.unfinished_in(workspace, job.lane)
        return [pair for pair in found if pair[1].state != "running" or works_in(*pair) == job.lane]
    of_cards = [lane for lane in lanes("cuda") if lane not in (INTERACTIVE, IMPORT)]
    every = {pair[0]: pair for lane in of_cards for pair in jobs.unfinished_in(workspace, lane)}
    return jobs.in_order(every.values())


def pause(workspace: Workspace) -> None:
    """Let nothing more of the queue begin, on this machine or on a cluster, until `go_on`, also after a restart; what
    runs goes on to its end. Raises StorageError, UnavailableError for a visitor of a demo.
    """
    workspace.refuse_visitors("Pausing the queue", "cancel jobs of yours instead")
    write_bytes(workspace.paused, b"")


def go_on(workspace: Workspace) -> None:
    """Let the queue begin what waits. Raises StorageError."""
    workspace.refuse_visitors("Pausing the queue", "cancel jobs of yours instead")
    try:
        workspace.paused.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, workspace.paused) from error


def is_paused(workspace: Workspace) -> bool:
    """Whether the queue is paused."""
    return workspace.paused.exists()


def open_jobs(workspace: Workspace) -> list[tuple[Job, Status]]:
    """All jobs of the workspace that run or wait, lane by lane: those that run first, then in the order of the line."""
    every = [job for root in workspace.job_folders for job in jobs.list_jobs(root)]
    found = [(job, now) for job in every if not (now := jobs.status(job)).terminal]
    return sorted(jobs.in_order(found), key=lambda pair: pair[0].lane)


def cards_of(job: Job) -> int:
    """How many lanes may take `job`: as many as there are cards for one that asks for any, else its own alone."""
    return devices.count(job.lane)


def worker_command(job: Job) -> list[str]:
    """The command line of a worker, whichever folder the caller was started in."""
    return [sys.executable, "-P", "-m", "engine", "job", str(job.folder)]


def warm_worker(lane: str) -> WarmWorker:
    """A worker of a lane that waits for a job. Raises OSError if it cannot be started."""
    command = [sys.executable, "-P", "-m", "engine", "warm", lane]
    return WarmWorker(command, _program, partial(devices.environment_of, lane))


def _program() -> list[tuple[str, int, int]]:
    """What changes when the program is changed under a process that has loaded it already."""
    found = ((str(path), path.stat()) for path in sorted((FOLDER / "engine").rglob("*.py")))
    return [(name, now.st_mtime_ns, now.st_size) for name, now in found]


def drain(
    workspace: Workspace,
    device: str,
    *,
    stop: threading.Event | None = None,
    until_empty: bool = False,
    on_change: OnChange | None = None,
    warm: bool = False,
) -> None:
    """Run the queued jobs of the `lanes` of a device, the lanes beside each other, as `engine.jobs.drain` does for one.
    warm: whether a worker waits in each lane for its next job.

    on_change is called in threads of their own, never in two at a time. Raises StorageError if the workspace cannot be
    written; then, as when this is interrupted, all lanes end, and running workers work on.
    """
    stop, errors, notify = stop or threading.Event(), list[WorkbenchError](), _one_at_a_time(on_change)
    drained = lanes(device)
    threads = [
        threading.Thread(
            target=_drain_lane,
            args=(workspace, lane, drained, stop, until_empty, notify, warm, errors),
            name=f"queue of {lane}",
            daemon=True,
        )
        for lane in drained
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        stop.set()
        raise
    if errors:
        raise errors[0]


def _drain_lane(
    workspace: Workspace,
    lane: str,
    beside: Sequence[str],
    stop: threading.Event,
    until_empty: bool,
    on_change: OnChange,
    warm: bool,
    errors: list[WorkbenchError],
) -> None:
    """Drain one lane in this thread; what it raises goes to `errors` and stops the lanes beside it."""
    try:
        while True:
            jobs.drain(
                workspace,
                lane,
                worker_command,
                stop=stop,
                until_empty=until_empty,
                on_change=on_change,
                warm=partial(warm_worker, lane) if warm else None,
                environment=partial(devices.environment_of, lane),
            )
            if stop.is_set() or not any(jobs.unfinished_jobs(workspace.queued_folders, other) for other in beside):
                return
            stop.wait(LOOK_AGAIN)  # this lane is empty, another one is not: until that is, something may come
    except WorkbenchError as error:
        errors.append(error)
        stop.set()
    except BaseException:
        stop.set()  # no lane goes on alone: whoever sees that the queue has ended starts all of it again
        raise


def _one_at_a_time(on_change: OnChange | None) -> OnChange:
    lock = threading.Lock()

    def notify(job: Job, present: Status) -> None:
        if on_change is not None:
            with lock:
                on_change(job, present)

    return notify


class QueueThread(threading.Thread):
    """A background thread that runs the queued jobs of a device's lanes as long as it lives; several compete safely.

    patience: s that a job may be interrupted until it is clear that nobody takes it up again. clears_within: s that the
    thread may need to clear away what is left of jobs that have ended.
    """

    patience, clears_within = GIVE_UP_INTERRUPTED, 0.0

    def __init__(self, workspace: Workspace, device: str, *, until_empty: bool = False, warm: bool = False) -> None:
        super().__init__(name=f"queue of {device}", daemon=True)
        self.workspace, self.device, self.until_empty, self.warm = workspace, device, until_empty, warm
        self.stopping, self.ended = threading.Event(), threading.Event()
        self.error: WorkbenchError | None = None  # why it ended, when the workspace refused

    def run(self) -> None:
        """Drain until stopped; why it ended before is kept."""
        try:
            self.drain()
        except WorkbenchError as error:
            self.error = error
        finally:
            self.ended.set()

    def drain(self) -> None:
        """Drain until stopped. Raises StorageError if the workspace refuses."""
        drain(self.workspace, self.device, stop=self.stopping, until_empty=self.until_empty, warm=self.warm)

    def stop(self) -> None:
        """Ask it to end; a running worker works on."""
        self.stopping.set()
