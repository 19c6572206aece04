"""Added teachers beside the bundled ones: ranked, weighed, distilled from, and kept while a run needs them."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import jobs
from engine.errors import InvalidInputError, UnknownNameError
from engine.features import add_outputs
from engine.handlers import HANDLERS
from engine.jobs import worker
from engine.results import read_result
from engine.review import open_task
from engine.runs import candidates, plan, rank, start
from engine.runs.panel import as_document, teacher_panel
from engine.runs.removal import remove_teacher, runs_that_name
from engine.similarity import METRICS
from engine.tasks import Draw
from engine.teachers import TeacherDescription, added_teachers, get_teacher


@pytest.fixture
def task(home):
    return open_task(home, "emoji-fluent")


def told(home, task, tmp_path, title, *, features=None, pseudo_labels=None, collection="clinic"):
    """A teacher that says `features` and `pseudo_labels` of every image."""
    columns = {"image_id": task.images.image_ids}
    if features is not None:
        columns["features"] = list(features.astype(np.float32))
    if pseudo_labels is not None:
        columns["pseudo_labels"] = list(pseudo_labels.astype(np.float32))
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return add_outputs(home, task, path, path.name, TeacherDescription(title=title, collection=collection))


def knowing(task):
    """Features and pseudo-labels of a network that knows the task's classes: one number for each."""
    classes = len(task.classes)
    sure = np.full((len(task.images), classes), 0.1 / (classes - 1))
    sure[np.arange(len(task.images)), np.maximum(task.labels, 0)] = 0.9
    return sure + np.random.default_rng(0).normal(0, 0.01, sure.shape), sure


def test_one_that_knows_the_task_is_ranked_first_and_gets_the_weight(home, task, tmp_path):
    features, pseudo_labels = knowing(task)
    told(home, task, tmp_path, "Knows all", features=features, pseudo_labels=pseudo_labels)
    ranking = rank(home, task, teachers=["mnist", "knows-all"])
    assert [(r.teacher.name, r.rank) for r in ranking.ranked] == [("knows-all", 1), ("mnist", 2)]
    assert ranking.alpha(12.0)["knows-all"] > 0.99


def test_one_without_pseudo_labels_is_ranked_but_not_weighed_nor_planned(home, task, tmp_path):
    features, _ = knowing(task)
    told(home, task, tmp_path, "Silent", features=features)
    ranking = rank(home, task, teachers=["mnist", "silent"])
    assert ranking.ranked[0].teacher.name == "silent"
    assert ranking.alpha(12.0) == {"mnist": 1.0}
    alone = rank(home, task, teachers=["silent"])
    assert alone.alpha(12.0, features_suffice=True) == {"silent": 1.0}
    with pytest.raises(InvalidInputError, match="No teacher that was ranked has pseudo-labels"):
        alone.alpha(12.0)
    [spec] = plan(home, task, ["distill-weighted"], [0], teachers=["mnist", "silent"])
    assert set(spec.teachers) == {"mnist"}
    with pytest.raises(InvalidInputError, match="No teacher may teach"):
        plan(home, task, ["distill-weighted"], [0], teachers=["silent"])
    by_classes = rank(home, task, metric="nce", teachers=["mnist", "silent"])
    assert [r.teacher.name for r in by_classes.ranked] == ["mnist"]
    [left] = by_classes.unranked
    assert (left.teacher.name, left.reason) == ("silent", "NCE needs pseudo-labels, and Silent has none.")


def test_one_without_pseudo_labels_is_heard_where_features_suffice(home, task, tmp_path):
    features, _ = knowing(task)
    told(home, task, tmp_path, "Silent", features=features)
    assert rank(home, task, teachers=["mnist", "silent"]).alpha(6.0, features_suffice=True)["silent"] > 0.9
    [spec] = plan(home, task, ["distill-consensus"], [0], teachers=["mnist", "silent"])
    assert set(spec.teachers) == {"mnist", "silent"}
    [joined] = plan(home, task, ["distill-consensus(teachers_share=0.3)"], [0], teachers=["mnist", "silent"])
    assert set(joined.teachers) == {"mnist"}


