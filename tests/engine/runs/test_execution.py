"""Whole runs, in real worker processes where it matters."""

import json
import os
import shutil
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from engine import jobs
from engine.delivery import export_student
from engine.errors import DamagedFileError, InvalidInputError
from engine.features import extract
from engine.jobs import states, worker
from engine.methods import distill_consensus
from engine.results import read_result
from engine.review import open_task
from engine.runs import (
    QueueThread,
    as_document,
    execution,
    list_comparisons,
    plan,
    predictions_of,
    queue,
    read_runs,
    request_predictions,
    start,
)
from engine.runs.execution import CHECKPOINT, execute
from engine.runs.predictions_job import execute_predictions
from engine.runs.spec import KIND
from engine.runs.starting import first_weights
from engine.tasks import NO_LABEL, Draw, Task
from engine.tasks.task import write_revision, write_task
from engine.teachers import create, get_teacher
from engine.teachers.weights import teacher_state
from engine.training import Checkpoint
from engine.workspace import Workspace
from tests.engine.runs.conftest import SMALL, TEACHERS

DYING = Path(__file__).parent / "dying_worker.py"


@pytest.fixture(scope="module")
def extracted(tmp_path_factory):
    """A workspace in which the teachers have been run over all training images."""
    workspace = Workspace(tmp_path_factory.mktemp("extracted"))
    task = open_task(workspace, "emoji-fluent")
    teachers = [get_teacher(workspace, name) for name in TEACHERS]
    extract(workspace, task, teachers, task.train_rows, views=[0], device="cpu")
    return workspace


@pytest.fixture
def home(home, extracted):
    """A workspace with those features."""
    shutil.copytree(extracted.path, home.path)
    return home


def run_here(home, spec):
    """Do one run in this process and return its folder."""
    comparison = start(home, [spec])
    folder = home.runs / comparison.runs[0]
    assert worker.run(folder, {KIND: execute}) == 0, jobs.status(jobs.load(folder)).message
    return folder


@pytest.fixture(scope="module")
def undisturbed(extracted, tmp_path_factory):
    """The weights of a student of the task as it is, by its method, trained once for each that asks."""

    def trained(method):
        home = Workspace(tmp_path_factory.mktemp("undisturbed") / "home")
        shutil.copytree(extracted.path, home.path)
        [spec] = plan(home, open_task(home, "emoji-fluent"), [method], [0], **SMALL)
        return load_file(run_here(home, spec) / "student.safetensors")

    return cache(trained)


def asked(home, run, which):
    """Do the job that asks a finished run's student about images."""
    job = request_predictions(home, run, which, "cpu")
    assert worker.run(job.folder, {job.kind: execute_predictions}) == 0, jobs.status(job).message


def test_a_run_leaves_a_result_and_a_student_that_timm_loads(home, small, tmp_path):
    task = open_task(home, "emoji-fluent")
    [spec] = plan(home, task, ["distill-weighted"], [0], **small)
    folder = run_here(home, spec)
    result = read_result(folder)
    assert 0 <= result.accuracy <= 1
    assert result.interval.low <= result.accuracy <= result.interval.high
    assert result.images == 640
    assert result.steps == 8
    assert result.test_images == len(task.test_rows)
    assert sum(result.active_alpha.values()) == pytest.approx(1)
    assert len(result.curve) == 4
    assert result.curve[-1]["accuracy"] == result.accuracy
    assert not (folder / CHECKPOINT).exists()

    kept = predictions_of(home, folder.name)
    assert list(kept.image_ids) == [task.images.image_ids[row] for row in task.test_rows]
    assert (kept.predicted == kept.labels).mean() == result.accuracy
    (folder / "predictions.parquet").unlink()  # as in a workspace of an earlier version
    assert predictions_of(home, folder.name) is None
    asked(home, folder.name, "test")
    again = predictions_of(home, folder.name)
    np.testing.assert_allclose(again.probabilities, kept.probabilities, atol=2e-3)
    asked(home, folder.name, "unlabeled")
    unlabeled = predictions_of(home, folder.name, "unlabeled")
    assert len(unlabeled) == len(task.train_rows) - result.labeled_images

    out = tmp_path / "student"
    export_student(folder, out)
    model = create("mobilenetv3_small_050", len(task.classes))
    model.load_state_dict(load_file(out / "student.safetensors"))
    pixels = torch.from_numpy(task.images.pixels(task.test_rows.tolist(), 32, "squash")).permute(0, 3, 1, 2)
    record = json.loads((out / "student.json").read_text())
    mean, std = (torch.tensor(record[k]).view(1, 3, 1, 1) for k in ("mean", "std"))
    with torch.inference_mode():
        predicted = model.eval()((pixels / 255 - mean) / std).argmax(1).numpy()
    assert (predicted == task.labels[task.test_rows]).mean() == pytest.approx(result.accuracy, abs=0.01)
    with pytest.raises(InvalidInputError, match="exists already"):
        export_student(folder, out)


