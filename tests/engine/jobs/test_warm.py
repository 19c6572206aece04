"""A worker that waits for a job: handed one it is like any other; until then it holds nothing and outlives nobody."""

import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest

from engine.jobs import FileLock, WarmWorker, create, processes, queue, request_cancel, status, warm
from engine.jobs.overview import Unfinished
from tests.engine.jobs.jobs_workspace import SCRIPT, command, until


class Crew:
    """The workers that a queue started to wait."""

    def __init__(self, workspace):
        self.hired, self.program = [], "as it was"
        self._workspace, self._stop, self._thread = workspace, threading.Event(), None

    def hire(self):
        self.hired.append(WarmWorker([sys.executable, str(SCRIPT), "warm"], lambda: self.program))
        return self.hired[-1]

    def ready(self, count=1):
        """The newest one, once `count` were started and it has loaded what it needs.

        The queue begins here, and not in a fixture: there pytest's own environment is another.
        """
        if self._thread is None:
            self._thread = self._workspace.drain_in_thread(until_empty=False, stop=self._stop, warm=self.hire)
        until(lambda: len(self.hired) == count)
        until(lambda: select.select([self.hired[-1]._channel], [], [], 0)[0])
        return self.hired[-1]

    def stop(self):
        self._stop.set()
        self._thread.join()


@pytest.fixture
def crew(workspace, monkeypatch):
    monkeypatch.setattr(queue, "WARM_AFTER", 0.0)
    crew = Crew(workspace)
    yield crew
    crew.stop()
    until(lambda: all(worker.gone for worker in crew.hired))
    nobody_holds_the_lane(workspace)


def nobody_holds_the_lane(workspace):
    lock = FileLock(workspace.place, "cpu")
    until(lock.acquire)
    lock.release()


def done_by(workspace, job):
    until(lambda: status(job).terminal)
    assert status(job).state == "done"
    return {int(pid) for _, name, pid in workspace.trace() if name == job.id}


def test_the_one_that_waits_does_the_next_job_and_another_waits_for_the_one_after_it(workspace, crew):
    first = crew.ready()
    assert done_by(workspace, workspace.add(words="said")) == {first._process.pid}
    second = crew.ready(2)
    assert second._process.pid != first._process.pid
    assert done_by(workspace, workspace.add()) == {second._process.pid}


@pytest.mark.parametrize(
    ("lane", "seconds_left", "waiting", "started"),
    [
        ("cuda:1", 20.0, "cuda:1", 1),
        ("cuda:1", 20.0, "cuda", 1),  # any card
        ("cuda:1", 20.0, "cuda:0", 0),
        ("cuda:1", 600.0, "cuda:1", 0),
        ("cuda:1", None, "cuda:1", 0),
        ("cpu", 20.0, "cpu", 0),
    ],
)
def test_a_card_s_next_job_finds_a_worker_that_loads_while_the_one_before_it_ends(
    workspace, lane, seconds_left, waiting, started
):
    hired = []
    how = queue._Start(command, dict, lambda: hired.append(lane) or SimpleNamespace(dismiss=lambda: None))
    looking = Unfinished(lambda: workspace.place.job_folders, lane)
    drainer = queue._Drainer(workspace.place, lane, looking, how, threading.Event(), None, None, 0.01)
    running = replace(status(workspace.add(device=waiting)), state="running", seconds_left=seconds_left)
    for _ in range(3):
        drainer._prepare_next(running)
    assert len(hired) == started


def test_it_leads_its_session_and_writes_into_the_log_of_its_job(workspace, crew):
    worker = crew.ready()
    assert os.getsid(worker._process.pid) == worker._process.pid
    job = workspace.add("exits", code=5)
    until(lambda: status(job).terminal)
    assert "segmentation of something" in job.log_path.read_text()
    assert "exit code 5" in status(job).message


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGSTOP])
def test_one_that_is_dead_or_silent_is_replaced_by_a_new_one(workspace, crew, monkeypatch, end):
    monkeypatch.setattr(warm, "ANSWER_WITHIN", 0.1)
    worker = crew.ready()
    os.kill(worker._process.pid, end)
    job = workspace.add()
    assert worker._process.pid not in done_by(workspace, job)
    assert status(job).attempts == 1


def test_one_that_knows_an_old_program_or_an_old_environment_gets_no_job(workspace, crew, monkeypatch):
    worker = crew.ready()
    crew.program = "changed"
    assert worker._process.pid not in done_by(workspace, workspace.add())
    worker = crew.ready(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert worker._process.pid not in done_by(workspace, workspace.add())


def test_a_job_that_it_does_is_cancelled_like_any_other(workspace, crew):
    worker = crew.ready()
    job = workspace.add("busy")
    until((job.folder / "ready").exists)
    assert status(job).pid == worker._process.pid
    request_cancel(job)
    until(lambda: status(job).terminal)
    assert (status(job).state, (job.folder / "unwound").exists()) == ("cancelled", True)


def test_one_that_has_waited_long_enough_goes_and_there_is_none_until_the_next_job(workspace, crew, monkeypatch):
    monkeypatch.setenv("PATIENCE", "0.05")
    crew.ready()
    until(lambda: crew.hired[0].gone)
    time.sleep(0.2)  # ten looks of the queue
    assert len(crew.hired) == 1
    assert done_by(workspace, workspace.add())
    until(lambda: len(crew.hired) == 2)


def processes_of(workspace):
    """Numbers of the processes that wait for jobs of this test, by their environment."""
    mine = f"TEST_OF={workspace.path}".encode()
    found = []
    for number in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{number}/environ", "rb") as environment, open(f"/proc/{number}/cmdline", "rb") as line:
                if mine in environment.read().split(b"\0") and b"warm" in line.read().split(b"\0"):
                    found.append(int(number))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="looks for processes in /proc")
@pytest.mark.parametrize("working", [False, True])
def test_it_goes_with_whoever_started_it_unless_it_works_already(workspace, working):
    environment = {**os.environ, "TEST_OF": str(workspace.path)}
    drainer = subprocess.Popen([sys.executable, str(SCRIPT), "drain-warm", str(workspace.path)], env=environment)
    until(lambda: processes_of(workspace))
    [waiting] = processes_of(workspace)
    mark = processes.start_mark(waiting)
    job = create(workspace.path / "jobs", "one", kind="busy", spec={}, device="cpu") if working else None
    if job:
        until((job.folder / "ready").exists)
    drainer.kill()
    drainer.wait()
    if job is None:
        until(lambda: not processes.runs(waiting, mark))
        return
    present = status(job)
    assert present.state == "running"
    assert not FileLock(workspace.place, "cpu").acquire()  # the worker holds it
    processes.send_signal(present.pid, present.pid_started, signal.SIGKILL)
    nobody_holds_the_lane(workspace)


@pytest.mark.parametrize("heard", [True, False])
def test_it_goes_without_a_word_when_whoever_started_it_has_gone(heard):
    ours, theirs = socket.socketpair()

    def leave():
        if heard:
            ours.recv(1)
        ours.close()

    gone = threading.Timer(0.05, leave)  # after it has said that it is ready
    gone.start()
    assert warm.wait_for_job(theirs.detach(), lambda: None, patience=10) is None
    gone.join()


def test_one_that_has_gone_is_not_killed_by_its_number(monkeypatch):
    worker = WarmWorker([sys.executable, "-c", "pass"], lambda: None)
    until(lambda: worker.gone)
    monkeypatch.setattr(processes, "kill_group", lambda pid: pytest.fail("this number may be another's"))
    worker.dismiss()
