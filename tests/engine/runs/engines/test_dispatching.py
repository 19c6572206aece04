"""A cluster's line, on a toy cluster: each job comes to its end, whatever becomes of nodes, tickets and dispatchers."""

import json
import os
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from engine import files, jobs
from engine.jobs import states
from engine.runs import dispatching
from engine.runs.dispatching import dispatch, hand_over
from engine.runs.engines import keep_ticket, ticket_of, where
from tests.engine.jobs.jobs_workspace import until
from tests.engine.runs.engines.conftest import begun


@pytest.fixture
def dispatcher(home):
    """Dispatch in a thread, which ends with the test."""
    stop, threads = threading.Event(), []

    def call(**options):
        threads.append(threading.Thread(target=dispatch, args=[home, "toy"], kwargs={"stop": stop, **options}))
        threads[-1].start()
        return threads[-1]

    yield call
    stop.set()
    for thread in threads:
        thread.join(10)


def test_jobs_are_handed_over_done_and_cleared_away(home, cluster, add):
    seen = []
    for name in ("one", "two", "three"):
        add("toy", name)
    add("cpu", "of-this-machine")
    dispatch(home, "toy", until_empty=True, on_change=lambda job, now: seen.append((job.id, now.state)))
    assert sorted(begun(home)) == ["one", "three", "two"]
    assert {job.id: jobs.status(job).state for job in jobs.list_jobs(home.jobs)} == {
        "one": "done",
        "two": "done",
        "three": "done",
        "of-this-machine": "queued",
    }
    assert sorted(line for line in cluster.log if line.startswith("collect")) == ["collect 0", "collect 1", "collect 2"]
    assert cluster.log[-1] == "close"
    assert ("one", "done") in seen


def test_what_ran_on_a_node_that_died_goes_on_from_its_checkpoint(home, cluster, add, dispatcher):
    job = add("toy", steps=40, delay=0.02)
    thread = dispatcher(until_empty=True)
    until(lambda: (job.folder / "checkpoint.json").exists())
    cluster.lose_node()
    thread.join(30)
    status = jobs.status(job)
    assert (status.state, status.attempts, begun(home)) == ("done", 2, ["one", "one"])
    assert [event["step"] for event in jobs.read_events(job).events] == list(range(40))
    assert [line for line in cluster.log if line.startswith("submit")] == ["submit one"] * 2


def test_a_ticket_that_vanishes_before_its_job_began_costs_nothing(home, cluster, add):
    cluster.swallows = 2
    job = add("toy")
    dispatch(home, "toy", until_empty=True)
    assert (jobs.status(job).state, begun(home), ticket_of(job).times) == ("done", ["one"], 3)


def test_a_cluster_that_never_begins_a_job_is_not_asked_forever(home, cluster, add):
    cluster.swallows = 4
    job = add("toy")
    dispatch(home, "toy", until_empty=True)
    status = jobs.status(job)
    assert status.state == "failed"
    assert status.message.startswith("Toy took it 3 times and ended it before it began: look into ")
    cluster.swallows = 0
    jobs.resume(job)
    dispatch(home, "toy", until_empty=True)
    assert jobs.status(job).state == "done"


def beat(job, wrong):
    """Let a running job's heart beat on another machine, whose clock is `wrong` s fast."""
    path = job.folder / "status.json"
    moment = (datetime.now(UTC) + timedelta(seconds=wrong)).isoformat()
    files.write_json(path, json.loads(path.read_text()) | {"host": "node7", "heartbeat": moment})


@pytest.mark.parametrize("wrong", [0, -7200], ids=["right clock", "clock two hours slow"])
def test_a_heart_that_beats_elsewhere_is_left_alone_and_one_that_stopped_is_not(
    home, cluster, add, dispatcher, monkeypatch, wrong
):
    monkeypatch.setattr(states, "STALE_AFTER", 0.3)
    monkeypatch.setattr(dispatching, "STALE_AFTER", 0.3)
    job = add("toy")
    states.begin(job, os.getpid())
    beat(job, wrong)
    thread = dispatcher(until_empty=True)
    for _ in range(20):
        time.sleep(0.03)
        beat(job, wrong)
    assert cluster.log == [], "its heart beat all the time"
    thread.join(20)
    assert (jobs.status(job).state, begun(home)) == ("done", ["one"])


