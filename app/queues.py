"""The threads of this server that have queued jobs done: one for each device, for all sessions."""

from __future__ import annotations

import os
import threading
import time

import streamlit as st

from app import state
from engine.devices import kind
from engine.runs import QueueThread
from engine.workspace import Workspace

WARM_SETTING = "WORKBENCH_WARM_WORKERS"  # "0": no worker waits for the next job, where memory is short
SETTLED = 2.0  # s that a queue's thread has lived when all is well: a workspace that refuses does so at once


def queue(device: str) -> QueueThread:
    """The thread of this server that runs the queued jobs of a device, of all cards if it is one; started when first
    asked for.
    """
    return _queue(state.workspace(), kind(device)).running()


def queue_problem(device: str) -> str | None:
    """Why the device's queue had to be started again, as a sentence; None while all is well."""
    return _queue(state.workspace(), kind(device)).problem


@st.cache_resource(show_spinner=False)
def _queue(workspace: Workspace, device: str) -> _Queue:
    return _Queue(workspace, device)


class _Queue:
    """A device's thread, started again if it ended because the workspace refused; why it did is kept."""

    def __init__(self, workspace: Workspace, device: str) -> None:
        self._workspace, self._device = workspace, device
        self._thread: QueueThread | None = None
        self._lock = threading.Lock()  # sessions ask at the same time
        self._started = 0.0
        self.problem: str | None = None

    def running(self) -> QueueThread:
        with self._lock:
            if time.monotonic() - self._started > SETTLED:
                self.problem = None
            if self._thread is None or not self._thread.is_alive():
                self.problem = str(self._thread.error) if self._thread and self._thread.error else None
                self._thread = QueueThread(self._workspace, self._device, warm=os.environ.get(WARM_SETTING) != "0")
                self._thread.start()
                self._started = time.monotonic()
            return self._thread
