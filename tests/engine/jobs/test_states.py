import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BusyError, CancelledError, InvalidInputError
from engine.jobs import Job, Reporter, change_lane, create, is_here, load, remove, request_cancel, resume, status
from engine.jobs.processes import host, runs, start_mark
from engine.jobs.states import MAX_ATTEMPTS, MAX_RESTARTS, STALE_AFTER, begin, finish, is_taken, put_back, settle


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return create(tmp_path, "one", kind="count", spec={}, device="cpu")


def rewrite(job: Job, **fields: Any) -> None:
    path = job.folder / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_process_is_its_number_and_its_start() -> None:
    mark = start_mark(os.getpid())
    assert mark is not None
    assert mark == start_mark(os.getpid())
    assert runs(os.getpid(), mark)
    assert not runs(os.getpid(), mark + "0")
    assert not runs(dead_process(), mark)


def test_a_zombie_does_not_run() -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mark = start_mark(process.pid)
    assert runs(process.pid, mark)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and is still listed
    assert not runs(process.pid, mark)
    process.communicate()


def test_a_process_with_the_same_number_that_started_later_is_another_one(job: Job) -> None:
    begin(job, os.getpid())
    assert status(job).state == "running"
    boot = start_mark(os.getpid()).rpartition(":")[0]
    rewrite(job, pid_started=f"{boot}:1")
    assert status(job).state == "interrupted"


def test_a_machine_or_container_of_the_same_name_is_another_one(job: Job) -> None:
    begin(job, dead_process())
    rewrite(job, pid_started="another-start-of-some-machine:1")
    assert status(job).state == "running", "only its heartbeat can be asked"
    assert not is_here(status(job))
    rewrite(job, heartbeat=(datetime.now(UTC) - timedelta(seconds=STALE_AFTER + 1)).isoformat())
    assert status(job).state == "interrupted"


def test_a_worker_that_was_taken_for_dead_changes_nothing_when_it_is_back(job: Job) -> None:
    lost = begin(job, os.getpid())
    assert lost is not None
    rewrite(job, host="node7", heartbeat=(datetime.now(UTC) - timedelta(seconds=STALE_AFTER + 1)).isoformat())
    lost = replace(lost, host="node7")
    assert not is_taken(job, lost)
    queued = settle(job)
    assert (queued.state, is_taken(job, lost)) == ("queued", True)
    assert finish(job, lost, "failed", "too late") == put_back(job, lost) == queued
    new = begin(job, os.getpid())
    assert (finish(job, lost, "done"), status(job).state) == (new, "running")


def test_a_reporter_whose_job_was_taken_stops_its_handler(job: Job) -> None:
    running = begin(job, os.getpid())
    assert running is not None

    def work(reporter: Reporter) -> None:
        while True:
            reporter.progress(1, 2, "steps", "")
            reporter.check_cancelled()
            time.sleep(0.02)

    with Reporter(job, replace(running, host="node7")) as reporter, pytest.raises(CancelledError, match="elsewhere"):
        work(reporter)
    assert status(job).host == running.host


def test_a_job_that_waits_may_do_so_in_another_lane(job: Job) -> None:
    before, lane = status(job), job.lane
    moved = change_lane(job, "slurm")
    assert (moved.lane, load(job.folder).lane, moved.created, status(moved)) == ("slurm", "slurm", job.created, before)
    begin(moved, os.getpid())
    assert change_lane(moved, lane).lane == "slurm", "one that runs stays where it is"


def test_on_another_machine_the_heartbeat_decides(job: Job) -> None:
    begin(job, dead_process())
    assert status(job).state == "interrupted"
    rewrite(job, host="elsewhere")
    assert status(job).state == "running"
    rewrite(job, heartbeat=(datetime.now(UTC) - timedelta(seconds=STALE_AFTER + 1)).isoformat())
    assert status(job).state == "interrupted"


def test_beginning_twice_is_beginning_once_and_nobody_else_may(job: Job) -> None:
    first = begin(job, os.getpid())
    assert first is not None
    assert (first.state, first.attempts, first.pid, first.host) == ("running", 1, os.getpid(), host())
    assert begin(job, os.getpid()) == first
    assert begin(job, os.getppid()) is None
    finish(job, first, "done")
    assert begin(job, os.getpid()) is None


