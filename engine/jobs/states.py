"""What a job is doing: status.json, and every change from one state to another. The one place that decides a state."""

from __future__ import annotations

import os
import shutil
import signal
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from engine import files
from engine.errors import BusyError, InvalidInputError, WorkbenchError
from engine.files import remove_temporary
from engine.jobs import memory, processes, space
from engine.jobs.lanes import ANY_CARD, FIRST_CARD
from engine.jobs.records import (
    CANCEL_FLAG,
    JOB_FILE,
    STATUS_FILE,
    Job,
    changing,
    check_id,
    list_jobs,
    load,
    now,
    write_job,
)
from engine.quotas import check_jobs
from engine.records import Count, Moment, Seconds, as_value, damaged, read_value, record_from, remembered
from engine.workspace import Workspace

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
TERMINAL: frozenset[State] = frozenset({"done", "failed", "cancelled"})

MAX_ATTEMPTS = 3  # a job that killed its process three times will do so again: it must not fill its lane forever
MAX_RESTARTS = 10  # of a machine or container, that are not a job's fault; one that brings it down each time ends, too
STALE_AFTER = 60.0  # s; a heartbeat comes every 2 s: thirty missed ones, on a machine whose processes cannot be asked

TAKEN_MESSAGE = "It was taken for dead, and is done elsewhere."
CANCELLED_MESSAGE = "It was cancelled; it can be resumed."


@dataclass(frozen=True)
class Status:
    """What a job is doing, as of its last write.

    state: "interrupted" says that it was running, but its process is gone; the queue will take it up again.
    cancel_requested: the user asked it to stop and it has not stopped yet.
    stuck: its process lives, but has given no sign of life for a minute. paused: it waits for space on its disk.
    done, total, unit: progress of the present stage; total is None while unknown.
    rate: units a second over the last while; seconds_left: in the present stage. None while unknown or not running.
    stage: what it is doing now. message: one sentence for the user when it failed or was cancelled.
    attempts: how often it was started since the user queued it. restarts: how many of these ended because this machine
    or container was restarted, which says nothing about the job. seconds: working time over all attempts.
    lane: which lane started that process, such as "cuda:1" for one that asked for any card.
    pid, pid_started, host: its process. heartbeat: when that process last wrote.
    created, queued, started, finished: times in UTC; started is the first start.
    first: when the user asked that it be the next one of its lane; None for one that waits for its turn.
    """

    state: State
    created: Moment
    queued: Moment
    started: Moment | None = None
    finished: Moment | None = None
    first: Moment | None = None
    heartbeat: Moment | None = None
    done: Count = 0
    total: Count | None = None
    unit: str = ""
    rate: float | None = None
    seconds_left: float | None = None
    stage: str = ""
    message: str | None = None
    attempts: Count = 0
    restarts: Count = 0
    seconds: Seconds = 0.0
    pid: int | None = None
    pid_started: str | None = None
    host: str | None = None
    lane: str | None = None
    cancel_requested: bool = False
    stuck: bool = False
    paused: bool = False

    @property
    def terminal(self) -> bool:
        """Whether nothing more happens unless the user asks for it."""
        return self.state in TERMINAL


def create(root: Path, job_id: str, *, kind: str, spec: Mapping[str, Any], device: str, lane: str | None = None) -> Job:
    """Put a new job into the queue of a lane, by default that of `device`; its folder `root/job_id` appears at once and
    whole.

    Raises InvalidInputError for an id that is taken or is not a plain name, StorageError if the disk refuses,
    QuotaError if a visitor of a demo asks for more than one may have.
    """
    check_id(job_id)
    folder = root / job_id
    if os.path.exists(folder):
        raise _taken(folder)
    check_allowed(Workspace.of_job(folder), 1)
    with files.replacing_folder(folder) as temporary:
        write_job(temporary, job_id, kind=kind, device=device, lane=lane or device, spec=spec)
        mine = load(temporary)
        _store(mine, Status(state="queued", created=mine.created, queued=mine.created))
    job = load(folder)
    if job.created != mine.created:  # somebody else was faster, and theirs was kept
        raise _taken(folder)
    return job


def check_allowed(workspace: Workspace, more: int) -> None:
    """Raises QuotaError if the visitor of a demo may not ask for so many jobs more; in a workspace of one's own all
    are allowed.
    """
    if workspace.base is not None:
        every = [job for folder in workspace.job_folders for job in list_jobs(folder)]
        check_jobs(workspace, sum(not status(job).terminal for job in every), more)


