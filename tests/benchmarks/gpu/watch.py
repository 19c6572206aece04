"""What is watched while something is measured: its time, how busy the card is, the card's memory."""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

EVERY_MS = 100  # between two looks at the card


class TooLongError(Exception):
    """What was measured took longer than it may."""


@dataclass
class Seen:
    """Of a card: the share of time in which it computed, 0..1, and the most memory that tensors took, in bytes; None
    for what nothing tells here."""

    busy: float | None = None
    memory: int | None = None


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooLongError inside, once so many seconds are over; processes that were started get their own limit."""

    def stop(signum: int, frame: object) -> None:
        raise TooLongError(f"longer than {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def seen(device: str) -> Iterator[Seen]:
    """What a card does meanwhile."""
    found = Seen()
    if device == "cpu":
        yield found
        return
    torch.cuda.init()
    torch.cuda.reset_peak_memory_stats()
    looking = _looking()
    try:
        yield found
    finally:
        found.memory = torch.cuda.max_memory_allocated()
        if looking is not None:
            looking.terminate()
            said = [line.strip() for line in looking.communicate()[0].splitlines()]
            shares = [int(line) / 100 for line in said if line.isdigit()]
            found.busy = statistics.median(shares) if shares else None


def _looking() -> subprocess.Popen[str] | None:
    """nvidia-smi, saying again and again how many percent of the time the card computes."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    card = f"GPU-{torch.cuda.get_device_properties().uuid}"
    query = ["--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", f"--id={card}", f"--loop-ms={EVERY_MS}"]
    return subprocess.Popen([program, *query], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
