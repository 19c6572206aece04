"""Lanes of a device: jobs of one lane run one after the other, lanes run beside each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.jobs.records import Job


def every_job(job: Job) -> bool:
    """What a lane takes that has the device for itself."""
    return True


def all_alike(job: Job) -> int:
    """The urgency where it plays no part: the oldest job starts first."""
    return 0


@dataclass(frozen=True)
class Lane:
    """Some of a device's jobs, and which of them start first. Every job must belong to one lane alone."""

    name: str = ""  # a word for its lock, which differs from that of the device's other lanes
    takes: Callable[[Job], bool] = every_job
    urgency: Callable[[Job], int] = all_alike  # jobs of a lower number start first, whenever they were queued

    def lock_of(self, device: str) -> str:
        """Under which name this lane of a device is locked."""
        return f"{device}-{self.name}" if self.name else device


WHOLE = Lane()  # a device that does one job at a time
