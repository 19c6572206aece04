"""The queue as a user sees and changes it: what waits for what, what goes next, the pause, and how long all takes."""

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from engine import jobs, runs
from engine.cli import main
from engine.errors import InvalidInputError
from engine.jobs import IMPORT, INTERACTIVE, load, put_first, status
from engine.jobs.reporter import TimeLeft
from engine.runs.speed import Speed
from tests.app import made_runs
from tests.engine.jobs.jobs_workspace import Workspace, until

RESULTS = Path(__file__).parents[3] / "assets" / "results"
STAGE = ("Training the student", "images")


def test_what_shall_be_next_goes_before_what_waits_longer(home) -> None:
    _, comparison = made_runs.planned(home, ["fine-tune"], [0, 1, 2])
    first, second, third = (load(home.runs / run) for run in comparison.runs)
    put_first(second)
    put_first(third)
    assert [job.id for job in runs.waiting(home, "cpu")] == [third.id, second.id, first.id]  # the last wish first
    assert [job.id for job, _ in runs.line(home, first)] == [third.id, second.id, first.id]
    jobs.request_cancel(third)
    jobs.resume(third)
    assert [job.id for job in runs.waiting(home, "cpu")] == [second.id, first.id, third.id]
    jobs.request_cancel(first)
    with pytest.raises(InvalidInputError, match="only what waits can be the next one"):
        put_first(first)


def test_a_paused_queue_begins_nothing_and_ends_what_runs(workspace: Workspace) -> None:
    running, waiting, stop = workspace.add(steps=60, delay=0.02), workspace.add(), threading.Event()
    draining = workspace.drain_in_thread(stop=stop, until_empty=False)
    until(lambda: status(running).state == "running")
    runs.pause(workspace.place)
    other = workspace.drain_in_thread(stop=stop, until_empty=False)  # a second one, as after a restart
    until(lambda: status(running).state == "done")
    stop.wait(0.2)
    assert status(waiting).state == "queued"
    runs.go_on(workspace.place)
    runs.go_on(workspace.place)  # twice is once
    until(lambda: status(waiting).state == "done")
    stop.set()
    draining.join()
    other.join()
    assert status(waiting).attempts == 1


def test_what_somebody_waits_for_is_not_paused(home) -> None:
    home.path.mkdir(exist_ok=True)
    runs.pause(home)
    held = {lane: jobs.is_held(home, lane) for lane in (INTERACTIVE, IMPORT, "cpu", "cuda:1", "slurm")}
    assert held == {INTERACTIVE: False, IMPORT: False, "cpu": True, "cuda:1": True, "slurm": True}


def test_the_commands(home, capsys, monkeypatch) -> None:
    _, comparison = made_runs.planned(home, ["fine-tune"], [0, 1])
    first, second = comparison.runs
    monkeypatch.setattr(runs.estimates.speed, "known_speed", lambda *_: Speed(100.0, "", ""))

    def said(*arguments):
        assert main([*arguments]) == 0
        return capsys.readouterr().out

    def listed():
        document = json.loads(said("queue", "--json"))
        return document["paused"], {row["job"]: row for row in document["jobs"]}

    paused, rows = listed()
    assert not paused
    assert (rows[first]["waits_for"], rows[first]["begins_in"]) == ([], 0.0)
    assert rows[second]["waits_for"] == [first]
    assert rows[second]["begins_in"] == rows[first]["takes"] == pytest.approx(194, abs=1)  # 10 s and 16,000 images
    assert f"{second} is the next one of cpu" in said("queue", "next", second)
    assert listed()[1][first]["waits_for"] == [second]
    assert "The queue is paused" in said("queue", "pause")
    assert listed()[1][first]["begins_in"] is None
    assert "The queue is paused" in said("queue")
    assert "goes on" in said("queue", "go-on")
    assert "paused" not in said("queue")


def recorded():
    """Progress as it was recorded of the runs of the paper's tasks: seconds of training and of testing."""
    for path in sorted(RESULTS.glob("*.json"))[:6]:
        document = json.loads(path.read_text())
        for result in document.get("results", [])[:20:4]:
            if result.get("evaluate_seconds") and len(result.get("curve", ())) > 4:
                yield result


