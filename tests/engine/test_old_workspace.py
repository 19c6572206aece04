"""A workspace that version 0.1.0 made opens: its tasks, labels, teachers, features, runs and comparisons."""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from engine import jobs
from engine.errors import WorkbenchError
from engine.features import FeatureStore
from engine.review import checked, open_task
from engine.review.decisions import settled
from engine.runs import list_comparisons, rank, read_runs
from engine.runs.comparison import read_run
from engine.runs.removal import runs_that_name
from engine.tasks import Draw, given_labels, task_names
from engine.teachers import added_teachers, get_teacher
from engine.training import Checkpoint, TrainData
from engine.training.loop import _Run
from engine.workspace import Workspace

OLD = Path(__file__).parents[1] / "data" / "workspace-0.1.tar.xz"


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(OLD) as archive:
        archive.extractall(folder, filter="data")
    return folder / "workspace-0.1"


@pytest.fixture(autouse=True)
def opened(old, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(old))


@pytest.mark.parametrize(
    ("name", "classes", "train", "test", "revision"),
    [
        ("leaves", ("birch", "oak", "pine"), 33, 9, "7def31ce02d2"),
        ("birds", ("tit", "wren"), 12, 4, None),
        ("cells", ("dead", "live"), 16, 6, None),
        ("scans", ("clear", "opaque"), 12, 4, None),
    ],
)
def test_its_tasks_open_with_the_same_classes_split_and_revision(old, name, classes, train, test, revision):
    assert name in task_names(Workspace(old))
    task = open_task(Workspace(old), name)
    assert (task.classes, len(task.train_rows)) == (classes, train)
    assert int((task.splits == "test").sum()) == test
    assert revision in (None, task.revision)
    assert checked(task).review.split_rule
    assert settled(task).record == task.record  # nothing is decided anew


def test_its_images_are_read_but_for_those_that_lie_elsewhere(old):
    assert open_task(Workspace(old), "leaves").images.pixels([0, 1], 32, "squash").std() > 10
    assert open_task(Workspace(old), "scans").images.pixels([0], 32, "squash").std() > 10
    with pytest.raises(WorkbenchError, match="birds"):
        open_task(Workspace(old), "birds").images.pixels([0], 32, "squash")


def test_a_label_that_was_set_by_hand_is_kept(old):
    task = open_task(Workspace(old), "cells")
    unlabeled = [row for row, label in enumerate(given_labels(task)) if label is None]
    assert len(unlabeled) == 7  # 8 came without a label, and one was labeled by hand


def test_its_teachers_rank_by_their_cached_features(old):
    assert sorted(teacher.name for teacher in added_teachers(Workspace.from_environment())) == [
        "own",
        "table",
        "test-resnet-r160-in1k",
    ]
    task = open_task(Workspace(old), "leaves")
    for name in ("own", "test-resnet-r160-in1k", "table"):
        rows = task.labeled_rows(Draw(5, 0))
        assert np.isfinite(
            FeatureStore(Workspace(old), task, get_teacher(Workspace.from_environment(), name)).read_features(rows)
        ).all()
    ranking = rank(Workspace(old), task, metric="parc", draw=Draw(5, 0), teachers=["own", "table"], device="cpu")
    result = next(
        e.result
        for e in read_runs(Workspace(old), finished(old)).entries
        if e.spec.method.startswith("distill-weighted")
    )
    for ranked in ranking.ranked:
        assert ranked.similarity == pytest.approx(result.similarities[ranked.teacher.name], abs=1e-6)


def test_its_comparison_shows_the_same_accuracies(old):
    accuracies = {e.spec.method: e.result.accuracy for e in read_runs(Workspace(old), finished(old)).entries}
    assert [round(9 * a) for a in accuracies.values()] == [2, 3, 3]
    assert list(accuracies) == ["fine-tune", "distill-weighted", "distill-consensus"]
    assert runs_that_name(Workspace(old), "own")


def test_its_killed_run_can_be_resumed(old):
    run = next(job for job in jobs.list_jobs(Workspace(old).runs) if "-s1-" in job.id)
    assert (run.folder / "checkpoint.safetensors").exists()
    assert jobs.status(run).state in ("interrupted", "running")
    assert len(jobs.read_events(run).events) == 1


def test_the_checkpoint_of_its_killed_run_fits_the_student_of_its_spec(old):
    entry = next(read_run(Workspace(old), job.id) for job in jobs.list_jobs(Workspace(old).runs) if "-s1-" in job.id)
    task, recipe = open_task(Workspace(old), "leaves"), entry.spec.recipe
    blank = TrainData(torch.zeros(1, 3, 8, 8), torch.zeros(1), torch.zeros(1), len(task.classes), flip=False)
    run = _Run(recipe.train, recipe.settings.prepare(None), blank, entry.spec.seed, torch.device("cpu"))
    tensors = load_file(entry.job.folder / "checkpoint.safetensors")
    run.restore(Checkpoint(tensors, 1, 1.0))
    assert all(torch.equal(run.checkpoint().tensors[name], value) for name, value in tensors.items())


def finished(old):
    return next(c for c in list_comparisons(Workspace(old), "leaves") if len(c.runs) == 3)