def relabeled(home, rows):
    """The task with the labels of `rows` all wrong."""
    task = open_task(home, "emoji-fluent")
    labels = task.labels.copy()
    labels[rows] = (labels[rows] + 1) % len(task.classes)
    revision = write_revision(task.folder / "labels", "label", task.images.image_ids, pa.array(labels, pa.int32()))
    write_task(task.folder, replace(task.record, labels=revision))
    return open_task(home, "emoji-fluent")


def test_a_student_was_told_the_labels_that_there_were_when_it_learned(home, small):
    task = open_task(home, "emoji-fluent")
    [spec] = plan(home, task, ["fine-tune"], [0], **small)
    folder = run_here(home, spec)
    told = task.labeled_rows(spec.draw)
    labels = task.labels.copy()
    labels[told[::2]] = NO_LABEL  # which makes other images those that the same draw would give
    revision = write_revision(task.folder / "labels", "label", task.images.image_ids, pa.array(labels, pa.int32()))
    write_task(task.folder, replace(task.record, labels=revision))
    asked(home, folder.name, "unlabeled")
    kept = set(predictions_of(home, folder.name, "unlabeled").image_ids)
    assert kept == {task.images.image_ids[row] for row in set(task.train_rows) - set(told)}


LEARN_FROM_TEACHERS = pytest.mark.parametrize("method", ["distill-weighted", "distill-consensus"])


@LEARN_FROM_TEACHERS
def test_test_labels_never_reach_the_student(home, undisturbed, small, method):
    """The same task with every test label changed trains the same student, bit for bit."""
    task = relabeled(home, open_task(home, "emoji-fluent").test_rows)
    [spec] = plan(home, task, [method], [0], **small)
    student, expected = load_file(run_here(home, spec) / "student.safetensors"), undisturbed(method)
    assert all(torch.equal(student[name], expected[name]) for name in expected)


def test_test_images_never_reach_training(home, small, monkeypatch):
    """What training is given are the images of the training split, and nothing else."""
    task = open_task(home, "emoji-fluent")
    given = []
    original = execution.train

    def remember(spec, objective, data, *rest, **options):
        given.append((objective, data))
        return original(spec, objective, data, *rest, **options)

    monkeypatch.setattr(execution, "train", remember)
    [spec] = plan(home, task, ["distill-nearest"], [0], **{**small, "images": 80})
    run_here(home, spec)
    expected = task.images.pixels(task.train_rows.tolist(), 32, "squash")
    [(objective, data)] = given
    assert np.array_equal(data.images[:].permute(0, 2, 3, 1).numpy(), expected)
    assert data.labels.tolist() == task.labels[task.labeled_rows(Draw(2, 0))].tolist()
    assert {s.pseudo_labels.shape[1] for s in objective.signals.values()} == {len(task.train_rows)}


@LEARN_FROM_TEACHERS
def test_unlabeled_images_keep_their_labels_to_themselves(home, undisturbed, small, monkeypatch, method):
    """The same task with every label outside the labeled subset changed trains the same student, bit for bit."""
    task, expected = open_task(home, "emoji-fluent"), undisturbed(method)
    drawn = task.labeled_rows(Draw(2, 0))
    other = relabeled(home, np.setdiff1d(task.train_rows, drawn))
    monkeypatch.setattr(Task, "labeled_rows", lambda self, draw: drawn)  # the draw itself looks at labels
    [spec] = plan(home, other, [method], [0], **small)
    student = load_file(run_here(home, spec) / "student.safetensors")
    assert all(torch.equal(student[name], expected[name]) for name in expected)


