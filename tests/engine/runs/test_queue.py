"""Which job of a device starts first, and what a waiting one waits for."""

import json
import os
import sys

import pytest

from engine import runs
from engine.errors import StorageError
from engine.installation import FOLDER
from engine.jobs import IMPORT, INTERACTIVE, create, load, processes, states, status
from engine.methods import get_method
from engine.runs import queue
from engine.runs.comparison import enqueue
from engine.runs.extraction_job import START_SECONDS, estimate_extraction, keep_pace
from engine.runs.spec import plan
from engine.runs.speed import Speed, estimate_seconds, keep_speed, known_speed, request_speed
from engine.tasks import Draw
from tests.app import made_runs


def add(home, kind, root="jobs", device="cpu", lane=None):
    name = f"{kind}-{len(list(home.path.glob('*/*')))}"
    return create(home.path / root, name, kind=kind, spec={}, device=device, lane=lane)


def test_a_job_waits_for_what_is_before_it_in_its_lane_alone(home):
    training, run, look = add(home, "run", "runs"), add(home, "run", "runs"), add(home, "look", lane=INTERACTIVE)
    brought = add(home, "import", lane=IMPORT)
    states.begin(training, os.getpid())
    assert [(job.id, now.state) for job, now in runs.line(home, run)] == [
        (training.id, "running"),
        (run.id, "queued"),
    ]
    assert [job.id for job, _ in runs.line(home, look)] == [look.id]
    assert [job.id for job, _ in runs.line(home, brought)] == [brought.id]
    assert [job.id for job in runs.waiting(home, "cpu")] == [look.id, brought.id, run.id]


def test_a_measurement_waits_for_no_training_and_holds_none_up(home):
    run, measuring = add(home, "run", "runs"), request_speed(home, [get_method("distill-weighted").recipe()], "cpu")
    assert (run.lane, measuring.lane, measuring.device) == ("cpu", INTERACTIVE, "cpu")


@pytest.mark.parametrize(
    ("kind", "device", "lane"),
    [
        ("run", "cpu", "cpu"),
        ("run", "cuda", "cuda"),
        ("speed", "cuda", INTERACTIVE),
        ("look", "cpu", INTERACTIVE),
        ("panel", "cpu", INTERACTIVE),
        ("map", "cuda", INTERACTIVE),
        ("import", "import", IMPORT),
        ("add-hub", "intake", IMPORT),
    ],
)
def test_a_job_of_version_0_1_has_a_lane(home, kind, device, lane):
    job = add(home, kind, device=device)
    path = job.folder / "job.json"
    record = json.loads(path.read_text())
    del record["lane"], record["seal"]
    path.write_text(json.dumps(record))
    assert load(job.folder).lane == lane


WORKER = """
import sys, time
from pathlib import Path
from engine.jobs import worker
def train(workspace, job, reporter):
    while not Path({looked!r}).exists():
        time.sleep(0.01)
def look(workspace, job, reporter):
    Path({looked!r}).touch()
sys.exit(worker.run(Path(sys.argv[1]), {{"run": train, "look": look}}))
"""


def test_short_work_that_comes_while_a_student_trains_is_done_beside_it(home, monkeypatch):
    script = WORKER.format(looked=str(home.path / "looked"))
    monkeypatch.setattr(queue, "worker_command", lambda job: [sys.executable, "-c", script, str(job.folder)])
    monkeypatch.setattr(queue, "LOOK_AGAIN", 0.01)
    run, seen = add(home, "run", "runs"), []

    def watch(job, now):
        seen.append((job.kind, now.state))
        if (job.kind, now.state) == ("run", "running"):
            add(home, "look", lane=INTERACTIVE)  # without which the run would never end

    queue.drain(home, "cpu", until_empty=True, on_change=watch)
    assert seen[0] == ("run", "running")
    assert sorted(seen[1:]) == [("look", "done"), ("look", "running"), ("run", "done")]
    assert status(run).state == "done"