def status(job: Job) -> Status:
    """What `job` is doing. Never raises: a status that cannot be read is a failed job whose message says so."""
    try:
        stored = _read(job)
    except WorkbenchError as error:
        return Status(state="failed", created=job.created, queued=job.created, message=str(error))
    if stored.state != "running":
        return stored
    cancel_requested = os.path.exists(job.folder / CANCEL_FLAG)
    if is_alive(stored):
        return _as_seen(job, replace(stored, cancel_requested=cancel_requested))
    again = _read_or(job, stored)  # it may have ended, in good order, between the two looks
    if again.state != "running" or is_alive(again):
        return again
    if cancel_requested:
        return replace(again, state="cancelled", message=CANCELLED_MESSAGE, rate=None, seconds_left=None)
    return replace(again, state="interrupted", rate=None, seconds_left=None)


def _as_seen(job: Job, running: Status) -> Status:
    """A running job as it is, which it may not be able to say itself: its disk is full, or it answers no more."""
    if waiting := space.waits_for(job):
        return replace(running, stage=waiting, done=0, total=None, rate=None, seconds_left=None, paused=True)
    silent = running.heartbeat is None or abs((now() - running.heartbeat).total_seconds()) > STALE_AFTER
    return replace(running, rate=None, seconds_left=None, stuck=True) if silent else running


def is_alive(stored: Status) -> bool:
    """Whether the process that a status names still runs; on another machine, whether its heart beats."""
    if is_here(stored):
        return processes.runs(stored.pid, stored.pid_started)
    # Also one that lies in the future: its clock, or its file, is wrong, and nobody would ever see it grow old.
    return stored.heartbeat is not None and abs((now() - stored.heartbeat).total_seconds()) < STALE_AFTER


def is_here(stored: Status) -> bool:
    """Whether the process that a status names can be asked for here; of one elsewhere there is only its heartbeat."""
    return stored.host == processes.host() and processes.is_of_here(stored.pid_started)


def _ended_with_machine(stored: Status) -> bool:
    """Whether a process that is gone ran before this machine, or container, was started the last time."""
    return stored.host == processes.host() and processes.is_of_before(stored.pid_started)


def works_in(job: Job, present: Status) -> str:
    """In which lane a job's process works, or worked when it died; one that was started by hand, in its own."""
    return present.lane or (FIRST_CARD if job.lane == ANY_CARD else job.lane)


def is_unsettled(present: Status) -> bool:
    """Whether a cancelled job still names its process: it died before anybody wrote down that it has ended."""
    return present.state == "cancelled" and present.pid is not None


def begin(job: Job, pid: int) -> Status | None:
    """Mark a queued or interrupted job as running in process `pid`; None if it is not to be run (any more).

    Both the queue and the worker call this, whoever comes first; the second call changes nothing.
    """
    with changing(job.folder):
        return begin_locked(job, pid)


def begin_locked(job: Job, pid: int, lane: str | None = None) -> Status | None:
    """`begin` for whoever holds the job's lock already. lane: whose lane starts it; None for one started by hand."""
    present = status(job)
    mark = processes.start_mark(pid)
    if present.state == "running":
        ours = present.host == processes.host() and present.pid == pid and present.pid_started == mark
        return present if ours else None
    if present.state not in ("queued", "interrupted"):
        return None
    remove_temporary(job.folder, older_than=0.0)
    space.remove_flag(job)
    started = replace(
        present,
        state="running",
        started=present.started or now(),
        heartbeat=now(),
        stage="Starting its process",
        attempts=present.attempts + 1,
        message=None,
        pid=pid,
        pid_started=mark,
        host=processes.host(),
        lane=lane,
    )
    _store(job, started)
    return started


def keep(job: Job, running: Status) -> None:
    """Write progress; only the job's own live worker may. Raises StorageError if the disk refuses."""
    if os.path.exists(job.folder / JOB_FILE):  # a write must not bring a removed folder back
        _store(job, running)


def is_taken(job: Job, last: Status) -> bool:
    """Whether a job is not its worker's any more: that was taken for dead, as its machine was not heard for a while,
    and the job was queued again. last: what the worker wrote, or would write.
    """
    stored = _read_or(job, last)
    return (stored.state, stored.host, stored.pid, stored.pid_started) != (
        "running",
        last.host,
        last.pid,
        last.pid_started,
    )


def finish(job: Job, last: Status, state: State, message: str | None = None) -> Status:
    """End a job whose worker calls this; `last` is the progress it got to. One that was taken from it stays as it is.

    A job that was cancelled is cancelled, whatever error its end brought. Raises StorageError if the disk refuses.
    """
    with changing(job.folder):
        if is_taken(job, last):
            return status(job)
        if state != "done" and os.path.exists(job.folder / CANCEL_FLAG):
            state, message = "cancelled", CANCELLED_MESSAGE
        return _end(job, last, state, message)