def test_one_that_cannot_be_judged_hides_no_other(home, task, tmp_path):
    odd = np.zeros((len(task.images), 3))
    odd[task.train_rows[-1]] = 1  # tells one image from all others, and the labeled ones not at all
    told(home, task, tmp_path, "Odd", features=odd)
    ranking = rank(home, task, draw=Draw(2), teachers=["mnist", "odd"], metric="gbc")
    assert "mnist" in [r.teacher.name for r in ranking.ranked]
    assert {r.teacher.name for r in ranking.ranked} | {u.teacher.name for u in ranking.unranked} == {"mnist", "odd"}


def test_it_belongs_to_its_task_and_to_no_collection_of_the_task(home, task, tmp_path):
    features, pseudo_labels = knowing(task)
    told(home, task, tmp_path, "Saw emoji", features=features, pseudo_labels=pseudo_labels, collection="emoji")
    [seen] = candidates(home, task, ["saw-emoji"])
    assert (seen.relation, seen.allowed) == ("same", False)
    other = open_task(home, "openclipart")
    assert "saw-emoji" not in [c.teacher.name for c in candidates(home, other)]
    with pytest.raises(InvalidInputError, match="only what it says of the images of task 'emoji-fluent'"):
        candidates(home, other, ["saw-emoji"])


def test_one_whose_outputs_are_damaged_is_left_out_with_the_reason(home, task, tmp_path):
    features, _ = knowing(task)
    record = told(home, task, tmp_path, "Torn", features=features)
    for shard in (home.teachers / record.name / "outputs" / "view-0").iterdir():
        shard.write_bytes(b"torn")
    [torn] = candidates(home, task, ["torn"])
    assert not torn.allowed
    assert ".safetensors is damaged" in torn.reason


def test_a_student_learns_from_it_and_the_run_keeps_it(home, task, tmp_path):
    features, pseudo_labels = knowing(task)
    told(home, task, tmp_path, "Knows all", features=features, pseudo_labels=pseudo_labels)
    changes = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 160, "views": 2}
    specs = plan(
        home,
        task,
        ["distill-nearest"],
        [0],
        teachers=["knows-all"],
        device="cpu",
        evaluations=1,
        **changes,
    )
    comparison = start(home, specs)
    folder = home.runs / comparison.runs[0]
    assert worker.run(folder, HANDLERS) == worker.DONE, jobs.status(jobs.load(folder)).message
    assert read_result(folder).active_alpha == {"knows-all": 1.0}
    assert runs_that_name(home, "knows-all") == [comparison.runs[0]]
    with pytest.raises(InvalidInputError, match=f"takes part in 1 run, such as {comparison.runs[0]}, and stays"):
        remove_teacher(home, "knows-all")
    assert get_teacher(home, "knows-all") in added_teachers(home)
    jobs.remove(jobs.load(folder))
    remove_teacher(home, "knows-all")
    with pytest.raises(UnknownNameError):
        get_teacher(home, "knows-all")


def test_the_panel_ranks_each_under_the_metrics_that_can_judge_it(home, task, tmp_path):
    features, _ = knowing(task)
    told(home, task, tmp_path, "Silent", features=features)
    teachers = ["mnist", "cifar10", "silent"]
    found = teacher_panel(home, task, metrics=["parc", "nce", "static"], teachers=teachers)
    assert {place.teacher for place in found.under("parc").places} == set(teachers)
    assert {place.teacher for place in found.under("nce").places} == {"mnist", "cifar10"}
    assert found.under("static").problem == METRICS["static"].unknown
    assert found.under("parc").places[0].teacher == "silent"
    document = as_document(home, teacher_panel(home, task, metrics=["nce"], teachers=teachers), task, teachers)
    assert [left["teacher"] for left in document["unranked"]] == ["silent"]
