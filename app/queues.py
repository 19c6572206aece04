"""The threads of this server that have queued jobs done: one for each device or cluster, for all sessions."""

from __future__ import annotations

import os
import threading
import time

import streamlit as st

from app import state
from engine.devices import is_here, kind
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.runs import LOCAL, QueueThread, configured, engine_of, thread_of
from engine.workspace import Workspace

WARM_SETTING = "WORKBENCH_WARM_WORKERS"  # "0": no worker waits for the next job, where memory is short
SETTLED = 2.0  # s that a queue's thread has lived when all is well: a workspace that refuses does so at once

REACHED = 60.0  # s for the thread of a cluster: one that does not answer takes its time to say so


def queue(device: str) -> QueueThread:
    """The thread of this server that runs the queued jobs of a device, of all cards if it is one; started when first
    asked for.
    """
    return _queue(state.machine(), kind(device)).running()


def queue_of(job: Job) -> None:
    """See to it that a job is done, wherever it waits: by a thread of this server, unless another machine has to."""
    engine = engine_of(job)
    if engine.lane is not None:
        _queue(state.machine(), "", engine.key).running()
    elif is_here(job.device):
        queue(job.device)


def clusters() -> list[str]:
    """The clusters that settings.json names, each with its thread, which asks for the cluster when there is work. None
    where the settings cannot be read: whoever chooses where to run says what is wrong with them.
    """
    try:
        found = [key for key in configured(state.workspace()) if key != LOCAL]
    except WorkbenchError:
        return []
    for key in found:
        _queue(state.machine(), "", key).running()
    return found


def problems(device: str) -> list[str]:
    """Why a queue had to be started again, of the device or of a cluster, as sentences; none while all is well."""
    machine = state.machine()
    found = [_queue(machine, kind(device)), *(_queue(machine, "", key) for key in clusters())]
    return [one.problem for one in found if one.problem]


@st.cache_resource(show_spinner=False)
def _queue(workspace: Workspace, device: str, engine: str = LOCAL) -> _Queue:
    return _Queue(workspace, device, engine)


class _Queue:
    """The thread of a device or a cluster, started again if it ended because that refused; why it did is kept."""

    def __init__(self, workspace: Workspace, device: str, engine: str) -> None:
        self._workspace, self._device, self._engine = workspace, device, engine
        self._thread: QueueThread | None = None
        self._lock = threading.Lock()  # sessions ask at the same time
        self._started = 0.0
        self.problem: str | None = None

    def running(self) -> QueueThread:
        with self._lock:
            if time.monotonic() - self._started > (SETTLED if self._engine == LOCAL else REACHED):
                self.problem = None
            if self._thread is None or not self._thread.is_alive():
                self.problem = str(self._thread.error) if self._thread and self._thread.error else None
                warm = os.environ.get(WARM_SETTING) != "0"
                self._thread = thread_of(self._workspace, self._engine, self._device, warm=warm)
                self._thread.start()
                self._started = time.monotonic()
            return self._thread
