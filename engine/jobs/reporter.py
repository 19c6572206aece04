"""What a handler tells while it works: progress, events, and whether it should stop."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from engine.errors import CancelledError, StorageError
from engine.jobs import events, states
from engine.jobs.records import CANCEL_FLAG, Job, now
from engine.jobs.states import Status

WRITE_EVERY = 0.25  # s between writes of progress: quick enough for an eye, and no hot loop waits for the disk
HEARTBEAT_EVERY = 2.0  # s between writes while there is no progress
FLAG_EVERY = 0.2  # s between looks for the cancel flag
RATE_WINDOW = 30.0  # s of the latest progress that the rate is taken over: steady enough to read, quick to follow
RATE_SAMPLES = 8  # at least so many steps, where a step is slow
LEAST_WINDOW = 5.0  # s of the latest progress that the time left is taken from at least
MOST_SAMPLES = 1024  # of a stage that are kept for it
SAMPLE_EVERY = 0.25  # s; quicker calls of `progress` only move the newest sample


class Rate:
    """Units a second over the latest progress of one stage."""

    def __init__(self) -> None:
        self._stage: tuple[str, str] | None = None
        self._samples: deque[tuple[float, int]] = deque()  # (time in s, units done)

    def update(self, moment: float, done: int, stage: tuple[str, str]) -> float | None:
        """Take in that `done` units were done at `moment`; the rate, or None until there are two points in time."""
        samples = self._samples
        if stage != self._stage or (samples and done < samples[-1][1]):
            samples.clear()
            self._stage = stage
        if len(samples) >= 2 and moment - samples[-2][0] < SAMPLE_EVERY:
            samples.pop()
        samples.append((moment, done))
        while len(samples) > RATE_SAMPLES and moment - samples[1][0] > RATE_WINDOW:
            samples.popleft()
        seconds = moment - samples[0][0]
        return (done - samples[0][1]) / seconds if seconds > 0 else None


class TimeLeft:
    """How long a stage still takes, at the pace of the last three quarters of what it has done: enough to hold the
    pauses in which a student is tested, and without a slow beginning.
    """

    def __init__(self) -> None:
        self._stage: tuple[str, str] | None = None
        self._first = 0
        self._samples: deque[tuple[float, int]] = deque()  # (time in s, units done)

    def update(self, moment: float, done: int, total: int | None, stage: tuple[str, str]) -> float | None:
        """Take in that `done` of `total` units were done at `moment`; seconds, or None while nobody knows."""
        samples = self._samples
        if stage != self._stage or (samples and done < samples[-1][1]):
            samples.clear()
            self._stage, self._first = stage, done
        if len(samples) >= 2 and moment - samples[-2][0] < SAMPLE_EVERY:
            samples.pop()
        samples.append((moment, done))
        begin = self._first + (done - self._first) / 4
        while len(samples) > 2 and samples[1][1] <= begin and moment - samples[1][0] > LEAST_WINDOW:
            samples.popleft()
        if len(samples) > MOST_SAMPLES:  # every other one says the same
            self._samples = deque([*list(samples)[:-1:2], samples[-1]])
        (since, before), ahead = self._samples[0], None if total is None else max(0, total - done)
        if ahead is None or done <= before or moment <= since:
            return 0.0 if ahead == 0 else None
        return ahead * (moment - since) / (done - before)


class Reporter:
    """The line between a handler and whoever watches. Writes of progress happen in a thread of their own.

    Use as a context manager: the thread lives inside, and the heart beats with it.
    """

    def __init__(self, job: Job, running: Status) -> None:
        self._job = job
        self._status = running
        events.repair_events(job)
        self._rate, self._left = Rate(), TimeLeft()
        self._lock = threading.Lock()
        self._changed = self._taken = False
        self._closing = threading.Event()
        self._begun = time.monotonic()
        self._earlier_seconds = running.seconds
        self._looked_for_flag = float("-inf")
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat of {job.id}", daemon=True)

    def __enter__(self) -> Reporter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def progress(self, done: int, total: int | None, unit: str, stage: str) -> None:
        """Tell that `done` of `total` units (images, epochs, ...) of `stage` are done; total None means unknown.

        May be called as often as one likes. Rate and time left are those of the present stage only.
        """
        with self._lock:
            done, total = int(done), None if total is None else int(total)
            moment = time.monotonic()
            rate = self._rate.update(moment, done, (stage, unit))
            left = self._left.update(moment, done, total, (stage, unit))
            self._status = replace(
                self._status, done=done, total=total, unit=unit, stage=stage, rate=rate, seconds_left=left
            )
            self._changed = True

    def event(self, **fields: Any) -> None:
        """Append one event for whoever draws the job's course. Raises StorageError if the disk refuses."""
        events.append_event(self._job, fields)

    def replace_events(self, known: Sequence[Mapping[str, Any]]) -> None:
        """On resuming, go back to the events that the checkpoint knows of, whatever the file holds by now."""
        events.replace_events(self._job, known)

    def check_cancelled(self) -> None:
        """Raises CancelledError if the user asked the job to stop, or removed its folder, or if it is done elsewhere by
        now. Cheap enough for any loop.
        """
        moment = time.monotonic()
        if moment - self._looked_for_flag < FLAG_EVERY:
            return
        folder = self._job.folder
        if self._taken:
            raise CancelledError(states.TAKEN_MESSAGE)
        if os.path.exists(folder / CANCEL_FLAG) or not os.path.exists(folder):
            raise CancelledError(states.CANCELLED_MESSAGE)
        self._looked_for_flag = moment

    def latest(self) -> Status:
        """The status as of now, whether or not it was written yet."""
        with self._lock:
            seconds = self._earlier_seconds + time.monotonic() - self._begun
            return replace(self._status, seconds=round(seconds, 3), heartbeat=now())

    def _beat(self) -> None:
        """Write what changed, and a sign of life when nothing did; a disk that refuses gets its next try in 2 s."""
        written, wait = time.monotonic(), WRITE_EVERY
        while not self._closing.wait(wait):
            if not self._changed and time.monotonic() - written < HEARTBEAT_EVERY:
                continue
            self._changed = False
            written = time.monotonic()
            latest = self.latest()
            if states.is_taken(self._job, latest):  # a machine that could not be heard for a while is back
                self._taken = True
                return
            try:
                states.keep(self._job, latest)
                wait = WRITE_EVERY
            except StorageError:  # the handler's own writes will say so; progress alone is no reason to stop
                wait = HEARTBEAT_EVERY
