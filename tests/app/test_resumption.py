"""A server that starts again goes on with what waits, also when nobody opens a page."""

import os
from types import SimpleNamespace

import pytest

from app import queues, visitors
from app.resumption import begin, take_up
from engine import jobs
from engine.jobs import states


@pytest.fixture
def threads(monkeypatch):
    """No thread works; which engines would have one, and on which device."""
    started = []

    def thread_of(workspace, engine, device, **how):
        return SimpleNamespace(start=lambda: started.append((engine, device)), is_alive=lambda: True, error=None)

    monkeypatch.setattr(queues, "thread_of", thread_of)
    return started


def test_what_waits_and_what_was_begun_goes_on(home, threads):
    jobs.create(home.jobs, "waits", kind="speed", spec={}, device="cpu")
    states.begin(jobs.create(home.runs, "begun", kind="run", spec={}, device="cpu"), 2**22 + 1)  # no such process
    assert jobs.status(jobs.load(home.runs / "begun")).state == "interrupted"
    take_up(home)
    assert threads == [("local", "cpu")]


def test_where_nothing_waits_nothing_is_loaded(home, threads):
    job = jobs.create(home.jobs, "ended", kind="speed", spec={}, device="cpu")
    states.finish(job, states.begin(job, os.getpid()), "done")
    take_up(home)
    assert threads == []


def test_a_job_for_a_card_that_is_not_here_waits_on(home, threads):
    jobs.create(home.runs, "elsewhere", kind="run", spec={}, device="cuda:7")
    take_up(home)
    assert threads == []


def test_a_workspace_that_refuses_keeps_no_server_from_starting(home, threads):
    home.path.mkdir(exist_ok=True)
    home.jobs.write_text("no folder")
    take_up(home)
    assert threads == []


def test_what_visitors_of_a_demo_left_goes_on_too(home, threads, monkeypatch):
    monkeypatch.setenv("WORKBENCH_DEMO", "1")
    jobs.create(home.scratch("a1").runs, "waits", kind="run", spec={}, device="cpu")
    take_up(home)
    assert threads == [("local", "cpu")]


@pytest.mark.parametrize("demo", [True, False])
def test_a_demo_is_tidied_from_its_start_whether_or_not_somebody_comes(home, threads, monkeypatch, demo):
    tidied = []
    monkeypatch.setattr(visitors, "keep_house", tidied.append)
    monkeypatch.setenv("WORKBENCH_DEMO", str(int(demo)))
    begin(home)
    assert tidied == [home] * demo
