import json
from dataclasses import replace

import numpy as np
import pytest

import engine
from engine import jobs
from engine.delivery import export_student
from engine.errors import InvalidInputError, UnknownNameError
from engine.handlers import HANDLERS
from engine.jobs import worker
from engine.results import accuracy_sentence, read_result
from engine.review import open_task
from engine.runs import (
    RECORDED,
    finishing_spec,
    plan,
    read_runs,
    request_finished,
    request_predictions,
    single_teacher_runs,
    trained_on_all,
    what_to_finish,
)
from engine.runs.execution import execute
from engine.runs.spec import KIND, as_json, run_spec_from, spec_of
from engine.tasks import ALL
from engine.wording import percent
from tests.app import made_runs

TINY = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 128}


@pytest.fixture
def compared(home):
    """A comparison of two methods with made-up results, and its task."""
    task, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [3, 4], labels_per_class=2, **TINY)
    made_runs.finish(home, comparison)
    return task, comparison


def test_a_finished_student_learns_from_all_images_and_quotes_its_comparison(home, compared, tmp_path):
    task, comparison = compared
    spec = finishing_spec(home, task, "fine-tune", comparison=comparison.id, device="cpu")
    like = read_runs(home, comparison).entries[0].spec
    assert (spec.train, spec.settings, spec.seed) == (like.train, like.settings, 3)
    job = request_finished(home, spec)
    assert request_finished(home, spec).id == job.id == spec.run_id
    assert spec_of(job) == run_spec_from(json.loads(json.dumps(as_json(spec)))) == spec
    assert worker.run(job.folder, {KIND: execute}) == worker.DONE, jobs.status(job).message
    result = read_result(job.folder)
    assert (result.accuracy, result.interval, result.test_images, result.curve) == (None, None, 0, [])
    assert result.train_images == len(task.train_rows) + len(task.test_rows)
    assert result.labeled_images == (task.labels >= 0).sum()
    tested = [entry.result for entry in read_runs(home, comparison).entries if entry.spec.method == "fine-tune"]
    assert result.quoted.accuracy == pytest.approx(np.mean([each.accuracy for each in tested]))
    assert (result.quoted.seeds, result.quoted.test_images) == (2, made_runs.TEST_IMAGES)
    assert result.quoted.same_task
    [found] = trained_on_all(home, task.name, comparison.id)
    assert found.result.quoted == result.quoted
    assert not trained_on_all(home, task.name)
    asked = request_predictions(home, job.id, "test", "cpu")
    assert worker.run(asked.folder, HANDLERS) == worker.FAILED
    assert "no held-out image with a label" in jobs.status(asked).message  # it learned from all of them
    files = export_student(job.folder, tmp_path / "out").files
    readme = next(path for path in files if path.name == "README.md").read_text()
    assert "has no held-out accuracy of its own" in readme
    assert f"The same method without them, with 45 labels, was right on {percent(result.quoted.accuracy)}" in readme
    other = finishing_spec(home, task, "fine-tune", comparison=comparison.id, device="cpu", images=256)
    assert (other.train.images, other.quotes) == (256, "")  # another student than was compared
    with pytest.raises(InvalidInputError, match="was not tested"):
        _ = result.held_out_accuracy


def test_a_task_without_held_out_images_gets_a_student_that_says_what_is_not_known(home, emoji):
    untested = replace(emoji)
    untested.__dict__["splits"] = np.full(len(emoji.images), "train")
    with pytest.raises(InvalidInputError, match="no student of it can be tested"):
        plan(home, untested, ["fine-tune"], [0], device="cpu")
    spec = finishing_spec(home, untested, "fine-tune", device="cpu", **TINY)
    assert (spec.held_out, spec.quotes, spec.train.images) == (False, "", 128)
    made = made_runs.result(spec, 0.5, 20, [])
    result = replace(made_runs.as_result(made), accuracy=None, interval=None, test_images=0)
    assert accuracy_sentence(result).endswith("How often it is right is not known.")


def test_the_names_of_runs_that_are_tested_stay_as_they_were(emoji):
    [spec] = plan(emoji.workspace, emoji, ["fine-tune"], [0], labels_per_class=2, device="cpu", **TINY)
    assert not {"held_out", "quotes"} & set(as_json(spec))
    assert finishing_spec(emoji.workspace, emoji, "fine-tune", device="cpu", **TINY).run_id != spec.run_id


def test_a_recorded_comparison_is_quoted_with_its_settings(emoji):
    spec = finishing_spec(emoji.workspace, emoji, "fixmatch", comparison=RECORDED, device="cpu")
    assert (spec.quotes, spec.train.size, spec.train.images) == (RECORDED, 64, 16_000)
    assert spec.labels_per_class == plan_of_all(emoji).labels_per_class
    with pytest.raises(UnknownNameError, match="no finished method of this comparison named 'linear-probe'"):
        finishing_spec(emoji.workspace, emoji, "linear-probe", comparison=RECORDED, device="cpu")


def plan_of_all(task):
    [spec] = plan(task.workspace, replace(task, held_out=False), ["fine-tune"], [0], labels_per_class=ALL, device="cpu")
    return spec


def test_what_is_meant_is_a_run_a_comparison_or_a_task(home, compared):
    task, comparison = compared
    assert what_to_finish(home, comparison.runs[0], None) == (task.name, "fine-tune", comparison.id)
    assert what_to_finish(home, comparison.id, "fixmatch") == (task.name, "fixmatch", comparison.id)
    assert what_to_finish(home, task.name, "fixmatch") == (task.name, "fixmatch", comparison.id)
    assert what_to_finish(home, task.name, "distill-consensus") == (task.name, "distill-consensus", "")
    for named, method, error, sentence in (
        ("nothing", None, UnknownNameError, "no task, comparison or run named 'nothing'"),
        (task.name, None, InvalidInputError, "Which method"),
        (comparison.runs[0], "fixmatch", InvalidInputError, "is one of fine-tune"),
        (task.name, "tune", UnknownNameError, "method"),
    ):
        with pytest.raises(error, match=sentence):
            engine.finish(home, named, method, progress=False)


def test_a_finished_student_is_nothing_that_others_are_held_against(home, emoji):
    task = open_task(home, "emoji-fluent")
    spec = finishing_spec(home, task, "fine-tune", device="cpu", **TINY)
    request_finished(home, spec)
    assert single_teacher_runs(home, task, spec.labels_per_class) == []