def test_a_consensus_that_saw_a_test_image_would_be_noticed(home, small, monkeypatch):
    """The teachers' consensus is made from the training split's features and the labeled subset's labels alone."""
    task = open_task(home, "emoji-fluent")
    given = []
    original = distill_consensus.consensus

    def remember(features, alpha, labeled, labels, *rest, **options):
        given.append((features, labeled, labels))
        return original(features, alpha, labeled, labels, *rest, **options)

    monkeypatch.setattr(distill_consensus, "consensus", remember)
    [spec] = plan(home, task, ["distill-consensus"], [0], **{**small, "images": 80})
    result = read_result(run_here(home, spec))
    (features, labeled, labels), *judging = given
    assert {len(f) for f in features.values()} == {len(task.train_rows)}
    assert task.train_rows[labeled].tolist() == task.labeled_rows(Draw(2, 0)).tolist()
    assert len(judging) == result.consensus.folds
    assert all(set(known) < set(labeled) for _, known, _ in judging)
    assert result.consensus.unlabeled_images == len(task.train_rows) - len(labeled)
    assert labels.tolist() == task.labels[task.labeled_rows(Draw(2, 0))].tolist()


@pytest.mark.parametrize(
    ("method", "start", "shares"),
    [
        ("distill-consensus", "imagenet", {"cifar10": 1.0}),  # the other teacher has another architecture
        ("distill-consensus", "random", {}),
        ("distill-consensus(from_teachers=false)", "imagenet", {}),
        ("distill-weighted", "imagenet", {}),
        ("fine-tune", "imagenet", {}),
    ],
)
def test_a_student_of_ours_begins_as_its_teachers(home, small, monkeypatch, method, start, shares):
    task, given = open_task(home, "emoji-fluent"), []

    def remember(spec, objective, data, *rest, **options):
        given.append(data.start(spec.architecture))
        raise InvalidInputError("enough")

    monkeypatch.setattr(execution, "train", remember)
    changes = {**small, "images": 80, "architecture": "tf_efficientnet_lite0", "start": start}
    [spec] = plan(home, task, [method], [0], **changes)
    folder = home.runs / execution_of(home, spec)
    kept = first_weights(home, spec, {"cifar10": 0.5, "mnist": 0.5})
    assert kept[1] == shares
    expected = "cifar10" if shares else "imagenet-lite0"
    teacher = teacher_state(home, get_teacher(home, expected))
    assert torch.equal(given[0]["conv_stem.weight"], teacher["conv_stem.weight"])
    assert not (folder / "student.safetensors").exists()


def execution_of(home, spec):
    """Begin a run that stops at its training; its name."""
    comparison = start(home, [spec])
    assert worker.run(home.runs / comparison.runs[0], {KIND: execute}) == worker.FAILED
    return comparison.runs[0]


def test_first_weights_of_teachers_that_changed_are_refused(home, small):
    [spec] = plan(home, open_task(home, "emoji-fluent"), ["distill-consensus"], [0], **{**small, "start": "imagenet"})
    other = replace(spec, teachers={**spec.teachers, "mnist": "0" * 10})
    with pytest.raises(DamagedFileError, match="Teacher 'mnist' has changed"):
        first_weights(home, other, {"cifar10": 1.0})


def test_a_result_says_whose_average_its_student_began_as(home, small):
    task = open_task(home, "emoji-fluent")
    changes = {**small, "images": 80, "architecture": "tf_efficientnet_lite0", "start": "imagenet"}
    [spec] = plan(home, task, ["distill-consensus"], [0], **changes)
    result = read_result(run_here(home, spec))
    assert result.first_weights == {"cifar10": 1.0}
    assert set(result.active_alpha) == {"cifar10", "mnist"}


