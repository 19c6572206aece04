"""The queue of a lane: whoever holds its lock runs its jobs, one after the other, each in its own process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO

from engine import files
from engine.errors import BusyError, FullDiskError, InvalidInputError, StorageError, UnavailableError, WorkbenchError
from engine.jobs import processes, states
from engine.jobs.lanes import is_card, is_held
from engine.jobs.memory import OomWitness
from engine.jobs.overview import POLL, OnChange, Unfinished
from engine.jobs.records import Job, changing
from engine.jobs.states import Status, is_unsettled, settle, status, works_in
from engine.jobs.warm import WarmWorker
from engine.workspace import Workspace

if sys.platform != "win32":
    import fcntl

GRACE = 10.0  # s from the wish to cancel until SIGTERM: a worker looks once a step, which may take seconds
KILL_GRACE = 5.0  # s from SIGTERM until SIGKILL: enough to remove half-written files
FULL_DISK = 2.0  # s until a queue that found its disk full looks again
LINGER = 30.0  # s that a process may go on after it has said that its job ended
AHEAD = 30.0  # s that a card's job still takes when a worker for the next one is started, which loads for a few seconds
WARM_AFTER = 1.0  # s that a lane has been empty until a worker is started that waits for its next job
FORGOTTEN_AFTER = 3600.0  # s; a half-written folder of that age has nobody who still writes it


class FileLock:
    """The sole right to something of a workspace, by name: the jobs of a lane, a task's labels, an import. It ends with
    its holder's process.

    A worker started with `fileno()` among its `pass_fds` holds it too: if the holder is killed while its worker lives,
    the lock stays taken until that worker is gone. Raises StorageError if the lock's file cannot be made.
    """

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.name = name
        self._path = workspace.locks / (re.sub(r"[^A-Za-z0-9._-]", "-", name) + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free, without waiting; whether it is held by this object now."""
        if sys.platform == "win32":
            raise UnavailableError("Queues need file locks of Linux or macOS: on Windows, use WSL or the Docker image.")
        if self._descriptor is not None:
            return True
        files.make_folder(self._path.parent)
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise files.storage_error(error, self._path) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise files.storage_error(error, self._path) from error
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go; a worker that inherited the lock keeps it, which is why it is closed and not unlocked."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def fileno(self) -> int:
        """File descriptor to hand to a worker. Raises BusyError if the lock is not held."""
        if self._descriptor is None:
            raise BusyError(f"The lock {self.name!r} is not held: acquire it first.")
        return self._descriptor

    def __enter__(self) -> FileLock:
        if not self.acquire():
            raise BusyError(f"What {self.name!r} locks is worked on by another process: let it finish first.")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def drain(
    workspace: Workspace,
    lane: str,
    command: Callable[[Job], list[str]],
    *,
    stop: threading.Event | None = None,
    until_empty: bool = False,
    on_change: OnChange | None = None,
    warm: Callable[[], WarmWorker] | None = None,
    environment: Callable[[], Mapping[str, str]] = dict,
    grace: float = GRACE,
    kill_grace: float = KILL_GRACE,
    poll: float = POLL,
) -> None:
    """Run the queued jobs of a lane, the oldest first, until `stop` is set or (`until_empty`) none is left.

    command(job) is the command line of a worker that calls `worker.run(job.folder, ...)`; it gets this environment, as
    `processes.worker_environment` makes it, with what `environment()` has on top.
    Several lanes may work off one line of jobs, as those of several cards do: each job is started once.
    warm() starts a worker that waits for a job: while the lane is held and empty there is one, until it has waited long
    enough; after the next job there is one again. In a card's lane there is one before a job ends if another waits.
    on_change is called, in this thread, whenever this drainer started or settled a job. While another process or
    thread holds the lane, this one waits, and still sees to it that cancelled workers end. When `stop` is set, or
    this process dies, a running worker works on and keeps the lane; whoever drains next takes it from there.
    Raises StorageError if the workspace cannot be written (a job that is running then ends by itself).
    """
    workspace = workspace.machine
    cancellations, unfinished = _Cancellations(grace, kill_grace), Unfinished(lambda: workspace.queued_folders, lane)
    start = _Start(command, environment, warm)
    drainer = _Drainer(workspace, lane, unfinished, start, stop or threading.Event(), on_change, cancellations, poll)
    left_behind = (*workspace.queued_folders, *workspace.written_to())
    for folder in left_behind:  # what is half-written or half-removed, and nobody's any more
        files.remove_temporary(folder, older_than=FORGOTTEN_AFTER)
    lock = FileLock(workspace, lane)
    while not drainer.stop.is_set():
        try:
            if lock.acquire():
                drainer.run_all(lock, until_empty)
            else:
                drainer.look_on()
        except FullDiskError:  # not even a start can be written down: what waits goes on waiting
            drainer.stop.wait(FULL_DISK)
        finally:
            drainer.spare.dismiss()
            lock.release()
        if until_empty and not drainer.unfinished():
            return
        drainer.stop.wait(poll)


