import errno
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from engine import files
from engine.errors import BusyError, InvalidInputError, StorageError
from engine.jobs import FileLock, Job, Status, create, drain, queue, read_events, request_cancel, status, wait
from engine.jobs.processes import start_mark
from tests.engine.jobs.jobs_workspace import Workspace, command, until


def test_jobs_of_all_roots_run_one_after_the_other_oldest_first(workspace: Workspace) -> None:
    jobs = [workspace.add(root=root) for root in ("runs", "jobs", "runs")]
    other = workspace.add(device="cuda:0")
    workspace.drain()
    assert [status(job).state for job in jobs] == ["done"] * 3
    assert [line[1] for line in workspace.trace() if line[0] == "begin"] == [job.id for job in jobs]
    assert workspace.changes == [(job.id, state) for job in jobs for state in ("running", "done")]
    workspace.assert_no_overlap()
    assert status(other).state == "queued"


def test_a_killed_worker_s_job_is_finished_on_its_second_attempt(workspace: Workspace) -> None:
    job = workspace.add(steps=6, die_at=4)
    later = workspace.add()
    workspace.drain()
    now = status(job)
    assert (now.state, now.attempts, now.done) == ("done", 2, 6)
    assert [event["step"] for event in read_events(job).events] == list(range(6))  # as of an unbroken run
    assert [change[1] for change in workspace.changes] == ["running", "queued", "running", "done", "running", "done"]
    assert "about to die" in job.log_path.read_text()
    assert status(later).state == "done"
    assert now.seconds > 0


def test_a_job_that_always_kills_its_worker_fails_after_three_attempts(workspace: Workspace) -> None:
    job, now = workspace.run("count", die_at=2, always=True)
    assert (now.state, now.attempts) == ("failed", 3)
    assert now.message is not None
    assert now.message.startswith("Its process ended without a word 3 times (SIGKILL); the ")
    assert str(job.log_path) in now.message
    assert not list(job.folder.glob(".tmp-*"))


@pytest.mark.parametrize("code", [0, 7])
def test_a_worker_that_ends_by_itself_without_a_word_is_not_started_again(workspace: Workspace, code: int) -> None:
    _, now = workspace.run("exits", code=code)
    assert (now.state, now.attempts) == ("failed", 1)
    assert now.message is not None
    assert f"(exit code {code})" in now.message
    assert now.message.endswith("The last line there: segmentation of something")


def test_a_signal_that_a_shell_passed_on_counts_as_one(workspace: Workspace) -> None:
    _, now = workspace.run("exits", code=128 + signal.SIGKILL)
    assert (now.state, now.attempts) == ("failed", 3)


def test_a_worker_that_cannot_be_started_is_a_sentence(workspace: Workspace) -> None:
    job = workspace.add()
    drain(workspace.place, "cpu", lambda _: ["/no/such/python"], until_empty=True)
    assert status(job).state == "failed"
    assert "could not be started ([Errno 2] No such file" in (status(job).message or "")


def test_a_command_that_refuses_its_job_is_a_sentence(workspace: Workspace) -> None:
    def refuse(job: Job) -> list[str]:
        raise InvalidInputError(f"{job.id} needs a device that is not here.")

    job = workspace.add()
    drain(workspace.place, "cpu", refuse, until_empty=True)
    assert (status(job).state, status(job).message) == ("failed", f"{job.id} needs a device that is not here.")


def test_a_job_queued_while_others_run_is_picked_up(workspace: Workspace) -> None:
    stop = threading.Event()
    first = workspace.add(steps=20, delay=0.02)
    thread = workspace.drain_in_thread(until_empty=False, stop=stop)
    until(lambda: status(first).state == "running")
    second = workspace.add()
    ended = wait([first, second], poll=0.02)
    assert [now.state for now in ended.values()] == ["done", "done"]
    third = workspace.add()
    assert wait([third], poll=0.02)[third].state == "done"
    stop.set()
    thread.join()
    workspace.assert_no_overlap()


def test_many_drainers_in_threads_and_processes_run_each_job_once(workspace: Workspace) -> None:
    jobs = [workspace.add(steps=2) for _ in range(6)]
    processes = [workspace.drain_in_process() for _ in range(2)]
    threads = [workspace.drain_in_thread() for _ in range(3)]
    for thread in threads:
        thread.join()
    assert [process.wait() for process in processes] == [0, 0]
    assert [status(job).state for job in jobs] == ["done"] * 6
    assert sorted(line[1] for line in workspace.trace() if line[0] == "begin") == sorted(job.id for job in jobs)
    workspace.assert_no_overlap()


def test_a_killed_drainer_s_worker_keeps_the_device(workspace: Workspace) -> None:
    first, second = workspace.add(steps=40, delay=0.05), workspace.add(steps=2)
    drainer = workspace.drain_in_process()
    until(lambda: status(first).done > 0)
    drainer.kill()
    drainer.wait()
    assert status(first).state == "running"
    assert not FileLock(workspace.place, "cpu").acquire()
    workspace.drain()
    assert [status(job).state for job in (first, second)] == ["done", "done"]
    assert status(first).attempts == 1  # it was not disturbed
    workspace.assert_no_overlap()