def put_back(job: Job, last: Status) -> Status:
    """Queue a running job again because its machine, not its user, asked it to stop; this start does not count."""
    with changing(job.folder):
        if is_taken(job, last):
            return status(job)
        if os.path.exists(job.folder / CANCEL_FLAG):
            return _end(job, last, "cancelled", CANCELLED_MESSAGE)
        return _requeue(job, replace(last, attempts=max(0, last.attempts - 1)))


def settle(
    job: Job, ended: str | None = None, *, hopeless: bool = False, short_of_memory: bool | None = None
) -> Status:
    """Decide about a job whose process died without a word: cancelled, queued again, or failed after three attempts,
    in which those do not count that ended with a restart of this machine.

    ended: how the process died, such as "signal 9", as far as known. hopeless: it would only die again the same way.
    short_of_memory: whether the system ended it for want of memory; None where nobody knows.
    Changes nothing if the job is not running or its process is alive.
    """
    with changing(job.folder):
        present = status(job)
        stored = _read_or(job, present)
        if stored.state != "running" or present.state == "running":
            return present
        if present.state == "cancelled":
            return _end(job, stored, "cancelled", CANCELLED_MESSAGE)
        if _ended_with_machine(stored):
            stored = replace(stored, restarts=stored.restarts + 1)
        own = stored.attempts - min(stored.restarts, MAX_RESTARTS)
        if not hopeless and own < MAX_ATTEMPTS:
            return _requeue(job, stored, memory.sentence(job.kind) if short_of_memory else None)
        how = _death_sentence(job, own, ended, hopeless, short_of_memory)
        return _end(job, stored, "failed", how)


def change_lane(job: Job, lane: str) -> Job:
    """Let a job that waits do so in another lane; others stay in their own. Raises StorageError if the disk refuses."""
    with changing(job.folder):
        present = status(job)
        if present.state != "queued" or job.lane == lane:
            return job
        kind, device, spec = job.kind, job.device, job.spec
        write_job(job.folder, job.id, kind=kind, device=device, lane=lane, spec=spec, created=job.created)
        _store(job, present)  # anew, for whoever remembers from when it changed last that the job is not theirs
        return load(job.folder)


def fail_queued(job: Job, message: str) -> Status:
    """End a queued job that cannot even be started."""
    with changing(job.folder):
        present = status(job)
        return _end(job, present, "failed", message) if present.state == "queued" else present


def request_cancel(job: Job) -> Status:
    """Ask `job` to stop: a queued one is cancelled at once, a running one as soon as its worker sees it.

    A job that has ended stays as it is. Raises StorageError if the disk refuses, InvalidInputError if it was removed.
    """
    with changing(job.folder):
        present = status(job)
        if present.state == "running":
            files.write_bytes(job.folder / CANCEL_FLAG, b"")
            return status(job)
        if present.state in ("queued", "interrupted"):
            return _end(job, present, "cancelled", CANCELLED_MESSAGE)
        return present


def end_now(job: Job, patience: float = 5.0) -> Status:
    """Cancel a job whose process does not answer any more, and end that process at once.

    Raises InvalidInputError if it works on another machine, BusyError if the system does not let it go within
    `patience` seconds, and as `request_cancel`.
    """
    present = request_cancel(job)
    if present.state != "running":
        return present
    if not is_here(present):
        raise InvalidInputError(f"{job.id} works on {present.host}: end its process, {present.pid}, there.")
    assert present.pid is not None
    processes.send_signal(present.pid, present.pid_started, signal.SIGKILL)
    until = time.monotonic() + patience
    while processes.runs(present.pid, present.pid_started):
        if time.monotonic() > until:
            raise BusyError(
                f"The process {present.pid} of {job.id} cannot be ended: the system holds it, as it does while a disk "
                "does not answer; try again, or start the machine anew."
            )
        time.sleep(0.05)
    return settle(job)


def put_first(job: Job) -> Status:
    """Let a job that waits be the next one of its lane; of several, the one that was asked for last.

    Raises InvalidInputError if it does not wait or was removed, StorageError.
    """
    with changing(job.folder):
        present = status(job)
        if present.state != "queued":
            raise InvalidInputError(f"{job.id} is {present.state}: only what waits can be the next one.")
        first = replace(present, first=now())
        _store(job, first)
        return first