class _Cancellations:
    """Sees to it that a running job which the user cancelled ends: it is asked, then told, then killed."""

    def __init__(self, grace: float, kill_grace: float) -> None:
        self._grace, self._kill_grace = grace, kill_grace
        self._seen: dict[tuple[Path, str], float] = {}  # (job, process) -> when the wish was seen, in s
        self._told: set[tuple[Path, str]] = set()

    def enforce(self, job: Job, present: Status) -> None:
        if not present.cancel_requested or present.pid is None or present.host != processes.host():
            return
        key = job.folder, f"{present.pid} {present.pid_started}"
        waited = time.monotonic() - self._seen.setdefault(key, time.monotonic())
        if waited >= self._grace + self._kill_grace:
            processes.send_signal(present.pid, present.pid_started, signal.SIGKILL)
        elif waited >= self._grace and key not in self._told:
            self._told.add(key)
            processes.send_signal(present.pid, present.pid_started, signal.SIGTERM)


class _Spare:
    """The worker that waits for the next job of a lane, where one is wanted."""

    def __init__(self, start: Callable[[], WarmWorker] | None) -> None:
        self._start, self._wanted = start, start is not None
        self._worker: WarmWorker | None = None
        self._empty_since: float | None = None

    def keep(self) -> None:
        """While the lane is empty: see to it that there is one, unless one has waited in vain already."""
        self._empty_since = self._empty_since or time.monotonic()
        if self._worker is not None and self._worker.gone:
            self.dismiss()
            self._wanted = False
        if time.monotonic() - self._empty_since > WARM_AFTER:
            self.prepare()

    def prepare(self) -> None:
        """While a job ends and another waits: see to it that there is one, if one is started at all."""
        if self._start and self._wanted and self._worker is None:
            try:
                self._worker = self._start()
            except OSError:  # such as no memory left: the next job gets a worker of its own, which says what is wrong
                self._wanted = False

    def take(self, job: Job, log: IO[bytes], lock: FileLock) -> subprocess.Popen[bytes] | None:
        """Hand it the job; None if there is none, or if it cannot take it."""
        worker, self._worker = self._worker, None
        self._empty_since, self._wanted = None, self._start is not None
        return worker.take(job.folder, log.fileno(), lock.fileno()) if worker else None

    def dismiss(self) -> None:
        """End it, if there is one."""
        if self._worker is not None:
            self._worker.dismiss()
            self._worker = None


@dataclass(frozen=True)
class _Start:
    """How a worker is started."""

    command: Callable[[Job], list[str]]
    environment: Callable[[], Mapping[str, str]]
    warm: Callable[[], WarmWorker] | None


