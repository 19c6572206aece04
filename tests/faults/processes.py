"""The processes of one workspace as `make faults` sees them: which is what, what it does, and whether it is writing."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from engine import jobs
from engine.errors import WorkbenchError
from engine.files import TEMPORARY_PREFIX
from engine.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
LOOK = 0.003  # s between looks
LOADING = 120.0  # s that an app may say nothing to its first visitor
HELD = 0.06  # s that a process stands still until what it writes is known to be its own
SLOW_DISK = """
import os, time
flush = os.fsync
def slow(descriptor):
    time.sleep(0.02)
    flush(descriptor)
os.fsync = slow
"""
_WRITTEN = (
    "runs/*",
    "jobs/*",
    "comparisons",
    "tasks/*",
    "tasks/*/labels",
    "features/*/*/view-*",
    "pixels/*/*",
    "imports/*",
)


@dataclass(frozen=True)
class Process:
    """A process of the workspace. role: app, drainer, worker or warm; job: the folder of what it works on."""

    pid: int
    role: str
    job: Path | None


def environment(home: Workspace, slow: Path) -> dict[str, str]:
    """That of an app or a drainer. slow: a folder for what makes each flush to disk take a fiftieth of a second."""
    slow.mkdir(exist_ok=True)
    (slow / "sitecustomize.py").write_text(SLOW_DISK)
    ours = {"WORKBENCH_HOME": str(home.path), "WORKBENCH_CHECKPOINT_SECONDS": "0.2", "OMP_NUM_THREADS": "1"}
    kept = {name: value for name, value in os.environ.items() if name != "WORKBENCH_WARM_WORKERS"}
    return {**kept, **ours, "PYTHONPATH": f"{slow}{os.pathsep}{ROOT}", "HF_HUB_OFFLINE": "1"}


class Starter:
    """Starts apps and drainers of a workspace, and keeps what they say."""

    def __init__(self, home: Workspace, folder: Path) -> None:
        self.home, self.log = home, folder / "said.txt"
        self._environment = environment(home, folder / "slow")
        self._started: list[subprocess.Popen[bytes]] = []

    def drainer(self) -> None:
        """`python -m engine work`."""
        self._start(["work", "--device", "cpu"])

    def app(self) -> None:
        """`python -m engine serve`, with a visitor: its queue begins with the first one."""
        with socket.socket() as probe:
            probe.bind(("localhost", 0))
            port = int(probe.getsockname()[1])
        process = self._start(["serve", "--port", str(port)])
        threading.Thread(target=_visited, args=(port, process), daemon=True).start()

    def _start(self, arguments: list[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as said:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "engine", *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def collect(self) -> None:
        """Collect those that have ended."""
        for process in self._started:
            process.poll()

    def end(self) -> None:
        """End all that is left of the workspace."""
        for process in living(self.home):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for started in self._started:
            started.wait()


def _visited(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with suppress(OSError, TimeoutError, WebSocketException):
            visit(port)
            return
        time.sleep(0.3)


def visit(port: int) -> None:
    """Open the start page as a browser does, and close it when it is there. Raises OSError, TimeoutError.

    Who closes it before, while the server loads its libraries, was no visitor: the server stops drawing for nobody.
    """
    place = f"ws://localhost:{port}/_stcore/stream"
    with connect(place, subprotocols=[Subprotocol("streamlit")], max_size=None) as browser:
        browser.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        drawn = False
        while not drawn:
            said = ForwardMsg.FromString(bytes(browser.recv(timeout=LOADING)))
            drawn = said.WhichOneof("type") == "script_finished"


def living(home: Workspace) -> list[Process]:
    """The processes of a workspace, found by their environment.

    A process that is being started is a copy of whoever starts it, for a moment: it is none of its own yet.
    """
    mark = f"WORKBENCH_HOME={home.path}\0".encode()
    at_work = working(home)
    found: dict[int, tuple[list[bytes], int]] = {}  # by number: the command line, and the number of who started it
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark not in (folder / "environ").read_bytes() + b"\0":
                continue
            words = (folder / "cmdline").read_bytes().split(b"\0")
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found[int(folder.name)] = words, int(parent)
    return [
        Process(pid, "worker" if job is not None else role, job)
        for pid, (words, parent) in found.items()
        if (role := _role(words)) and words != found.get(parent, ([], 0))[0]
        for job in [_job(words) if role == "worker" else at_work.get(pid)]
    ]


def _role(words: list[bytes]) -> str | None:
    return next((role for word, role in _ROLES.items() if word in words), None)


def _job(words: list[bytes]) -> Path:
    return Path(os.fsdecode(words[words.index(b"job") + 1]))


_ROLES = {b"job": "worker", b"warm": "warm", b"work": "drainer", b"streamlit": "app", b"serve": "app"}


def working(home: Workspace) -> dict[int, Path]:
    """By the number of its process, what each running job is."""
    found = {}
    for root in home.job_folders:
        for job in jobs.list_jobs(root):
            now = jobs.status(job)
            if now.state == "running" and now.pid:
                found[now.pid] = job.folder
    return found


def phase(home: Workspace, process: Process) -> str:
    """What a process does at this moment, in a few words."""
    if process.job is not None:
        with suppress(WorkbenchError):
            job = jobs.load(process.job)
            stage = jobs.status(job).stage.split(".")[0] or "between two states"
            return f"{job.kind}: {stage}"
        return "its job is gone"
    if process.role == "warm":
        return "waits for a job"
    running = len(working(home))
    return f"{running} of its jobs run" if running else "no job runs"


def folders_written_to(home: Workspace) -> list[Path]:
    """Folders in which files appear under temporary names."""
    return [folder for pattern in _WRITTEN for folder in home.path.glob(pattern)]


def written_now(folders: Sequence[Path]) -> list[Path]:
    """Files that are written at this moment, or were when somebody was killed: each has its temporary name."""
    found = []
    for folder in folders:
        with suppress(OSError), os.scandir(folder) as entries:
            found += [Path(entry.path) for entry in entries if entry.name.startswith(TEMPORARY_PREFIX)]
    return found


def kill(process: Process) -> bool:
    """SIGKILL; whether it was there."""
    try:
        os.kill(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def kill_inside_a_write(process: Process, path: Path) -> str | None:
    """Stop a process that seems to write `path`, which has its temporary name, make sure of it, and kill it.

    The name that the file should have got, and has not; None if the write came to its end, or is another's.
    """
    try:
        os.kill(process.pid, signal.SIGSTOP)
    except ProcessLookupError:
        return None
    time.sleep(HELD)  # another one's write would end in this time
    if os.path.lexists(path):
        os.kill(process.pid, signal.SIGKILL)
        return path.name.removeprefix(TEMPORARY_PREFIX).partition("-")[2]
    os.kill(process.pid, signal.SIGCONT)
    return None
