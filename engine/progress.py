"""Progress on standard error, for whoever waits at a terminal or in a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

STUCK = "no sign of life for a minute, though its process lives; `runs cancel --force` ends it"


class ProgressLine:
    """Progress of one piece of work on standard error, with rate and time left: at most one line a second."""

    def __init__(self, unit: str, units: Mapping[str, str] | None = None) -> None:
        self.unit, self.units = unit, units or {}  # of most stages, and of those that count something else
        self.began, self.printed, self.stage = time.monotonic(), 0.0, ""

    def __call__(self, done: int, total: int, stage: str) -> None:
        """Say that `done` of `total` units of `stage` are done."""
        moment = time.monotonic()
        if stage != self.stage:
            self.stage, self.began = stage, moment
        if moment - self.printed < 1 and done < total:
            return
        self.printed = moment
        rate = done / (moment - self.began) if moment > self.began else 0.0
        left = (total - done) / rate if rate else None
        unit = self.units.get(stage, self.unit)
        print(f"{stage}: {_progress(done, total, unit, rate, left)}" if total else stage, file=sys.stderr)


class JobLines:
    """Progress of jobs on standard error: each change of state, and at most one line of progress every two seconds."""

    def __init__(self, total: int) -> None:
        self.total, self.states, self.printed = total, dict[str, str](), 0.0
        self.kept = dict[str, str]()  # job -> what keeps it

    def _say(self, job: Any, sentence: str) -> None:
        """Say once what keeps a job."""
        kind = sentence.partition(":")[0]
        if self.kept.get(job.id) != kind:
            self.kept[job.id] = kind
            print(f"    {job.id}: {sentence}", file=sys.stderr)

    def __call__(self, job: Any, now: Any) -> None:
        """Say how a job is."""
        changed = self.states.get(job.id) != now.state
        self.states[job.id] = now.state
        if changed and now.state != "queued":
            ended = sum(state in ("done", "failed", "cancelled") for state in self.states.values())
            detail = f": {now.message}" if now.message else ""
            print(f"[{ended}/{max(self.total, ended)}] {job.id} {now.state}{detail}", file=sys.stderr)
        elif now.state == "running" and (now.paused or now.stuck):
            self._say(job, now.stage if now.paused else STUCK)
        elif now.state == "running" and time.monotonic() - self.printed >= 2 and now.total:
            self.printed = time.monotonic()
            line = _progress(now.done, now.total, now.unit, now.rate, now.seconds_left)
            print(f"    {now.stage}: {line}", file=sys.stderr)


def _progress(done: int, total: int, unit: str, rate: float | None, left: float | None) -> str:
    text = f"{done:,} of {total:,} {unit}"
    if rate:
        text += f", {rate:,.0f} a second"
    if left is not None and done < total:
        text += f", {left // 60:.0f} min {left % 60:.0f} s left"
    return text