class _Drainer:
    """What `drain` does, with its settings."""

    def __init__(
        self,
        workspace: Workspace,
        lane: str,
        unfinished: Unfinished,
        how: _Start,
        stop: threading.Event,
        on_change: OnChange | None,
        cancellations: _Cancellations,
        poll: float,
    ) -> None:
        self.stop = stop
        self.spare = _Spare(how.warm)
        self._workspace, self._lane = workspace, lane
        self._jobs = unfinished
        self._how = how
        self._on_change = on_change
        self._cancellations = cancellations
        self._poll = poll

    def unfinished(self) -> bool:
        """Whether any job of the lane is still to be started, settled or ended."""
        return bool(self._jobs.look())

    def look_on(self) -> None:
        """While somebody else holds the lane: see to cancellations, since a dead drainer's worker may hold it."""
        for job, present in self._jobs.look():
            self._cancellations.enforce(job, present)

    def run_all(self, lock: FileLock, until_empty: bool) -> None:
        """With the lane held: settle what died, then run what is queued; return at `stop`, or when none is left."""
        while not self.stop.is_set():
            pending = self._jobs.look()
            here = [pair for pair in pending if works_in(*pair) == self._lane]
            workers = [pair for pair in here if pair[1].state == "running" and pair[1].host == processes.host()]
            lost = [pair for pair in pending if pair[1].state == "interrupted" or is_unsettled(pair[1])]
            dead = [job for job, present in lost if self._is_mine(job, present)]
            queued = [job for job, present in pending if present.state == "queued"]
            if workers:  # started by hand, or left by a drainer whose lock could not be inherited
                for job, present in workers:
                    self._cancellations.enforce(job, present)
                self.stop.wait(self._poll)
            elif dead:
                self._settle(dead[0], None, None)
            elif queued and not is_held(self._workspace, self._lane):
                self._run(queued[0], lock)
            elif until_empty and not queued:
                return
            else:
                self.spare.keep()
                self.stop.wait(self._poll)

    def _is_mine(self, job: Job, present: Status) -> bool:
        """Whether this lane settles a job whose process died: it was its own, or that of a lane that nobody holds."""
        lane = works_in(job, present)
        if lane == self._lane:
            return True
        lock = FileLock(self._workspace, lane)
        try:
            return lock.acquire()
        finally:
            lock.release()

    def _run(self, job: Job, lock: FileLock) -> None:
        """Run one job to the end of its process."""
        try:
            process = self._start(job, self._how.command(job), lock)
        except OSError as error:
            self._refuse(job, f"Its worker could not be started ({error}): check this installation, then resume it.")
            return
        except StorageError:
            raise
        except WorkbenchError as error:  # the command cannot be made from this spec, or the job was removed
            self._refuse(job, str(error))
            return
        if process is not None:
            self._notify(job, status(job))
            self._watch(job, process)

    def _start(self, job: Job, argv: list[str], lock: FileLock) -> subprocess.Popen[bytes] | None:
        """Start the worker, unless the job was cancelled: its lock is held, so a cancellation comes before or after."""
        with changing(job.folder), _opened_log(job) as log:
            if status(job).state != "queued":
                return None
            process = self.spare.take(job, log, lock) or subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**processes.worker_environment(), **self._how.environment()},
                start_new_session=True,
                pass_fds=(lock.fileno(),),
            )
            try:
                states.begin_locked(job, process.pid, self._lane)
            except BaseException:
                processes.kill_group(process.pid)
                process.wait()
                raise
            return process

    def _watch(self, job: Job, process: subprocess.Popen[bytes]) -> None:
        ended_since: float | None = None
        witness = OomWitness()
        while process.poll() is None:
            witness.note()
            present = status(job)
            self._cancellations.enforce(job, present)
            self._prepare_next(present)
            if present.terminal:
                ended_since = ended_since or time.monotonic()
                if time.monotonic() - ended_since > LINGER:
                    processes.kill_group(process.pid)
            if self.stop.wait(self._poll):
                threading.Thread(target=process.wait, daemon=True).start()  # collects it whenever it ends
                return
        processes.kill_group(process.pid)  # whatever the worker started and did not end itself
        self._settle(job, process.returncode, witness)

    def _prepare_next(self, present: Status) -> None:
        """Have a worker loaded when a card's job ends and another waits: a card idles while a process starts. A CPU
        would only take from one what it gives to the other.
        """
        ends_soon = present.seconds_left is not None and present.seconds_left < AHEAD
        if is_card(self._lane) and ends_soon and any(now.state == "queued" for _, now in self._jobs.look()):
            self.spare.prepare()

    def _settle(self, job: Job, exit_code: int | None, witness: OomWitness | None) -> None:
        ended, hopeless = _read_exit(exit_code)
        short = witness.saw_one() if witness and ended == signal.SIGKILL.name else None
        with suppress(InvalidInputError):  # removed in the meantime
            self._notify(job, settle(job, ended, hopeless=hopeless, short_of_memory=short))

    def _refuse(self, job: Job, message: str) -> None:
        with suppress(InvalidInputError):  # removed in the meantime
            self._notify(job, states.fail_queued(job, message))

    def _notify(self, job: Job, present: Status) -> None:
        if self._on_change:
            self._on_change(job, present)


def _opened_log(job: Job) -> IO[bytes]:
    try:
        return job.log_path.open("ab")
    except OSError as error:
        raise files.storage_error(error, job.log_path) from error


def _read_exit(exit_code: int | None) -> tuple[str | None, bool]:
    """How a process ended, in words, and whether it would only end the same way again.

    A process that was killed may fare better next time; one that ended by itself without settling its job will not.
    Codes from 128 on are how shells pass on a signal.
    """
    if exit_code is None:
        return None, False
    number = -exit_code if exit_code < 0 else exit_code - 128
    if number <= 0:
        return f"exit code {exit_code}", True
    with suppress(ValueError):
        return signal.Signals(number).name, False
    return f"signal {number}", False
