"""The workbench as `make run` starts it, on a free port and with a workspace of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from engine import jobs
from engine.jobs import processes
from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0  # a busy machine takes its time to import torch
STOP_SECONDS = 10.0


@dataclass(frozen=True)
class Server:
    """A running workbench."""

    url: str
    workspace: Workspace
    log: Path


@contextmanager
def serving(workspace: Workspace, log: Path) -> Iterator[Server]:
    """Start the workbench, and at the end stop it and every run that it left behind.

    Raises RuntimeError, with what the server said, if it does not answer.
    """
    port = _free_port()
    command = [sys.executable, "-m", "engine", "serve", "--port", str(port)]
    environment = {**os.environ, "WORKBENCH_HOME": str(workspace.path)}
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await_health(port, process, log)
        yield Server(f"http://localhost:{port}", workspace, log)
    finally:
        _stop(process)
        _stop_workers(workspace)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def _await_health(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/_stcore/health", timeout=5) as answer:
                if answer.read() == b"ok":
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"The workbench does not answer on port {port}:\n{log.read_text(errors='replace')}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the server with all that it started itself, so that nothing drains the queue any more."""
    os.killpg(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_SECONDS)


def _stop_workers(workspace: Workspace) -> None:
    """A worker outlives its server on purpose; not the server of a test."""
    for job in (job for root in workspace.queued_folders for job in jobs.list_jobs(root)):
        now = jobs.status(job)
        if now.state == "running" and now.pid is not None:
            processes.send_signal(now.pid, now.pid_started, signal.SIGKILL)