def test_a_workspace_that_refuses_ends_all_lanes(home):
    home.path.mkdir(exist_ok=True)
    (home.locks).write_text("a file where the folder of locks should be")
    with pytest.raises(StorageError):
        queue.drain(home, "cpu")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_lane_goes_on_when_another_has_died_of_an_error_in_the_program(home, monkeypatch):
    real = queue.jobs.drain

    def one_dies(roots, lane, command, **options):
        if lane == INTERACTIVE:
            raise ZeroDivisionError
        real(roots, lane, command, **options)

    monkeypatch.setattr(queue.jobs, "drain", one_dies)
    queue.drain(home, "cpu")  # would never return: nobody stops it


def test_a_started_run_ends_measurements(home, emoji):
    waits = request_speed(home, [get_method("distill-weighted").recipe()], "cpu")
    runs_ = [job for job in enqueue(home, plan(home, emoji, ["fine-tune"], [0], device="cpu"))]
    assert status(waits).state == "cancelled"
    assert [status(job).state for job in runs_] == ["queued"]
    assert [job.id for job in runs.waiting(home, "cpu")] == [job.id for job in runs_]


def test_runs_that_are_done_already_end_no_measurement(home):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, comparison)
    waits = request_speed(home, [get_method("distill-weighted").recipe()], "cpu")
    enqueue(home, [entry.spec for entry in runs.read_runs(home, comparison).entries])
    assert status(waits).state == "queued"


def test_a_damaged_comparison_is_written_anew_when_it_is_started_again(home):
    _, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0])
    specs = [entry.spec for entry in runs.read_runs(home, comparison).entries]
    (home.comparisons / f"{comparison.id}.json").write_text("{")
    assert runs.damaged_comparisons(home)
    assert runs.start(home, specs).runs == comparison.runs
    assert not runs.damaged_comparisons(home)


def test_an_estimate_follows_the_last_run(home):
    recipe = get_method("distill-weighted").recipe({"images": 8_000})
    assert known_speed(home, recipe, "cpu") is None
    keep_speed(home, recipe, "cpu", images=80, seconds=0.5)  # too short to say anything
    assert known_speed(home, recipe, "cpu") is None
    keep_speed(home, recipe, "cpu", images=800, seconds=8.0)
    found = known_speed(home, get_method("distill-nearest").recipe({"images": 16_000}), "cpu")
    assert isinstance(found, Speed)
    assert (found.images_per_second, found.in_a_run) == (100.0, True)
    keep_speed(home, recipe, "cpu", images=8_000, seconds=1600.0)  # in a busy hour
    assert estimate_seconds(known_speed(home, recipe, "cpu"), recipe.train) == pytest.approx(10 + 1.15 * 8_000 / 5)
    keep_speed(home, recipe, "cpu", images=8_000, seconds=40.0)  # and after it
    assert estimate_seconds(known_speed(home, recipe, "cpu"), recipe.train) == pytest.approx(10 + 1.15 * 40)


def test_an_estimate_of_a_look_follows_the_last_one_that_was_long_enough_to_say_something(home, emoji):
    def estimate():
        return estimate_extraction(home, emoji, Draw(5, 0), device="cpu")

    guess = estimate()
    keep_pace(home, "cpu", work=0.5, seconds=5.0)  # a new label or two
    assert estimate() == guess
    keep_pace(home, "cpu", work=100.0, seconds=20.0)  # half of what is guessed
    found = estimate()
    assert found.seconds - START_SECONDS == pytest.approx(2 * (guess.seconds - START_SECONDS))
    assert (guess.measured_at, found.measured_at is None) == (None, False)
    measured = next((home.speeds).glob("extraction-*"))
    measured.rename(measured.with_name(measured.name.replace("extraction", "look")))  # as version 0.1 called it
    assert estimate() == found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"A": "1"}, {"A": "1", "OMP_WAIT_POLICY": "PASSIVE"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "1000"}, {"GOMP_SPINCOUNT": "1000"}),
        ({"KMP_BLOCKTIME": "200"}, {"KMP_BLOCKTIME": "200"}),
    ],
)
def test_threads_of_a_worker_sleep_while_they_wait_unless_its_user_says_otherwise(before, after):
    assert processes.worker_environment(before) == {**after, "PYTHONPATH": str(FOLDER)}
