"""A workspace whose jobs are done by real processes."""

import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine import workspace
from engine.jobs import Job, Status, create, drain, status

SCRIPT = Path(__file__).parent / "worker_script.py"


def until(condition: Callable[[], Any]) -> None:
    """Wait for something that other processes do, however busy the machine is: the test's own time limit ends it."""
    while not condition():
        time.sleep(0.01)


def command(job: Job) -> list[str]:
    return [sys.executable, str(SCRIPT), "work", str(job.folder)]


@dataclass
class Workspace:
    path: Path
    changes: list[tuple[str, str]] = field(default_factory=list)
    _ids: itertools.count = field(default_factory=itertools.count)

    @property
    def place(self) -> workspace.Workspace:
        return workspace.Workspace(self.path)

    @property
    def trace_path(self) -> Path:
        return self.path / "trace.txt"

    def add(self, kind: str = "count", *, root: str = "jobs", device: str = "cpu", **spec: Any) -> Job:
        if kind == "count":
            spec = {"steps": 3, "trace": str(self.trace_path)} | spec
        return create(self.path / root, f"{kind}-{next(self._ids)}", kind=kind, spec=spec, device=device)

    def drain(self, **options: Any) -> None:
        settings = {"until_empty": True, "poll": 0.02, "grace": 0.3, "kill_grace": 0.3} | options
        drain(
            self.place,
            "cpu",
            command,
            on_change=lambda job, now: self.changes.append((job.id, now.state)),
            **settings,
        )

    def drain_in_thread(self, **options: Any) -> threading.Thread:
        thread = threading.Thread(target=self.drain, kwargs=options)
        thread.start()
        return thread

    def drain_in_process(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(SCRIPT), "drain", str(self.path)], start_new_session=True)

    def run(self, kind: str, **spec: Any) -> tuple[Job, Status]:
        job = self.add(kind, **spec)
        self.drain()
        return job, status(job)

    def trace(self) -> list[list[str]]:
        return [line.split() for line in self.trace_path.read_text().splitlines()] if self.trace_path.exists() else []

    def assert_no_overlap(self) -> None:
        """Every begin is followed by the end of the same worker before the next begins, unless it was killed."""
        working: str | None = None
        for what, _, pid in self.trace():
            if what == "begin":
                assert working is None, f"{pid} began while {working} was working"
                working = pid
            else:
                assert working == pid
                working = None
