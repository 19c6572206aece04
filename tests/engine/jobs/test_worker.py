import functools
import os
import signal
import subprocess

import pytest

from engine.errors import InvalidInputError
from engine.jobs import read_events, resume, status, worker
from tests.engine.jobs.jobs_workspace import Workspace, command, until


def test_a_job_is_done(workspace: Workspace) -> None:
    job = workspace.add(steps=4)
    assert subprocess.run(command(job), check=False).returncode == worker.DONE
    now = status(job)
    assert (now.state, now.done, now.total, now.unit, now.attempts) == ("done", 4, 4, "steps", 1)
    assert now.started is not None
    assert now.finished is not None
    assert job.created <= now.started <= now.finished
    assert (now.pid, now.rate, now.seconds_left, now.message) == (None, None, None, None)
    assert [event["step"] for event in read_events(job).events] == [0, 1, 2, 3]


def test_a_job_that_is_not_waiting_is_not_started(workspace: Workspace) -> None:
    job = workspace.add()
    subprocess.run(command(job), check=False)
    again = subprocess.run(command(job), check=False, capture_output=True, text=True)
    assert again.returncode == worker.REFUSED
    assert "was not started, since it is done" in again.stderr
    assert status(job).attempts == 1


def test_a_user_s_mistake_is_told_as_it_is(workspace: Workspace) -> None:
    job = workspace.add("mistaken")
    assert subprocess.run(command(job), check=False, capture_output=True).returncode == worker.FAILED
    now = status(job)
    assert now.state == "failed"
    assert now.message == "row 17: label 'cat ' is not one of cat, dog; trim the space."
    assert "InvalidInputError" in job.log_path.read_text()  # the log has it even when stderr goes elsewhere


def test_a_bug_is_one_sentence_and_the_traceback_is_in_the_log(workspace: Workspace) -> None:
    job, now = workspace.run("buggy", number=3)
    assert now.state == "failed"
    assert now.message == (
        "It stopped because of an error in the program (TypeError: object of type 'int' has no len()); "
        f"details are in {job.log_path}."
    )
    assert job.log_path.read_text().count("Traceback") == 1
    assert 'len(job.spec["number"])' in job.log_path.read_text()
    assert now.attempts == 1  # it would only fail again


def test_a_kind_that_nobody_handles_is_named(workspace: Workspace) -> None:
    _, now = workspace.run("countt")
    assert now.state == "failed"
    assert now.message == "There is no kind of job named 'countt': did you mean count?"


def test_sigterm_unwinds_and_puts_the_job_back_without_counting_the_start(workspace: Workspace) -> None:
    job = workspace.add("busy")
    process = subprocess.Popen(command(job), start_new_session=True)
    until((job.folder / "ready").exists)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == worker.PUT_BACK
    assert (job.folder / "unwound").exists()
    assert (status(job).state, status(job).attempts) == ("queued", 0)


def test_interrupting_a_worker_by_hand_cancels_it(workspace: Workspace) -> None:
    job = workspace.add("busy")
    # A shell that runs the tests in the background has told them to ignore SIGINT, and children inherit that.
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command(job), start_new_session=True, preexec_fn=hears)
    until((job.folder / "ready").exists)
    process.send_signal(signal.SIGINT)
    assert process.wait() == worker.CANCELLED
    assert status(job).state == "cancelled"
    assert resume(job).state == "queued"


def test_a_killed_worker_is_interrupted_and_a_new_one_goes_on(workspace: Workspace) -> None:
    job = workspace.add(steps=6, die_at=4)
    assert subprocess.run(command(job), check=False, capture_output=True).returncode == -signal.SIGKILL
    assert status(job).state == "interrupted"
    assert subprocess.run(command(job), check=False).returncode == worker.DONE
    assert (status(job).state, status(job).attempts) == ("done", 2)
    assert [event["step"] for event in read_events(job).events] == list(range(6))
    assert not (job.folder / ".tmp-left-behind").exists()


def test_a_folder_without_a_job_is_refused(workspace: Workspace) -> None:
    with pytest.raises(InvalidInputError, match="There is no job"):
        worker.run(workspace.path / "nothing", {})


def test_a_worker_leaves_the_signal_handlers_of_its_caller(workspace: Workspace, capsys: object) -> None:
    before = signal.getsignal(signal.SIGTERM)
    job = workspace.add("known")
    assert (
        worker.run(job.folder, {"known": lambda workspace, job, reporter: reporter.event(pid=os.getpid())})
        == worker.DONE
    )
    assert signal.getsignal(signal.SIGTERM) == before
    assert read_events(job).events == [{"pid": os.getpid()}]