def test_a_job_that_is_cancelled_while_it_waits_is_taken_from_the_cluster(home, cluster, add, dispatcher):
    cluster.holds = True
    job = add("toy")
    thread = dispatcher(until_empty=True)
    until(lambda: ticket_of(job))
    jobs.request_cancel(job)
    thread.join(10)
    assert cluster.log == ["submit one", "cancel 0", "collect 0", "close"]
    assert begun(home) == []


def test_a_worker_that_does_not_notice_that_it_is_cancelled_is_ended(home, cluster, dispatcher, monkeypatch):
    monkeypatch.setattr(dispatching, "GRACE", 0.1)
    job = jobs.create(home.jobs, "busy", kind="busy", spec={}, device="cpu", lane="toy")
    thread = dispatcher(until_empty=True)
    until((job.folder / "ready").exists)
    jobs.request_cancel(job)
    thread.join(20)
    assert jobs.status(job).state == "cancelled"
    assert (job.folder / "unwound").exists()


def test_another_dispatcher_takes_it_from_there(home, cluster, add):
    job, stop = add("toy", steps=20, delay=0.02), threading.Event()
    first = threading.Thread(target=dispatch, args=[home, "toy"], kwargs={"stop": stop})
    first.start()
    until(lambda: jobs.status(job).state == "running")
    stop.set()
    first.join(10)
    dispatch(home, "toy", until_empty=True)
    assert (jobs.status(job).state, begun(home)) == ("done", ["one"])
    assert [line for line in cluster.log if line.startswith("submit")] == ["submit one"]


def test_a_damaged_ticket_costs_a_second_submission_at_most(home, cluster, add):
    job = add("toy")
    (job.folder / "engine.json").write_text("{")
    dispatch(home, "toy", until_empty=True)
    assert (jobs.status(job).state, ticket_of(job).engine, where(job)) == ("done", "toy", "Toy job 0")


def test_a_ticket_of_another_engine_says_nothing_here(home, cluster, add):
    job = add("toy")
    dispatch(home, "toy", until_empty=True)
    moved = jobs.create(home.jobs, "two", kind="count", spec={"steps": 1}, device="cpu", lane="slurm")
    keep_ticket(moved, ticket_of(job))
    assert where(moved) == "SLURM"


def test_what_waits_for_this_machine_can_be_handed_over(home, cluster, add):
    for name in ("one", "two"):
        add("cpu", name)
    short = jobs.create(home.jobs, "short", kind="count", spec={"steps": 1}, device="cpu", lane=jobs.INTERACTIVE)
    assert hand_over(home, "toy", "cpu") == 2
    dispatch(home, "toy", until_empty=True)
    assert sorted(begun(home)) == ["one", "two"]
    assert jobs.status(short).state == "queued", "short work stays where somebody waits for it"


def test_workers_divide_what_they_need_in_common(home, cluster, add):
    cluster.holds = True
    for name in ("one", "two", "three"):
        add("toy", name)
    stop = threading.Event()
    thread = threading.Thread(target=dispatch, args=[home, "toy"], kwargs={"stop": stop})
    thread.start()
    until(lambda: len(cluster.assignments) == 3)
    stop.set()
    thread.join(10)
    found = [
        (one.environment["WORKBENCH_NODE"], one.environment["WORKBENCH_NODES"]) for one in cluster.assignments.values()
    ]
    assert found == [("0", "2"), ("1", "2"), ("0", "2")]
    assert {(one.cpus, one.on_a_card) for one in cluster.assignments.values()} == {(1, False)}
