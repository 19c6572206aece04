"""A full disk: the job waits, says for how much, goes on by itself with what it has kept, and can be cancelled."""

import errno
import os
import threading
import weakref

import pytest

from engine import files
from engine.errors import FullDiskError, StorageError
from engine.jobs import create, queue, request_cancel, space, states, status, worker
from engine.jobs.records import SPACE_FLAG
from tests.engine.jobs.jobs_workspace import Workspace, until

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture
def disk(monkeypatch):
    """Lets a test say whether there is room."""
    room = {"there": False, "asked": []}
    monkeypatch.setattr(space, "POLL", 0.01)
    monkeypatch.setattr(space, "has_room", lambda folder, needed: room["asked"].append(needed) or room["there"])
    return room


def work_in_thread(job, handler):
    thread = threading.Thread(target=worker.run, args=(job.folder, {job.kind: handler}))
    thread.start()
    return thread


def test_a_job_waits_for_space_and_goes_on_from_its_checkpoint(workspace: Workspace, disk) -> None:
    job, refusals, seen = workspace.add("training"), [FULL, FULL], []

    def training(_, job, reporter):
        checkpoint = job.folder / "checkpoint.json"
        begin = files.read_json(checkpoint)["step"] if checkpoint.exists() else 0
        for step in range(begin, 4):
            seen.append(step)
            if step == 2 and refusals:
                with files.replacing(job.folder / "big", needed=4_000_000):
                    raise refusals.pop()
            files.write_json(checkpoint, {"step": step + 1})

    thread = work_in_thread(job, training)
    until(lambda: status(job).paused)
    assert status(job).state == "running"
    assert status(job).stage.startswith("Waiting for disk space: needs about 4.0 MB, ")
    assert not status(job).stuck
    disk["there"] = True
    thread.join()
    assert (status(job).state, status(job).message) == ("done", None)
    assert seen == [0, 1, 2, 2, 2, 3]  # nothing that a checkpoint held was done again
    assert disk["asked"][0] == 4_000_000
    assert disk["asked"][-1] == 8_000_000  # full again at once: more is needed than was thought
    assert not (job.folder / SPACE_FLAG).exists()
    assert not list(job.folder.glob(".tmp*"))


def test_a_job_that_waits_for_space_lets_its_memory_go(workspace: Workspace, disk) -> None:
    class Weights:
        pass

    job, held = workspace.add("training"), []

    def training(_, job, reporter):
        if not held:
            weights = Weights()
            held.append(weakref.ref(weights))
            try:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                raise files.storage_error(error, job.folder) from error
        held.append(held[0]())

    thread = work_in_thread(job, training)
    until(lambda: status(job).paused)
    disk["there"] = True
    thread.join()
    assert status(job).state == "done"
    assert held[1] is None


def test_a_job_that_waits_for_space_can_be_cancelled(workspace: Workspace, disk) -> None:
    job = workspace.add("writing")

    def writing(*_):
        raise FULL

    thread = work_in_thread(job, writing)
    until(lambda: status(job).paused)
    request_cancel(job)
    thread.join()
    assert status(job).state == "cancelled"


@pytest.mark.parametrize(
    "error",
    [
        FULL,
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT), b"a/student.bin"),
        RuntimeError("PytorchStreamWriter failed writing file: No space left on device"),
        files.storage_error(FULL, files.Path("a/b"), 7),
    ],
    ids=["system", "quota", "library", "ours"],
)
def test_a_full_disk_is_known_in_anybody_s_words(error, tmp_path) -> None:
    outer = StorageError("said differently")
    outer.__cause__ = error
    assert isinstance(space.full_disk(outer, tmp_path), FullDiskError)
    assert space.full_disk(ValueError("something else"), tmp_path) is None


def test_the_end_of_a_job_waits_for_space_and_hides_no_error(workspace: Workspace, disk, monkeypatch) -> None:
    job, real, refusals = workspace.add("mistaken"), states.finish, [1, 2]

    def finish(*arguments):
        if refusals:
            refusals.pop()
            raise FullDiskError("full", job.folder)
        return real(*arguments)

    monkeypatch.setattr(states, "finish", finish)
    disk["there"] = True

    def mistaken(*_):
        raise TypeError("the first error")

    assert worker.run(job.folder, {"mistaken": mistaken}) == worker.FAILED
    assert "the first error" in status(job).message


def test_a_queue_waits_for_space_to_write_down_a_start(workspace: Workspace, monkeypatch) -> None:
    job, real, refusals = workspace.add(), states.begin_locked, [1, 2]

    def begin(*arguments):
        if refusals:
            refusals.pop()
            raise FullDiskError("full", job.folder)
        return real(*arguments)

    monkeypatch.setattr(states, "begin_locked", begin)
    monkeypatch.setattr(queue, "FULL_DISK", 0.01)
    workspace.drain()
    assert (refusals, status(job).state) == ([], "done")


def test_room_is_what_can_really_be_written(tmp_path, monkeypatch) -> None:
    assert space.has_room(tmp_path, 100_000)
    assert not space.has_room(tmp_path, 10**18)

    def quota(*_):
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(os, "posix_fallocate", quota)
    assert not space.has_room(tmp_path, 100_000)
    assert list(tmp_path.iterdir()) == []


def test_bytes_that_came_to_lie_are_known_to_be_needed(tmp_path) -> None:
    def write():
        with files.replacing(tmp_path / "a") as temporary:
            temporary.write_bytes(b"12345")
            raise FULL

    with pytest.raises(FullDiskError) as refused:
        write()
    assert refused.value.needed == 5


def test_a_flag_that_a_killed_worker_left_is_gone_at_the_next_start(workspace: Workspace) -> None:
    job = create(workspace.path / "jobs", "one", kind="count", spec={}, device="cpu")
    space.set_flag(job, 5)
    states.begin(job, os.getpid())
    assert not status(job).paused
