"""Several cards, made up: each has a lane, and what asks for any card goes to the one that is free."""

import json
import os
import sys
import threading
from dataclasses import replace

import pytest

from app.components import queued
from engine import devices, jobs, runs
from engine.jobs import ANY_CARD, INTERACTIVE, create, load, processes, states, status
from engine.runs import estimates, queue
from engine.runs.comparison import enqueue, run_again
from engine.runs.spec import plan
from tests.app import made_runs
from tests.cards import A, B, made_up_cards

WORKER = """
import os, signal, sys, time
from pathlib import Path
from engine.jobs import worker
def train(workspace, job, reporter):
    seen = workspace.path / "seen"
    seen.mkdir(exist_ok=True)
    (seen / job.id).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    died = seen / (job.id + " died")
    if job.spec.get("dies") and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    while not all((seen / other).exists() for other in job.spec.get("beside", ())):
        reporter.check_cancelled()
        time.sleep(0.01)
sys.exit(worker.run(Path(sys.argv[1]), {"run": train}))
"""


@pytest.fixture
def two_cards(home, monkeypatch):
    made_up_cards(monkeypatch, 2)
    monkeypatch.setattr(queue, "worker_command", lambda job: [sys.executable, "-c", WORKER, str(job.folder)])
    monkeypatch.setattr(queue, "LOOK_AGAIN", 0.01)
    return home


def add(home, name, device="cuda", lane=None, **spec):
    return create(home.path / "runs", name, kind="run", spec=spec, device=device, lane=lane)


def seen(home, *found):
    return [(home.path / "seen" / job.id).read_text() for job in found]


def test_two_runs_go_side_by_side_and_a_third_takes_the_card_that_is_free_first(two_cards):
    first, second = add(two_cards, "first", beside=["second"]), add(two_cards, "second", beside=["first", "third"])
    third = add(two_cards, "third")  # only where the first one was
    elsewhere = add(two_cards, "elsewhere", device="cpu")
    queue.drain(two_cards, "cuda", until_empty=True)
    assert [status(job).state for job in (first, second, third, elsewhere)] == ["done"] * 3 + ["queued"]
    one, other, again = seen(two_cards, first, second, third)
    assert ({one, other}, again) == ({A, B}, one)
    queue.drain(two_cards, "cpu", until_empty=True)
    assert seen(two_cards, elsewhere) == ["all"]


def test_a_card_that_is_named_is_waited_for_while_another_is_free(two_cards):
    long, named = add(two_cards, "long", device="cuda:1", beside=["named"]), add(two_cards, "named", device="cuda:0")
    behind = add(two_cards, "behind", device="cuda:1")
    queue.drain(two_cards, "cuda", until_empty=True)
    assert seen(two_cards, long, named, behind) == [B, A, B]


def test_a_card_whose_worker_was_killed_is_free_again(two_cards):
    killed, other = add(two_cards, "killed", device="cuda:0", dies=True), add(two_cards, "other", dies=True)
    queue.drain(two_cards, "cuda", until_empty=True)
    assert [(status(job).state, status(job).attempts) for job in (killed, other)] == [("done", 2)] * 2


def test_whoever_works_for_one_card_takes_its_jobs_and_those_of_any_card(two_cards):
    others, its, any_card = add(two_cards, "others", "cuda:0"), add(two_cards, "its", "cuda:1"), add(two_cards, "any")
    assert runs.waiting(two_cards, "cuda:1") == [its, any_card]
    assert set(runs.waiting(two_cards, "cuda")) == {others, its, any_card}
    queue.drain(two_cards, "cuda:1", until_empty=True)
    assert [status(job).state for job in (others, its, any_card)] == ["queued", "done", "done"]


def test_what_died_in_the_lane_of_a_card_that_is_gone_is_settled_by_another(two_cards):
    lost = add(two_cards, "lost")
    states.begin_locked(lost, os.getpid(), "cuda:7")
    another = f"{processes.start_mark(os.getpid())}0"  # a process of this number that began at another time
    states._store(lost, replace(states._read(lost), pid_started=another))
    assert status(lost).state == "interrupted"
    queue.drain(two_cards, "cuda", until_empty=True)
    assert status(lost).state == "done"


def test_a_run_that_waits_for_any_card_says_for_what_and_how_long(two_cards, monkeypatch):
    left = {"a": 60.0, "b": 240.0}
    monkeypatch.setattr(estimates, "seconds_left", lambda home, job, now: left.get(job.id, 30.0))
    a, b, c, named = (
        add(two_cards, name, device) for name, device in zip("abcd", ["cuda"] * 3 + ["cuda:1"], strict=True)
    )
    assert queued.waits_for(b, runs.line(two_cards, b)) == "begins next"
    for job, lane in ((a, "cuda:1"), (b, "cuda:0")):
        with jobs.records.changing(job.folder):
            states.begin_locked(job, os.getpid(), lane)
    said = queued.waits_for(c, runs.line(two_cards, c))
    assert (said.count("(running on card 0)"), said.count("(running on card 1)")) == (1, 1)
    assert said.endswith("about 1 min 0 s")
    assert [job for job, _ in runs.line(two_cards, named)] == [a, c, named]  # what runs on the other card is no matter
    assert queued.waits_for(named, runs.line(two_cards, named)).endswith("about 1 min 30 s")


def test_which_card_a_run_waits_for_is_no_part_of_what_it_is(two_cards, emoji):
    any_card, named = (plan(two_cards, emoji, ["fine-tune"], [0], device=device) for device in ("cuda", "cuda:1"))
    assert (named, named[0].device) == (any_card, "cuda")
    [job] = enqueue(two_cards, named, "cuda:1")
    assert (job.device, job.lane, job.spec["device"]) == ("cuda:1", "cuda:1", "cuda")
    made_runs.finish(two_cards, runs.start(two_cards, named))
    entry = runs.read_runs(two_cards, runs.start(two_cards, named)).entries[0]
    assert run_again(two_cards, entry).lane == "cuda:1"


def test_a_run_that_was_queued_for_the_first_card_by_its_lane_is_one_of_any_card(two_cards):
    job = add(two_cards, "before", lane="cuda:0")
    assert json.loads((job.folder / "job.json").read_text())["lane"] == "cuda:0"
    assert load(job.folder).lane == ANY_CARD


def test_work_that_somebody_waits_for_may_use_any_card_whichever_trains(two_cards, monkeypatch):
    asked = []
    monkeypatch.setattr(
        queue.jobs, "drain", lambda home, lane, command, **how: asked.append((lane, how["environment"]()))
    )
    queue.drain(two_cards, "cuda", stop=threading.Event())
    assert {lane: found.get("CUDA_VISIBLE_DEVICES") for lane, found in asked} == {
        INTERACTIVE: None,
        jobs.IMPORT: None,
        "cuda:0": A,
        "cuda:1": B,
    }


def test_the_environment_of_a_waiting_worker_is_the_same_whenever_it_is_asked_for(monkeypatch):
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    before = processes.worker_environment()
    assert (devices.environment_of("cpu"), devices.available()[-1]) == ({}, "cpu")
    assert processes.worker_environment() == before
