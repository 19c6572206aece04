"""The queue as the app and the command line use it: where jobs lie, how a worker is started, a thread that drains."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job

ROOT = Path(__file__).resolve().parents[2]


def roots(home: Path) -> list[Path]:
    """The folders in which jobs lie."""
    return [home / "jobs", home / "runs"]


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
                stop=self.stopping,
                until_empty=self.until_empty,
            )
        except WorkbenchError as error:
            self.error = error

    def stop(self) -> None:
        """Ask it to end; a running worker works on."""
        self.stopping.set()