def steps_of(result):
    """(moment, images): steady between two points of the curve, then a pause in which the student is tested."""
    points, pause = result["curve"], result["evaluate_seconds"] / len(result["curve"])
    moment, images, seconds = 0.0, 0, 0.0
    yield moment, images
    for point in points:
        for part in range(1, 21):
            share = part / 20
            yield (
                moment + share * (point["seconds"] - seconds),
                round(images + share * (point["images"] - images)),
            )
        moment += point["seconds"] - seconds + pause
        images, seconds = point["images"], point["seconds"]
    yield moment, images  # tested for the last time


def slow_start():
    """30 s for the first twentieth, as where caches are cold, then 1 s a hundredth."""
    yield from ((6.0 * step, step) for step in range(6))
    yield from ((30.0 + step - 5, step) for step in range(6, 101))


def errors(course):
    """Of each moment from a fifth on: how far the time left is off, as a share of what was left, and of the whole. The
    last twentieth is left out: there it is a matter of seconds.
    """
    course, left = list(course), TimeLeft()
    end, total = course[-1]
    for moment, done in course:
        guess = left.update(moment, done, total, STAGE)
        if 0.2 * total <= done <= 0.95 * total:
            off = abs(guess - (end - moment))
            yield off / (end - moment), off / end


def test_the_time_left_of_recorded_runs() -> None:
    """Within 30 % of what is left at 19 moments of 20, and within 20 % of the whole at 99 of 100: nobody knows that
    other programs will take the processor in a while, as they did in one of them.
    """
    courses = [list(errors(steps_of(result))) for result in recorded()]
    every = [pair for course in courses for pair in course]
    assert len(courses) >= 12
    assert sum(of_left <= 0.3 for of_left, _ in every) >= 0.95 * len(every)
    assert sum(of_whole <= 0.2 for _, of_whole in every) >= 0.99 * len(every)


def test_the_time_left_after_a_slow_beginning() -> None:
    assert max(of_left for of_left, _ in errors(slow_start())) <= 0.3


def test_the_time_left_of_a_resumed_stage_counts_from_there() -> None:
    left = TimeLeft()
    for second in range(11):
        guess = left.update(float(second), 5_000 + 10 * second, 6_000, STAGE)
    assert guess == pytest.approx(90.0)


def test_samples_stay_few_and_a_new_stage_begins_anew() -> None:
    left = TimeLeft()
    for second in range(5_000):
        guess = left.update(float(second), second, 10_000, STAGE)
    assert guess == pytest.approx(5_001, rel=0.01)
    assert len(left._samples) <= 1024
    assert left.update(5_001.0, 0, 10, ("Writing", "files")) is None


def test_a_run_has_an_estimate_from_the_first_second_and_its_slow_first_stage_counts(home, monkeypatch) -> None:
    """240 s of teachers' features, then 16,000 images at 100 a second, as an earlier run here trained."""
    _, comparison = made_runs.planned(home, ["distill-weighted"], [0])
    job = load(home.runs / comparison.runs[0])
    assert runs.seconds_left(home, job, status(job)) > 0  # nothing was measured here: as its student's cost is
    monkeypatch.setattr(runs.estimates.speed, "known_speed", lambda *_: Speed(100.0, "", ""))
    training, whole = 10 + 1.15 * 160, 240 + 10 + 1.15 * 160
    assert runs.seconds_left(home, job, status(job)) == pytest.approx(training, rel=0.01)
    for share in (0.2, 0.3, 0.5):
        passed = share * whole
        now = replace(status(job), state="running", stage="Extracting features", seconds_left=240 - passed)
        assert runs.seconds_left(home, job, now) == pytest.approx(whole - passed, rel=0.3)
    now = replace(status(job), state="running", stage="Training the student", seconds_left=100.0)
    assert runs.seconds_left(home, job, now) == 100.0
    assert runs.seconds_left(home, job, replace(now, stuck=True)) is None