def test_an_orphan_without_a_drainer_can_be_cancelled(workspace: Workspace) -> None:
    job = workspace.add("stubborn")
    drainer = workspace.drain_in_process()
    until((job.folder / "ready").exists)
    drainer.kill()
    drainer.wait()
    request_cancel(job)
    assert status(job).cancel_requested
    workspace.drain()
    assert status(job).state == "cancelled"


def test_an_orphan_that_dies_is_started_again(workspace: Workspace) -> None:
    job = workspace.add(steps=6, delay=0.1, die_at=4)
    drainer = workspace.drain_in_process()
    until(lambda: status(job).done > 0)
    drainer.kill()
    drainer.wait()
    workspace.drain()
    assert (status(job).state, status(job).attempts) == ("done", 2)


def test_stopping_a_drainer_leaves_its_worker_at_work(workspace: Workspace) -> None:
    stop = threading.Event()
    job = workspace.add(steps=30, delay=0.03)
    thread = workspace.drain_in_thread(stop=stop)
    until(lambda: status(job).done > 0)
    stop.set()
    thread.join()
    assert status(job).state == "running"
    with pytest.raises(BusyError, match="worked on by another process"), FileLock(workspace.place, "cpu"):
        pass
    assert wait([job], poll=0.02)[job].state == "done"
    assert status(job).attempts == 1


def test_a_worker_started_by_hand_is_waited_for(workspace: Workspace) -> None:
    by_hand, queued = workspace.add(steps=20, delay=0.05), workspace.add()
    process = subprocess.Popen(command(by_hand), start_new_session=True)
    until(lambda: status(by_hand).state == "running")
    workspace.drain()
    assert process.wait() == 0
    assert [status(job).state for job in (by_hand, queued)] == ["done", "done"]
    workspace.assert_no_overlap()


def test_a_polite_worker_stops_at_the_flag(workspace: Workspace) -> None:
    job = workspace.add(steps=1000, delay=0.02)
    thread = workspace.drain_in_thread(grace=30.0)
    until(lambda: status(job).done > 0)
    request_cancel(job)
    thread.join()
    now = status(job)
    assert (now.state, now.message) == ("cancelled", "It was cancelled; it can be resumed.")
    assert 0 < now.done < 1000
    assert "end" not in [line[0] for line in workspace.trace()]


def test_a_worker_that_does_not_look_is_told_by_sigterm(workspace: Workspace) -> None:
    job = workspace.add("busy")
    thread = workspace.drain_in_thread(kill_grace=30.0)
    until((job.folder / "ready").exists)
    request_cancel(job)
    thread.join()
    assert status(job).state == "cancelled"
    assert (job.folder / "unwound").exists()


def test_a_worker_that_ignores_sigterm_is_killed_with_all_it_started(workspace: Workspace) -> None:
    job = workspace.add("stubborn")
    thread = workspace.drain_in_thread()
    until((job.folder / "ready").exists)
    child = int((job.folder / "child").read_text())
    began = time.monotonic()
    request_cancel(job)
    thread.join()
    assert status(job).state == "cancelled"
    assert time.monotonic() - began > 0.5  # both graces
    until(lambda: start_mark(child) is None)


def test_what_a_dying_worker_says_does_not_undo_its_cancellation(workspace: Workspace) -> None:
    job = workspace.add("dies_confused")
    thread = workspace.drain_in_thread(grace=30.0)
    until((job.folder / "ready").exists)
    request_cancel(job)
    thread.join()
    assert status(job).state == "cancelled"
    assert "lost my way" in job.log_path.read_text()


def test_cancelling_in_the_moment_of_the_start_never_leaves_a_job_running(workspace: Workspace) -> None:
    jobs = [workspace.add(steps=400, delay=0.02) for _ in range(4)]
    thread = workspace.drain_in_thread(grace=30.0)
    for delay, job in zip((0.0, 0.01, 0.05, 0.15), jobs, strict=True):
        time.sleep(delay)
        request_cancel(job)
    thread.join()
    assert [status(job).state for job in jobs] == ["cancelled"] * 4


def test_a_process_that_stays_after_its_job_is_done_is_ended(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "LINGER", 0.2)
    _, now = workspace.run("lingers")  # for an hour, if it is let
    assert now.state == "done"