def test_a_running_job_cannot_be_resumed_or_removed(job: Job) -> None:
    begin(job, os.getpid())
    with pytest.raises(BusyError, match="one is running"):
        resume(job)
    assert request_cancel(job).cancel_requested
    with pytest.raises(BusyError, match="still stopping"):
        resume(job)
    with pytest.raises(BusyError, match="cancel it first"):
        remove(job)
    assert settle(job).state == "running"


def test_a_job_found_dead_is_queued_again_twice_and_then_fails(job: Job) -> None:
    for attempt in range(1, MAX_ATTEMPTS):
        begin(job, dead_process())
        assert (settle(job, "SIGKILL").state, status(job).attempts) == ("queued", attempt)
    begin(job, dead_process())
    job.log_path.write_text("loading\nabout to die\n\n")
    now = settle(job, "SIGKILL")
    assert now.state == "failed"
    assert now.message == (
        "Its process ended without a word 3 times (SIGKILL); the machine may be short of memory. "
        f"Look into {job.log_path}, then resume it. The last line there: about to die"
    )
    assert (resume(job).state, status(job).attempts, status(job).message) == ("queued", 0, None)


def test_a_restart_of_the_machine_says_nothing_about_a_job(job: Job) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for attempt in range(1, 2 * MAX_ATTEMPTS):
        begin(job, os.getpid())
        rewrite(job, pid_started="another start of this machine:1", heartbeat=long_ago)
        assert (settle(job).state, status(job).attempts, status(job).restarts) == ("queued", attempt, attempt)
    for _ in range(1, MAX_ATTEMPTS):
        begin(job, dead_process())
        assert settle(job).state == "queued"
    begin(job, dead_process())
    assert settle(job).message.startswith("Its process ended without a word 3 times; ")
    assert (resume(job).attempts, status(job).restarts) == (0, 0)


def test_a_job_that_brings_its_machine_down_each_time_ends(job: Job) -> None:
    long_ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    for _ in range(1, MAX_RESTARTS + MAX_ATTEMPTS):
        begin(job, os.getpid())
        rewrite(job, pid_started="another start of this machine:1", heartbeat=long_ago)
        assert settle(job).state == "queued"
    begin(job, os.getpid())
    rewrite(job, pid_started="another start of this machine:1", heartbeat=long_ago)
    assert settle(job).state == "failed"


def test_a_dead_job_that_was_cancelled_is_cancelled_whoever_looks_first(job: Job) -> None:
    begin(job, os.getpid())
    request_cancel(job)
    rewrite(job, pid=dead_process())
    seen = status(job)
    assert (seen.state, seen.cancel_requested) == ("cancelled", False)
    assert settle(job, "SIGKILL").state == "cancelled"
    assert status(job).pid is None
    assert resume(job).state == "queued"
    begin(job, os.getpid())
    assert not status(job).cancel_requested


def test_an_interrupted_job_can_be_cancelled_resumed_and_removed(job: Job) -> None:
    begin(job, dead_process())
    assert resume(job).state == "queued"
    begin(job, dead_process())
    assert request_cancel(job).state == "cancelled"
    resume(job)
    begin(job, dead_process())
    remove(job)
    assert not job.folder.exists()


def test_a_failure_after_a_cancellation_is_a_cancellation_but_done_is_done(job: Job) -> None:
    running = begin(job, os.getpid())
    assert running is not None
    request_cancel(job)
    assert finish(job, running, "failed", "broken pipe").state == "cancelled"
    resume(job)
    running = begin(job, os.getpid())
    assert running is not None
    request_cancel(job)
    now = finish(job, replace(running, done=3), "done")
    assert (now.state, now.done, now.message) == ("done", 3, None)
    assert request_cancel(job).state == "done"
    with pytest.raises(InvalidInputError, match="nothing to resume"):
        resume(job)


@pytest.mark.parametrize("seconds", [-3600, 3600, 10 * 365 * 86_400])
@pytest.mark.parametrize("way_out", ["resume", "cancel", "remove"])
def test_a_worker_of_another_machine_whose_heartbeat_is_not_of_now_can_be_ended(
    job: Job, seconds: int, way_out: str
) -> None:
    begin(job, os.getpid())
    rewrite(job, host="elsewhere", heartbeat=(datetime.now(UTC) + timedelta(seconds=seconds)).isoformat())
    assert status(job).state == "interrupted"
    if way_out == "remove":
        remove(job)
        assert not job.folder.exists()
    else:
        assert (resume(job) if way_out == "resume" else request_cancel(job)).pid is None
        assert status(job).state == ("queued" if way_out == "resume" else "cancelled")
