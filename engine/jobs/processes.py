"""Who is a process: its number and the moment it started, since numbers are used again after a process has gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path

from engine.installation import importing

NICENESS = 5  # of a worker: it leaves the processor to the app and to whatever else its user does
# How threads of OpenMP wait for each other, by default by spinning, which eats the processor that the other threads of
# the same worker need as soon as anything else runs beside it. Read once, when PyTorch loads its OpenMP.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}
FIRST_VIEW = "pid:[4026531836]"  # the process numbers of a Linux machine outside of any container
OWN_WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")  # a user who sets one of these has decided


@cache
def host() -> str:
    """Name of this machine: a process number means nothing on another one."""
    return socket.gethostname()


def can_identify() -> bool:
    """Whether this system tells when a process started (Linux and macOS do; on Windows only heartbeats are used)."""
    return sys.platform != "win32"


def start_mark(pid: int) -> str | None:
    """A text that no other process with the number `pid` has had; None if no such process runs.

    A process that has ended but was not yet collected by its parent (a zombie) does not run.
    """
    if sys.platform == "win32":
        return None
    return _start_from_proc(pid) if Path("/proc/self/stat").exists() else _start_from_ps(pid)


def is_of_here(mark: str | None) -> bool:
    """Whether this process can ask for the one that started at `mark`: they share one start of one machine, and its
    process numbers. Two machines, or two containers, may have one name.
    """
    if sys.platform != "linux" or mark is None:
        return can_identify()
    return mark.startswith(f"{_boot()}:")


def is_of_before(mark: str | None) -> bool:
    """Whether the process that started at `mark` is known to be of an earlier start of this machine or container, which
    Linux tells.
    """
    return sys.platform == "linux" and mark is not None and not is_of_here(mark)


def runs(pid: int | None, mark: str | None) -> bool:
    """Whether the process `pid` that started at `mark` still runs on this machine."""
    return pid is not None and mark is not None and start_mark(pid) == mark


def worker_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of a worker started from `environment`: the same, with the place of this engine, and threads that
    sleep while they wait.

    Whoever has set how OpenMP waits keeps what they set.
    """
    own = any(name in environment for name in OWN_WAITING)
    return {**importing(environment), **({} if own else WAITING)}


def give_way() -> None:
    """Let this process and what it starts take the processor only after what the machine's user does."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    with suppress(OSError):  # Linux may weigh whole sessions, and a worker is one: then this is what counts
        Path("/proc/self/autogroup").write_text(str(NICENESS))


def send_signal(pid: int, mark: str | None, signal_number: signal.Signals) -> None:
    """Signal the process, and its whole group when it leads one. Does nothing if that very process is gone."""
    if sys.platform == "win32" or not runs(pid, mark):
        return
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal_number)
        else:
            os.kill(pid, signal_number)


def kill_group(pid: int) -> None:
    """End a worker of ours that was not collected yet, which leads its own group, and all that it started."""
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)


def _start_from_proc(pid: int) -> str | None:
    """Linux: start time in clock ticks since boot, with the boot it counts from."""
    try:
        line = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return None
    fields = line[line.rindex(")") + 2 :].split()  # the name in parentheses may hold spaces and parentheses itself
    state, ticks = fields[0], fields[19]  # fields 3 and 22 of proc(5)
    return None if state in "ZX" else f"{_boot()}:{ticks}"


@cache
def _boot() -> str:
    """What process numbers count in: this start of the machine, and in a container its own numbers."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:  # some containers hide it; ticks alone are nearly as good
        boot = "boot"
    return boot + _own_numbers()


def _own_numbers() -> str:
    """Of a container with process numbers of its own, what tells it from others of the same machine; else empty."""
    try:
        view = os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return "" if view == FIRST_VIEW else f"-{view.strip('pid:[]')}"


def _start_from_ps(pid: int) -> str | None:
    """macOS and other systems without /proc: the start date, to the second."""
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    listed = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, env=environment, check=False
    )
    state, _, started = listed.stdout.strip().partition(" ")
    return None if not started or state.startswith("Z") else " ".join(started.split())
