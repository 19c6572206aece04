"""The memory of a worker: that it keeps what it frees, and whether it ended for want of more, as PyTorch, Python and
the kernel say.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections import deque
from pathlib import Path

SHORTLY_BEFORE = 3.0  # s: a kill that the kernel counted since then is that of the process that has just ended
_SAYS_SO = re.compile(r"can't allocate memory|DefaultCPUAllocator|out of memory|cannot allocate memory", re.IGNORECASE)
_OF_A_CARD = re.compile(r"CUDA|HIP|MPS|OutOfMemoryError")
_V2, _V1 = Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/memory")
_VMSTAT, _GROUPS = Path("/proc/vmstat"), Path("/proc/self/cgroup")
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt, as malloc.h of the GNU C library numbers them
_LARGEST = 2**31 - 1  # that mallopt takes, bytes
_FROM_THE_HEAP = (2**30, 2**25)  # bytes; versions of the library that refuse the first take the second


def keep_freed() -> bool:
    """Let this process use memory that it freed again, instead of giving it back to the system; whether its C library
    can be told so. For a process that ends soon.

    Each step of training frees about a gigabyte and asks for it again: where it was given back in between, the system
    fills it with zeros each time, up to a quarter of a step. The numbers stay the same; the most memory grows by a few
    percent at worst.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library, another system
        return False
    # Any of the three also ends that the library changes the others by what a process does.
    return (
        any(mallopt(_MMAP_THRESHOLD, size) for size in _FROM_THE_HEAP)
        and mallopt(_TRIM_THRESHOLD, _LARGEST) == 1
        and mallopt(_TOP_PAD, 2**26) == 1
    )


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