def resume(job: Job) -> Status:
    """Queue a failed, cancelled or interrupted job again, at the end of its queue; a queued one stays where it is.

    Raises BusyError if it is running, InvalidInputError if it is done or was removed, StorageError, QuotaError if a
    visitor of a demo has as many jobs as one may have.
    """
    with changing(job.folder):
        present = status(job)
        if present.state == "queued":
            return present
        if present.state == "running":
            doing = "still stopping" if present.cancel_requested else "running"
            raise BusyError(f"{job.id} is {doing}: wait until it has ended, then resume it.")
        if present.state == "done":
            raise InvalidInputError(f"{job.id} is done, there is nothing to resume; start a new one instead.")
        if present.terminal:  # else it counts among those that the visitor has
            check_allowed(Workspace.of_job(job.folder), 1)
        return _requeue(job, replace(present, attempts=0, restarts=0, queued=now(), first=None))


def remove(job: Job) -> None:
    """Remove the folder of a job that is not queued or running, with all that lies in it. Raises as `move`."""
    doomed = job.folder.parent / f"{files.TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{job.id}"
    move(job, doomed)
    shutil.rmtree(doomed, ignore_errors=True)  # what cannot be removed now is temporary, and tidied up later


def move(job: Job, target: Path) -> None:
    """Give the folder of a job that is not queued or running another name, at once and as a whole.

    Raises BusyError if it is queued or running, InvalidInputError if it was removed already, StorageError.
    """
    with changing(job.folder):
        present = status(job)
        if present.state in ("queued", "running"):
            raise BusyError(f"{job.id} is {present.state}: cancel it first, then remove it.")
        try:
            os.rename(job.folder, target)
        except OSError as error:
            raise files.storage_error(error, job.folder) from error


def _end(job: Job, last: Status, state: State, message: str | None) -> Status:
    remove_temporary(job.folder, older_than=0.0)
    ended = replace(_at_rest(last), state=state, finished=now(), message=message)
    _store(job, ended)
    return ended


def _requeue(job: Job, last: Status, message: str | None = None) -> Status:
    remove_temporary(job.folder, older_than=0.0)
    _remove_flag(job)
    queued = replace(_at_rest(last), state="queued", finished=None, message=message)
    _store(job, queued)
    return queued


def _at_rest(last: Status) -> Status:
    """A status without what is true only of a live process."""
    return replace(last, rate=None, seconds_left=None, stage="", pid=None, pid_started=None, host=None, lane=None)


def _remove_flag(job: Job) -> None:
    path = job.folder / CANCEL_FLAG
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise files.storage_error(error, path) from error


def _death_sentence(job: Job, attempts: int, ended: str | None, hopeless: bool, short_of_memory: bool | None) -> str:
    if short_of_memory:
        return memory.sentence(job.kind, times=attempts)
    how = f" ({ended})" if ended else ""
    last_line = _last_line(job.log_path)
    last_words = f" The last line there: {last_line}" if last_line else ""
    if hopeless:
        return f"It stopped because of an error in the program{how}; details are in {job.log_path}.{last_words}"
    return (
        f"Its process ended without a word {attempts} times{how}; {_suspicion(short_of_memory)}. "
        f"Look into {job.log_path}, then resume it.{last_words}"
    )


def _suspicion(short_of_memory: bool | None) -> str:
    return "the machine may be short of memory" if short_of_memory is None else "the system counted no want of memory"


def _last_line(path: Path, length: int = 200) -> str:
    """The last line of a text file that is not empty, shortened; empty if there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:length] if lines else ""


def _read_or(job: Job, otherwise: Status) -> Status:
    try:
        return _read(job)
    except WorkbenchError:
        return otherwise


def _read(job: Job) -> Status:
    """status.json as it was written. Raises DamagedFileError or StorageError."""
    return replace(_written(job.folder / STATUS_FILE), created=job.created)


@remembered
def _written(path: Path) -> Status:
    what, way_out = f"how far {path.parent.name} is", "resuming the job writes it anew"
    value = read_value(path, what, way_out)
    if isinstance(value, dict):  # the one is in job.json, the others are for whoever looks to say
        seen = {"cancel_requested": False, "stuck": False, "paused": False}
        value = {**value, "created": datetime.min.replace(tzinfo=UTC), **seen}
    found = record_from(value, Status, path, what, way_out)
    if found.state == "interrupted":  # nobody writes that: it is what others see
        raise damaged(path, what, "'interrupted' is never written", way_out)
    return found


def _store(job: Job, state: Status) -> None:
    record = as_value(state)
    del record["created"], record["cancel_requested"], record["stuck"], record["paused"]
    files.write_json(job.folder / STATUS_FILE, record)


def _taken(folder: Path) -> InvalidInputError:
    what = "a job" if os.path.exists(folder / JOB_FILE) else "a file or folder"
    return InvalidInputError(f"There is already {what} named {folder.name!r} in {folder.parent}: choose another name.")
