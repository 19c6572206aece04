"""How many processors this process may use, which may be fewer than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")  # of a container, its own


def usable_processors(cgroup: Path = _CGROUP) -> int:
    """Processors for this process: those it is bound to, and no more than its container's share of time, rounded up."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = _share(cgroup)
    return max(1, bound if share is None else min(bound, share))


def _share(cgroup: Path) -> int | None:
    """Processors' worth of time that a container may take; None where it is not limited, or not Linux."""
    try:  # version 2 has both numbers in one file, version 1 each in its own
        quota, period = (cgroup / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota, period = ((cgroup / "cpu" / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        except OSError:
            return None
    try:
        return -(-int(quota) // int(period)) if int(quota) > 0 else None
    except (ValueError, ZeroDivisionError):  # "max": as much as there is
        return None