def test_equal_and_nearest_are_weighted_at_its_ends(home, small):
    task = open_task(home, "emoji-fluent")
    ends = {}
    for method in ("distill-equal", "distill-weighted(0)", "distill-nearest", "distill-weighted(inf)"):
        [spec] = plan(home, task, [method], [0], **{**small, "images": 160})
        ends[method] = load_file(run_here(home, spec) / "student.safetensors")
    for first, second in (("distill-equal", "distill-weighted(0)"), ("distill-nearest", "distill-weighted(inf)")):
        assert all(torch.equal(ends[first][n], ends[second][n]) for n in ends[first])
    assert any(not torch.equal(ends["distill-equal"][n], ends["distill-nearest"][n]) for n in ends["distill-equal"])


def test_a_run_killed_outright_resumes_to_the_same_weights(home, undisturbed, small, monkeypatch):
    task, expected = open_task(home, "emoji-fluent"), undisturbed("distill-weighted")
    [spec] = plan(home, task, ["distill-weighted"], [0], **small)
    monkeypatch.setenv("WORKBENCH_CHECKPOINT_SECONDS", "0")
    monkeypatch.setattr(queue, "worker_command", lambda job: [sys.executable, str(DYING), str(job.folder)])
    comparison = start(home, [spec])
    folder = home.runs / comparison.runs[0]
    draining = QueueThread(home, "cpu", until_empty=True)
    draining.run()
    assert draining.error is None
    now = jobs.status(jobs.load(folder))
    assert (now.state, now.attempts) == ("done", 2)
    resumed = load_file(folder / "student.safetensors")
    assert all(torch.equal(expected[name], resumed[name]) for name in expected)
    events = jobs.read_events(jobs.load(folder)).events
    images = [event["images"] for event in events]
    assert images == sorted(set(images)) == [point["images"] for point in read_result(folder).curve]


def test_a_checkpoint_keeps_what_an_attempt_took_and_said(home, small):
    task = open_task(home, "emoji-fluent")
    [spec] = plan(home, task, ["fine-tune"], [0], **small)
    job = jobs.load(home.runs / start(home, [spec]).runs[0])
    with jobs.Reporter(job, states.begin(job, os.getpid())) as report:
        first = execution._Watched(job, report, spec, None)
        first.evaluating, first.preparing = 3.0, 5.0
        first.on_note("It learned in parts.")
        first.on_checkpoint(Checkpoint({"weight": torch.zeros(1)}, 4, 7.0))
        second = execution._Watched(job, report, spec, None)
        second.preparing = 1.0
        assert second.last_checkpoint().seconds == 7.0
        second.on_note("It learned in parts.")
        assert (second.evaluating, second.preparing, second.notes) == (3.0, 6.0, ["It learned in parts."])
        second.begin_anew("damaged")
        assert (second.evaluating, second.preparing, second.notes) == (0.0, 6.0, [])


def test_a_comparison_is_written_down_and_reuses_what_is_done(home, small):
    task = open_task(home, "emoji-fluent")
    specs = plan(home, task, ["fine-tune", "distill-nearest"], [0], **{**small, "images": 160})
    comparison = start(home, specs)
    for run in comparison.runs:
        assert worker.run(home.runs / run, {KIND: execute}) == 0
    finished = [e.result.finished for e in read_runs(home, comparison).entries]
    again = start(home, specs)
    assert again == comparison
    assert [e.status.state for e in read_runs(home, again).entries] == ["done", "done"]
    assert [e.result.finished for e in read_runs(home, again).entries] == finished
    assert list_comparisons(home, "emoji-fluent") == [comparison]
    document = as_document(comparison, read_runs(home, comparison).results)
    nearest = document["means"][1]
    difference = document["results"][1]["accuracy"] - document["results"][0]["accuracy"]
    assert nearest["difference"]["mean"] == pytest.approx(difference)
    assert nearest["interval"]["method"].startswith("Wilson")


def test_a_run_of_a_task_that_has_changed_says_so(home, small):
    task = open_task(home, "emoji-fluent")
    [spec] = plan(home, task, ["fine-tune"], [0], **small)
    comparison = start(home, [spec])
    write_task(task.folder, replace(task.record, flip=True))
    folder = home.runs / comparison.runs[0]
    assert worker.run(folder, {KIND: execute}) != 0
    assert "has changed since this run was made" in jobs.status(jobs.load(folder)).message
