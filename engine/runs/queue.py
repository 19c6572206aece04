"""The queue as the app and the command line use it: where jobs lie, which go first, how a worker is started, a thread
that drains.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job, Status
from engine.runs import speed
from engine.runs.execution import KIND as RUN

ROOT = Path(__file__).resolve().parents[2]

# Somebody sits before a ranking or a map and waits, and it is short; a run is left alone once it was started; an
# estimate is for before that, and holds nobody up. Jobs of a lower number start first.
SHORT_WORK, RUNS, MEASUREMENTS = 0, 1, 2
_URGENCY = {RUN: RUNS, speed.KIND: MEASUREMENTS}


def roots(home: Path) -> list[Path]:
    """The folders in which jobs lie."""
    return [home / "jobs", home / "runs"]


def urgency(job: Job) -> int:
    """Which jobs start first: those of the lowest number, and of those the oldest."""
    return _URGENCY.get(job.kind, SHORT_WORK)


def waiting(home: Path, device: str) -> list[Job]:
    """Jobs that wait for `device`, in the order in which they will start."""
    return jobs.queued_jobs(roots(home), device, urgency)


def line(home: Path, device: str) -> list[tuple[Job, Status]]:
    """What runs on `device` now, then what waits for it in the order in which it will start. A job that waits waits for
    all that stands before it here.
    """
    return jobs.unfinished_jobs(roots(home), device, urgency)


def worker_command(job: Job) -> list[str]:
    """The command line of a worker, whichever folder the caller was started in."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from engine.cli import main; sys.exit(main(sys.argv[1:]))"
    return [sys.executable, "-c", code, "job", str(job.folder)]


class QueueThread(threading.Thread):
    """A background thread that runs a device's queued jobs as long as it lives; several may compete safely."""

    def __init__(self, home: Path, device: str, *, until_empty: bool = False) -> None:
        super().__init__(name=f"queue of {device}", daemon=True)
        self.home, self.device, self.until_empty = home, device, until_empty
        self.stopping = threading.Event()
        self.error: WorkbenchError | None = None  # why it ended, when the workspace refused

    def run(self) -> None:
        """Drain until stopped."""
        try:
            jobs.drain(
                roots(self.home),
                self.device,
                worker_command,
                workspace=self.home,
                urgency=urgency,
                stop=self.stopping,
                until_empty=self.until_empty,
            )
        except WorkbenchError as error:
            self.error = error

    def stop(self) -> None:
        """Ask it to end; a running worker works on."""
        self.stopping.set()
