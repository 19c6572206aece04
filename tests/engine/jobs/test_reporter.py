import os
import time
from pathlib import Path

import pytest

from engine import files
from engine.errors import CancelledError, StorageError
from engine.jobs import Job, Reporter, create, reporter, request_cancel, status
from engine.jobs.reporter import Rate
from engine.jobs.states import begin
from tests.engine.jobs.jobs_workspace import until

COUNTING = ("counting", "steps")


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return create(tmp_path, "one", kind="count", spec={}, device="cpu")


@pytest.fixture
def told(job: Job) -> Reporter:
    running = begin(job, os.getpid())
    assert running is not None
    return Reporter(job, running)


def test_the_rate_is_that_of_the_latest_progress() -> None:
    rate = Rate()
    assert rate.update(0.0, 100, COUNTING) is None  # resumed at 100: nobody knows yet how fast it goes
    assert rate.update(1.0, 110, COUNTING) == 10.0
    for second in range(2, 61):
        slow = rate.update(float(second), 110 + second, COUNTING)
    assert slow == pytest.approx(1.0)  # the quick first second is out of the window of 30 s


def test_the_rate_of_slow_steps_is_taken_over_several() -> None:
    rate = Rate()
    assert rate.update(0.0, 0, COUNTING) is None
    for step in range(1, 20):
        assert rate.update(60.0 * step, step, COUNTING) == pytest.approx(1 / 60)


def test_many_quick_calls_keep_few_samples() -> None:
    rate = Rate()
    for call in range(10_000):
        latest = rate.update(call / 1000, call, COUNTING)
    assert latest == pytest.approx(1000.0, rel=0.01)
    assert len(rate._samples) < 100


def test_a_new_stage_starts_the_rate_anew() -> None:
    rate = Rate()
    rate.update(0.0, 0, COUNTING)
    rate.update(1.0, 50, COUNTING)
    assert rate.update(2.0, 51, ("evaluating", "images")) is None
    assert rate.update(3.0, 53, ("evaluating", "images")) == 2.0
    assert rate.update(4.0, 0, ("evaluating", "images")) is None  # the stage begins again


def test_progress_gives_time_left(told: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(reporter.time, "monotonic", lambda: clock[0])
    told.progress(0, 10, "steps", "counting")
    clock[0] = 2.0
    told.progress(4, 10, "steps", "counting")
    latest = told.latest()
    assert (latest.rate, latest.seconds_left) == (2.0, 3.0)
    told.progress(4, None, "steps", "counting")
    assert told.latest().seconds_left is None


def test_a_hot_loop_writes_at_most_four_times_a_second(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    running = begin(job, os.getpid())
    assert running is not None
    flushed: list[int] = []
    monkeypatch.setattr(files, "_flush", lambda path: flushed.append(1) if path.name.endswith("status.json") else None)
    began = time.monotonic()  # before the reporter is made: its seconds count from then on
    calls = 0
    with Reporter(job, running) as told:
        while len(flushed) < 3 or calls < 1000:
            calls += 1
            told.progress(calls, 10**9, "steps", "counting")
            told.check_cancelled()
    seconds = time.monotonic() - began
    assert len(flushed) <= seconds / reporter.WRITE_EVERY + 1
    seen = status(job)
    assert seen.stage == "counting"
    assert seen.done > 0
    assert seen.rate is not None
    assert seen.seconds_left is not None
    assert 0.2 < seen.seconds <= seconds + 0.001  # rounded to milliseconds


def test_the_heart_beats_without_progress(job: Job, told: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporter, "HEARTBEAT_EVERY", 0.3)
    before = status(job).heartbeat
    assert before is not None
    with told:
        until(lambda: status(job).heartbeat != before)
    after = status(job).heartbeat
    assert after is not None
    assert after > before


def test_a_disk_that_refuses_progress_does_not_stop_the_work(
    job: Job, told: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[float] = []

    def refuse(*_: object) -> None:
        attempts.append(time.monotonic())
        raise StorageError("No space left")

    monkeypatch.setattr(reporter, "HEARTBEAT_EVERY", 0.4)
    with monkeypatch.context() as patch:
        patch.setattr(reporter.states, "keep", refuse)
        with told:
            while len(attempts) < 2:
                told.progress(1, 2, "steps", "counting")
                time.sleep(0.01)
    assert attempts[1] - attempts[0] >= 0.4
    assert status(job).stage == "Starting its process"


def test_the_flag_is_seen_soon_and_looked_for_seldom(job: Job, told: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[Path] = []
    real = os.path.exists

    def counted(path: Path) -> bool:
        looks.append(path)
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(os.path, "exists", counted)
        began = time.monotonic()
        while time.monotonic() - began < 0.5:
            told.check_cancelled()
        seconds = time.monotonic() - began
    assert 1 <= len([path for path in looks if path.name == "cancel"]) <= seconds / reporter.FLAG_EVERY + 1
    request_cancel(job)
    time.sleep(0.21)
    for _ in range(2):
        with pytest.raises(CancelledError):
            told.check_cancelled()


def test_a_removed_folder_stops_the_work_and_does_not_come_back(job: Job, told: Reporter) -> None:
    for path in job.folder.iterdir():
        path.unlink()
    job.folder.rmdir()
    with told:
        told.progress(1, 2, "steps", "counting")
        time.sleep(2 * reporter.WRITE_EVERY)
        with pytest.raises(CancelledError):
            told.check_cancelled()
    assert not job.folder.exists()
