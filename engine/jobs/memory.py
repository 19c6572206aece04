"""Whether a process ended for want of memory: what PyTorch and Python say of it, and what the kernel counts."""

from __future__ import annotations

import re
import time
from collections import deque
from pathlib import Path

SHORTLY_BEFORE = 3.0  # s: a kill that the kernel counted since then is that of the process that has just ended
_SAYS_SO = re.compile(r"can't allocate memory|DefaultCPUAllocator|out of memory|cannot allocate memory", re.IGNORECASE)
_OF_A_CARD = re.compile(r"CUDA|HIP|MPS|OutOfMemoryError")
_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
_VMSTAT, _GROUPS = Path("/proc/vmstat"), Path("/proc/self/cgroup")


def ran_out(error: BaseException) -> bool:
    """Whether an error says that no memory was left, of the machine or of a card."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError | OSError) and _SAYS_SO.search(str(error)) is not None


def sentence(kind: str, *, error: BaseException | None = None, times: int = 1) -> str:
    """What a user reads of a job of this kind that ran out of memory, with what to change. error: what was raised; None
    where the kernel ended the process, `times` times.
    """
    card = error is not None and _OF_A_CARD.search(f"{type(error).__name__}: {error}") is not None
    memory = "The card's memory" if card else "The memory of this machine"
    ended = "" if error else f", and the system ended its process{'' if times == 1 else f' {times} times'}"
    alone = "let nothing else run beside it and resume it"
    if kind == "run":
        return (
            f"{memory} did not suffice{ended}: {alone}, or start it anew with smaller images, fewer images a step or "
            "another student."
        )
    return f"{memory} did not suffice{ended}: {alone}."


class OomWitness:
    """Sees whether the kernel ends a process for want of memory while it is asked again and again."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int | None]] = deque()

    def note(self) -> None:
        """Note how many processes the kernel has ended so far."""
        moment = time.monotonic()
        self._seen.append((moment, oom_kills()))
        while len(self._seen) > 1 and moment - self._seen[1][0] > SHORTLY_BEFORE:
            self._seen.popleft()

    def saw_one(self) -> bool | None:
        """Whether it has just ended one; None where this system does not say."""
        now = oom_kills()
        before = self._seen[0][1] if self._seen else now
        return None if now is None or before is None else now > before


def oom_kills() -> int | None:
    """How many processes the kernel has ended for want of memory: of this control group, else of the machine. None
    where it does not say.
    """
    groups = _lines(_GROUPS)
    for line in groups:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers == "":
            counters = [_V2 / path.lstrip("/") / "memory.events", _V2 / "memory.events"]
        elif "memory" in controllers.split(","):
            counters = [_V1 / path.lstrip("/") / "memory.oom_control", _V1 / "memory.oom_control"]
        else:
            continue
        for counter in counters:
            if (found := _count(counter)) is not None:
                return found
    return _count(_VMSTAT)


def _count(path: Path) -> int | None:
    for line in _lines(path):
        name, _, number = line.partition(" ")
        if name == "oom_kill" and number.strip().isdigit():
            return int(number)
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