def test_a_full_disk_starts_nothing_and_the_queue_waits(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    refused, stop = threading.Event(), threading.Event()

    def refuse(path: Path) -> None:
        refused.set()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    job = workspace.add("busy")
    with monkeypatch.context() as patch:
        patch.setattr(files, "_flush", refuse)
        draining = workspace.drain_in_thread(stop=stop)
        assert refused.wait(60)
        with pytest.raises(StorageError, match="free some space"):
            request_cancel(job)
        stop.set()
        draining.join()
    assert status(job).state == "queued"
    assert not (job.folder / "unwound").exists()
    assert FileLock(workspace.place, "cpu").acquire()


def test_a_full_disk_leaves_no_half_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StorageError, match=r"No space left while writing .* free some space"):
        create(tmp_path, "one", kind="count", spec={}, device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_forgotten_temporary_folders_are_tidied_up(workspace: Workspace) -> None:
    old, fresh = (workspace.path / "jobs" / name for name in (".tmp-1-old", ".tmp-2-fresh"))
    for folder in (old, fresh):
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(b"x")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    workspace.drain()
    assert (old.exists(), fresh.exists()) == (False, True)


def test_the_lock_is_exclusive_per_device_and_ends_with_its_holder(workspace: Workspace) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path\n"
            "from engine.jobs import FileLock; from engine.workspace import Workspace\n"
            "assert FileLock(Workspace(Path(sys.argv[1])), 'cuda:0').acquire()\n"
            "print('held', flush=True); time.sleep(60)",
            str(workspace.path),
        ],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    lock = FileLock(workspace.place, "cuda:0")
    with pytest.raises(BusyError, match="is not held"):
        lock.fileno()
    assert not lock.acquire()
    with FileLock(workspace.place, "cpu"):
        pass
    holder.kill()
    holder.communicate()
    with lock:
        assert lock.acquire()  # it is held already
        assert not FileLock(workspace.place, "cuda:0").acquire()
    assert FileLock(workspace.place, "cuda:0").acquire()


def test_waiting_tells_of_changes_and_gives_the_ends(workspace: Workspace) -> None:
    good, bad = workspace.add(steps=10, delay=0.1), workspace.add("mistaken")
    seen: list[tuple[str, str, int]] = []
    thread = workspace.drain_in_thread()
    ended = wait([good, bad], lambda job, now: seen.append((job.kind, now.state, now.done)), poll=0.02)
    thread.join()
    assert (ended[good].state, ended[bad].state) == ("done", "failed")
    assert [kind for kind, _, _ in seen[:2]] == ["count", "mistaken"]
    assert len({done for kind, state, done in seen if (kind, state) == ("count", "running")}) > 2
    assert seen[-1] == ("mistaken", "failed", 0)
    stop = threading.Event()
    stop.set()
    waiting = workspace.add()
    assert wait([waiting], stop=stop)[waiting].state == "queued"


def test_waiting_tells_of_what_ended_between_a_look_and_the_end_of_the_queue(workspace: Workspace) -> None:
    stop, seen, job = threading.Event(), list[str](), workspace.add()

    def told(_: Job, now: Status) -> None:
        if now.state == "queued":
            workspace.drain_in_thread().join()
            stop.set()
        seen.append(now.state)

    assert wait([job], told, stop=stop)[job].state == "done"
    assert seen == ["queued", "done"]


def test_an_ordinary_user_is_told_of_a_workspace_that_may_not_be_written(as_nobody: Callable[[str], str]) -> None:
    with TemporaryDirectory() as folder:  # pytest's own folders cannot even be entered by others
        root = Path(folder) / "jobs"
        create(root, "one", kind="count", spec={}, device="cpu")
        for path in (root / "one" / "lock", root / "one" / "log.txt"):
            path.touch()
        for path in (Path(folder), root, root / "one"):
            path.chmod(0o555)
        told = as_nobody(
            f"root = Path({str(root)!r})\n"
            "job, = jobs.list_jobs(root)\n"
            "print(jobs.status(job).state)\n"
            "for attempt in (\n"
            "    lambda: jobs.create(root, 'two', kind='count', spec={}, device='cpu'),\n"
            "    lambda: jobs.request_cancel(job),\n"
            "    lambda: jobs.remove(job),\n"
            "    lambda: jobs.FileLock(Workspace(root.parent), 'cpu').acquire(),\n"
            "    lambda: jobs.drain(Workspace(root.parent), 'cpu', lambda job: [], until_empty=True),\n"
            "):\n"
            "    try:\n"
            "        attempt()\n"
            "    except StorageError as error:\n"
            "        print(error)\n"
        ).splitlines()
        for path in (Path(folder), root, root / "one"):
            path.chmod(0o755)
    assert told[0] == "queued"
    assert len(told) == 6
    for sentence in told[1:]:
        assert folder in sentence
        assert "may not be written or read by this user: change its permissions, or set WORKBENCH_HOME" in sentence


def test_a_workspace_that_cannot_be_entered_is_a_sentence_too(as_nobody: Callable[[str], str]) -> None:
    with TemporaryDirectory() as folder:
        closed = Path(folder) / "closed"
        job = create(closed, "one", kind="count", spec={}, device="cpu")
        Path(folder).chmod(0o755)
        closed.chmod(0o000)
        told = as_nobody(
            f"root = Path({str(closed)!r})\n"
            "for attempt in (\n"
            "    lambda: jobs.list_jobs(root),\n"
            "    lambda: jobs.load(root / 'one'),\n"
            "    lambda: files.write_json(root / 'x.json', 1),\n"
            "    lambda: jobs.create(root, 'two', kind='count', spec={}, device='cpu'),\n"
            "):\n"
            "    try:\n"
            "        attempt()\n"
            "    except StorageError as error:\n"
            "        print(error)\n"
        ).splitlines()
        closed.chmod(0o755)
    assert len(told) == 4
    assert all("change its permissions" in sentence for sentence in told)
    assert job.folder.name == "one"
