"""What runs on a node of a cluster: the worker of one job, as the lanes of a machine start it.

It is sent to the node as it is written here, and so needs nothing but Python's own library: the node's process would
otherwise load all of this program only to start another one that does.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

REFUSED = 4  # exit code of a worker whose job is not to be done (any more)
GRACE = 10.0  # s that a worker has to put its job back into the queue
UNHEARD = 65.0  # s without a change of its status after which a job has no worker any more; a heart beats every 2 s
POLL = 0.1  # s
POLL_STATUS = 2.0  # s
_SIGNAL_WHEN_PARENT_DIES = 1  # PR_SET_PDEATHSIG of Linux


class WorkerOnNode:
    """A call that does one job; what it needs of the submitting process comes with it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self, command: Sequence[str], environment: Mapping[str, str], folder: str) -> int:
        """Start the worker and wait for its end; its exit code. It ends with this process, whatever ends that one."""
        if not _is_free(folder):
            return REFUSED
        library = ctypes.CDLL(None) if sys.platform == "linux" else None

        def prepare() -> None:
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)  # SLURM's warning goes to every process of a job
            if library is not None:
                library.prctl(_SIGNAL_WHEN_PARENT_DIES, signal.SIGTERM)

        with open(os.path.join(folder, "log.txt"), "ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
                start_new_session=True,
                preexec_fn=prepare,
            )
        process = self._process
        try:
            while process.poll() is None:  # and no wait(), whose lock a signal handler could not pass
                time.sleep(POLL)
        finally:
            self.end()
        return process.returncode or 0

    def end(self) -> None:
        """Have the worker, if it still runs, put its job back into the queue and end."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        until = time.monotonic() + GRACE
        while process.poll() is None and time.monotonic() < until:
            time.sleep(POLL)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def checkpoint(self, *arguments: Any) -> Any:
        """What submitit calls before SLURM takes the node away: the same call, which goes on from the checkpoint."""
        from submitit.helpers import DelayedSubmission

        self.end()
        return DelayedSubmission(self, *arguments)


def _is_free(folder: str) -> bool:
    """Whether nobody does the job: one whose status says that somebody does is watched until that has been silent for
    longer than a heart does, such as that of the node on which this very job ran before.
    """
    first, until = _status(folder), time.monotonic() + UNHEARD
    while first and first.get("state") == "running" and time.monotonic() < until:
        time.sleep(POLL_STATUS)
        if (now := _status(folder)) != first:
            return bool(now) and now.get("state") != "running"
    return bool(first)


def _status(folder: str) -> dict[str, Any]:
    """What status.json says; empty if it cannot be read, as that of a job that was removed."""
    try:
        with open(os.path.join(folder, "status.json"), "rb") as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Actor:
    """The same as an actor of Ray, which ends when its job has ended: Ray keeps one for longer than its maker lives."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: str) -> None:
        import ray

        itself = ray.get_runtime_context().current_actor

        def work() -> None:
            try:
                WorkerOnNode()(command, environment, folder)
            finally:
                ray.kill(itself)

        threading.Thread(target=work, daemon=True).start()
