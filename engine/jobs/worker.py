"""Inside the worker process: one job, from its start to its end."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from engine.errors import CancelledError, FullDiskError, StorageError, UnknownNameError, WorkbenchError
from engine.jobs import memory, states
from engine.jobs.records import Job, load
from engine.jobs.reporter import Reporter
from engine.jobs.space import SpaceWait, full_disk
from engine.jobs.states import State, Status
from engine.workspace import Workspace

Handler = Callable[[Workspace, Job, Reporter], None]

LOADING, BEGINNING = "Loading the libraries", "Beginning"  # the first stages of every job
END_BYTES = 100_000  # that the end of a job takes, plenty
DONE, FAILED, CANCELLED, REFUSED, PUT_BACK = 0, 1, 3, 4, 143  # exit codes; 143 is what a shell says of SIGTERM


class _AskedToStop(BaseException):
    """SIGTERM came: the machine, or the queue that enforces a cancellation, wants this process gone."""


def run(folder: Path, handlers: Mapping[str, Handler]) -> int:
    """Do the job in `folder` with the handler of its kind, and give the exit code for this process.

    To look a handler up may take long, since that may load libraries: who watches sees that they are loading.

    0 done, 1 failed, 3 cancelled, 4 not started because its state does not allow it, 143 stopped by SIGTERM and queued
    again. Whatever is raised ends as a state with one sentence; the traceback goes to the log. Nothing is raised but
    WorkbenchError for a folder that is no job, or whose status cannot be written at the start.
    """
    job = load(folder)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # so that a killed worker's last words are in its log
    running = states.begin(job, os.getpid())
    if running is None:
        _log(job, f"{job.id} was not started, since it is {states.status(job).state}.\n")
        return REFUSED
    before = signal.getsignal(signal.SIGTERM)
    try:
        return _work(job, running, handlers)
    finally:
        _on_sigterm(before)


def _work(job: Job, running: Status, handlers: Mapping[str, Handler]) -> int:
    last = running
    try:
        with _sigterm_raises(), Reporter(job, running) as reporter:
            try:
                reporter.check_cancelled()
                reporter.progress(0, None, "", LOADING)
                if job.kind not in handlers:
                    raise UnknownNameError("kind of job", job.kind, handlers)
                handler = handlers[job.kind]
                reporter.check_cancelled()
                reporter.progress(0, None, "", BEGINNING)
                _handle(handler, job, reporter)
            finally:
                last = reporter.latest()
    except _AskedToStop:
        return _put_back(job, last)
    except (CancelledError, KeyboardInterrupt):
        return _finish(job, last, "cancelled", states.CANCELLED_MESSAGE)
    except BaseException as error:  # SystemExit too: a library that exits is an error like any other
        _log(job, traceback.format_exc())
        return _finish(job, last, "failed", sentence(error, job))
    return _finish(job, last, "done", None)


def _handle(handler: Handler, job: Job, reporter: Reporter) -> None:
    """Do the work; where the disk is full, wait until there is room, and go on from what was kept, as after a kill."""
    waiting = SpaceWait(job, reporter.check_cancelled)
    while True:
        try:
            handler(Workspace.of_job(job.folder), job, reporter)
            return
        except Exception as error:
            found = None if isinstance(error, CancelledError) else full_disk(error, job.folder)
            if found is None:
                raise
            full = found.with_traceback(None)  # which holds all that the work had in memory
            full.__cause__ = full.__context__ = None
        _log(job, f"Waiting for disk space: {full}\n")
        waiting.wait(full)


def sentence(error: BaseException, job: Job) -> str:
    """One sentence for the user: a WorkbenchError's own, or that the program has an error and where to read on."""
    if isinstance(error, WorkbenchError):
        return str(error)
    if memory.ran_out(error):
        return memory.sentence(job.kind, error=error)
    first_line = next(iter(str(error).strip().splitlines()), "")[:200]
    what = f"{type(error).__name__}: {first_line}" if first_line else type(error).__name__
    return f"It stopped because of an error in the program ({what}); details are in {job.log_path}."


def _finish(job: Job, last: Status, state: State, message: str | None) -> int:
    """Write the end, as soon as the disk has room for it. If it is refused otherwise, the log has the first error, and
    the exit code tells the queue.
    """
    waiting = SpaceWait(job, lambda: None)
    while True:
        try:
            ended = states.finish(job, last, state, message)
            break
        except FullDiskError as error:
            waiting.wait(FullDiskError(str(error), error.path, END_BYTES))
        except WorkbenchError as error:
            _log(job, f"{message or 'The work is done.'}\nThis could not be noted: {error}\n")
            return FAILED
    return {"done": DONE, "cancelled": CANCELLED}.get(ended.state, FAILED)


def _put_back(job: Job, last: Status) -> int:
    with suppress(StorageError):  # then it is found dead, which comes to the same
        if states.put_back(job, last).state == "cancelled":
            return CANCELLED
    return PUT_BACK


@contextmanager
def _sigterm_raises() -> Iterator[None]:
    """Let SIGTERM unwind the stack, so that half-written files are removed, instead of ending the process at once.

    Afterwards it is ignored: what is left to do is to write the end, which takes a moment.
    """

    worker = os.getpid()

    def ask(_number: int, _frame: FrameType | None) -> None:
        if os.getpid() != worker:  # a process forked from it, which ends as if nothing had been set
            os._exit(PUT_BACK)
        _on_sigterm(signal.SIG_IGN)  # one is enough; the next would break the clean-up
        raise _AskedToStop

    _on_sigterm(ask)
    try:
        yield
    finally:
        _on_sigterm(signal.SIG_IGN)


def _on_sigterm(action: Callable[[int, FrameType | None], Any] | int | None) -> None:
    if threading.current_thread() is threading.main_thread():  # Python handles signals nowhere else
        signal.signal(signal.SIGTERM, action)


def _log(job: Job, text: str) -> None:
    """Print to stderr, which the queue sends to the log; also into the log itself when stderr goes elsewhere."""
    with suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()
    with suppress(OSError):
        if not _stderr_is(job.log_path):
            with job.log_path.open("a", encoding="utf-8") as log:
                log.write(text)


def _stderr_is(path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(sys.stderr.fileno()), path.stat())
    except (OSError, ValueError):  # no log yet, or a stderr that is no file
        return False
