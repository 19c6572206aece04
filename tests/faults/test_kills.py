"""A slice of the kills of `make faults`, and that what it takes for a process of the workspace is one."""

import os
import subprocess
import sys
import time

import pytest

from engine.workspace import Workspace
from tests.faults import hardships, kills, processes, workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

TWO = "import os, time; os.fork() or os.fork(); time.sleep(60)"  # a copy, and a copy of it


@pytest.fixture
def home(tmp_path, monkeypatch):
    found = workspace.make(tmp_path)
    monkeypatch.setenv("WORKBENCH_HOME", str(found.path))
    return found


def test_labels_written_while_their_process_is_killed_are_the_old_or_the_new_ones(home):
    tally = kills.Tally()
    kills.labels(home, 2, tally)
    assert (tally.killed, tally.killed_in_writes) == (2, 2)
    assert tally.wrong == []


def test_a_copy_of_a_worker_that_is_about_to_become_another_process_is_no_second_worker(tmp_path):
    home = Workspace(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-c", TWO, "job", str(tmp_path / "jobs" / "one")],
        env={**os.environ, "WORKBENCH_HOME": str(tmp_path)},
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 20
        while len(_children(process.pid)) < 1 and time.monotonic() < until:
            time.sleep(0.01)
        assert [one.pid for one in processes.living(home)] == [process.pid]
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return file.read().split()


def test_a_disk_that_is_full_at_any_write_of_a_verb_leaves_nothing_half_made(home, monkeypatch):
    monkeypatch.setattr(hardships, "WRITING", ("compare",))
    found = hardships.full(home)
    assert found.refused > 5
    assert found.errors + found.half_made == []
