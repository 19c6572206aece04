"""How far a suite is: runs done, how many an hour, and how long the others will take."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from engine.jobs import Job, Status
from engine.wording import count, duration


class SuitePace:
    """Runs of a suite as they end. The time left follows from the runs that ended since it was made, by their student
    images, since a budget may be many times another.
    """

    def __init__(
        self, runs: Mapping[str, int], say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """runs: those that are still to be done, each with its student images."""
        self.left, self.all, self.images = dict(runs), len(runs), 0
        self.say, self.clock, self.began = say, clock, clock()

    def __call__(self, job: Job, now: Status) -> None:
        """Take note of a run; say how far all are when it has ended."""
        if job.id in self.left and now.terminal:
            self.images += self.left.pop(job.id)
            self.say(self.line())

    def line(self) -> str:
        """How far it is, in words."""
        ended, seconds = self.all - len(self.left), self.clock() - self.began
        said = f"{ended} of {count(self.all, 'run')}"
        if not ended or seconds <= 0:
            return said
        hourly = 3600 * ended / seconds
        said += f", {hourly:.0f} an hour" if hourly >= 1 else f", {duration(seconds / ended)} each"
        return f"{said}, about {duration(seconds / self.images * sum(self.left.values()))} left" if self.left else said
