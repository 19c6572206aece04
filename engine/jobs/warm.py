"""A worker that has loaded its libraries and waits for a job, so that the next one begins at once.

It is a process of its own, started by a queue in the environment of a worker, at most one for a lane. When there is
work it is handed the job's folder, the log and the lane's lock, and from then on it is a worker like any other. Until
then it holds nothing: it goes after a while, and when the process that started it has gone.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from engine.errors import UnavailableError
from engine.jobs import processes

PATIENCE = 600.0  # s that it waits for a job
ANSWER_WITHIN = 2.0  # s after which a worker that does not take its job is given up, for a new one
LOOK_FOR_PARENT = 2.0  # s between looks at whether the process that started it is still there
READY, TAKEN = b"R", b"T"
LONGEST_MESSAGE = 65536  # bytes; a path has 4,096 at most


class WarmWorker:
    """The queue's end: a process that waits for one job. Raises OSError if it cannot be started.

    command: how a process is started that calls `wait_for_job` with the number that is appended. state: gives what must
    not have changed since for it to be handed a job, such as the program's files; so must the environment, and what
    `environment()` has on top of it.
    """

    def __init__(
        self,
        command: Sequence[str],
        state: Callable[[], object],
        environment: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        self._state, self._environment = state, environment
        self._known = self._now()
        self._channel, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env=self._known[0],
                start_new_session=True,
                pass_fds=(theirs.fileno(),),
            )

    @property
    def gone(self) -> bool:
        """Whether its process has ended: it waited long enough, or it was killed."""
        return self._process.poll() is not None

    def take(self, folder: Path, log: int, lock: int) -> subprocess.Popen[bytes] | None:
        """Hand over a job with the file descriptors of its log and of the lane's lock; the process that now does it.

        None if it could not take it: it was not ready, no longer up to date, dead, or silent. Then it has ended.
        """
        if self._is_ready() and self._known == self._now():
            with suppress(OSError):
                self._channel.settimeout(ANSWER_WITHIN)
                socket.send_fds(self._channel, [os.fsencode(folder)], [log, lock])
                if self._channel.recv(1) == TAKEN:
                    self._channel.close()
                    return self._process
        self.dismiss()
        return None

    def dismiss(self) -> None:
        """End it, unless it has ended already."""
        self._channel.close()
        if not self.gone:  # else its number may be another's by now
            processes.kill_group(self._process.pid)
        self._process.wait()

    def _now(self) -> tuple[dict[str, str], object]:
        return {**processes.worker_environment(), **self._environment()}, self._state()

    def _is_ready(self) -> bool:
        """Whether it has said that its libraries are loaded."""
        try:
            self._channel.settimeout(0)
            return self._channel.recv(1) == READY
        except OSError:  # nothing said yet, or nobody there
            return False


def wait_for_job(channel: int, load: Callable[[], object], patience: float = PATIENCE) -> Path | None:
    """The process's end: load(), then wait for a job; its folder, or None if it is time to go without one.

    Afterwards standard output and error are the job's log, and this process holds the lane's lock until it ends.
    """
    if sys.platform == "win32":
        raise UnavailableError("Queues need file locks of Linux or macOS: on Windows, use WSL or the Docker image.")
    parent = os.getppid()
    load()
    with socket.socket(fileno=channel) as queue:
        try:
            queue.sendall(READY)
            if not _hears(queue, parent, patience):
                return None
            message, descriptors, _, _ = socket.recv_fds(queue, LONGEST_MESSAGE, 2)
            if not message or len(descriptors) != 2:  # whoever started it has gone, or wants it gone
                return None
            log, _lock = descriptors  # the lock stays open
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.close(log)
            queue.sendall(TAKEN)
        except ConnectionError:  # whoever started it has gone, maybe before it heard that this one is ready
            return None
    return Path(os.fsdecode(message))


def _hears(queue: socket.socket, parent: int, patience: float) -> bool:
    """Wait until there is something to hear, be it that nobody is there any more; False if it is time to go."""
    until = time.monotonic() + patience
    while time.monotonic() < until and os.getppid() == parent:
        if select.select([queue], [], [], min(LOOK_FOR_PARENT, patience))[0]:
            return True
    return False
