from dataclasses import replace

import numpy as np
import pytest

from engine import jobs
from engine.errors import DamagedFileError, InvalidInputError
from engine.features import FeatureStore
from engine.files import canonical_hash, write_json
from engine.handlers import HANDLERS
from engine.jobs import worker
from engine.records import as_value, read_record, write_record
from engine.review import open_task
from engine.runs import RecordedPanel, rank, recorded_panel
from engine.runs import panel as panels
from engine.runs.panel import TeacherPanel, known_panel, request_panel, teacher_panel
from engine.runs.recorded_ranking import record_panel
from engine.similarity import METRICS
from engine.tasks import Draw, Task

TEACHERS = ["cifar10", "mnist", "openclipart"]


@pytest.fixture(scope="module")
def found(shared_home, emoji):
    return teacher_panel(shared_home, emoji, draw=Draw(4), teachers=TEACHERS, resamples=6)


def test_every_metric_ranks_as_it_does_alone(shared_home, emoji, found):
    for key in ("parc", "leep", "knn"):
        alone = rank(shared_home, emoji, metric=key, draw=Draw(4), teachers=TEACHERS)
        assert {r.teacher.name: r.similarity for r in alone.ranked} == pytest.approx(
            {place.teacher: place.score for place in found.under(key).places}
        )
        assert [place.rank for place in found.under(key).places] == sorted(p.rank for p in found.under(key).places)


def test_a_panel_survives_its_file(found, tmp_path):
    write_record(tmp_path / "panel.json", found)
    assert read_record(tmp_path / "panel.json", TeacherPanel, "a ranking", "remove it") == found


def test_all_metrics_take_part_and_the_baselines_have_no_interval(found):
    assert [m.metric for m in found.metrics] == list(METRICS)
    assert {m.metric for m in found.metrics if m.problem is None and m.places[0].interval is None} == {
        "probe",  # needs five labels of a class for intervals
        "static",
        "random",
    }
    assert found.under("static").places[0].teacher == "cifar10"  # 50,000 images, the largest network of the three
    assert set(found.mean_rank.metrics) < set(METRICS)


def test_test_images_take_no_part(shared_home, emoji, monkeypatch):
    read = []
    original = FeatureStore.read
    monkeypatch.setattr(FeatureStore, "read", lambda self, rows, view=0: (read.extend(rows), original(self, rows))[1])
    teacher_panel(shared_home, emoji, metrics=["parc"], teachers=TEACHERS, draw=Draw(4), resamples=3)
    assert set(read) == set(emoji.labeled_rows(Draw(4, 0)))
    assert not set(read) & set(emoji.test_rows)


def test_intervals_are_over_the_groups_of_a_task_and_a_panel_of_before_is_not_taken_for_one(
    shared_home, emoji, monkeypatch
):
    before = panels.panel_spec(shared_home, emoji, Draw(4))
    assert "groups" not in before  # so that rankings that came with the program stay what they are
    rows = emoji.labeled_rows(Draw(4, 0))
    groups = np.full(len(emoji.images), -1)
    groups[rows[:3]] = 0
    monkeypatch.setattr(panels, "read_groups", lambda folder: groups)
    assert panels.panel_spec(shared_home, emoji, Draw(4)) == {**before, "groups": canonical_hash(groups.tolist(), 12)}
    panel = teacher_panel(shared_home, emoji, metrics=["parc"], teachers=TEACHERS, draw=Draw(4), resamples=3)
    assert "3 draws of half the groups" in panel.under("parc").places[0].interval.method

    def damaged(folder):
        raise DamagedFileError("facts.parquet is damaged")

    monkeypatch.setattr(panels, "read_groups", damaged)
    assert panels.panel_spec(shared_home, emoji, Draw(4)) == {**before, "groups": "unknown"}


def test_the_job_leaves_the_panel_in_the_workspace(shared_home, monkeypatch):
    monkeypatch.setattr(panels, "RESAMPLES", 3)
    task, choice = open_task(shared_home, "emoji-fluent"), {"draw": Draw(4, 0)}
    assert known_panel(shared_home, task, **choice) is None
    job = request_panel(shared_home, task, device="cpu", **choice)
    assert request_panel(shared_home, task, device="cpu", **choice) == job
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    found = known_panel(shared_home, task, **choice)
    assert found.resamples == 3
    assert len(found.teachers) > len(TEACHERS)
    assert jobs.status(job).unit == "scorings"
    assert known_panel(shared_home, task, Draw(4, 1)) is None


def test_a_ranking_of_version_0_1_is_read(shared_home, found):
    task, choice = open_task(shared_home, "emoji-fluent"), {"draw": Draw(4, 7)}
    path = panels._path(shared_home, panels.panel_spec(shared_home, task, **choice))
    value = as_value(found)
    value["consensus"] = value.pop("mean_rank")
    write_json(path, value)
    assert known_panel(shared_home, task, **choice) == found


def test_a_recorded_panel_ranks_as_the_features_do(shared_home, emoji, found, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.runs.recorded_ranking.ASSETS", tmp_path)
    spec = panels.panel_spec(shared_home, emoji, Draw(4))
    whole = RecordedPanel(spec, "2026-11-27T00:00:00+00:00", {"torch": "2.15"}, found, {})
    record_panel(tmp_path, whole)
    came = recorded_panel(shared_home, emoji, Draw(4))
    assert came.panel == found
    ranking, computed = (
        came.ranking(shared_home, emoji, "parc"),
        rank(shared_home, emoji, draw=Draw(4), teachers=TEACHERS),
    )
    assert [(r.teacher.name, r.rank, r.relation) for r in ranking.ranked] == [
        (r.teacher.name, r.rank, r.relation) for r in computed.ranked
    ]
    assert ranking.alpha(12) == pytest.approx(computed.alpha(12))
    assert recorded_panel(shared_home, emoji, Draw(4, 1)) is None
    relabeled = Task(shared_home, replace(emoji.record, labels="0" * 12))
    assert recorded_panel(shared_home, relabeled, Draw(4)) is None
    record_panel(tmp_path, replace(whole, spec=spec | {"teachers": {}}))
    assert recorded_panel(shared_home, emoji, Draw(4)) is None


def test_a_damaged_file_is_as_none(shared_home, monkeypatch):
    monkeypatch.setattr(panels, "read_value", lambda *rest: (_ for _ in ()).throw(DamagedFileError("torn")))
    task = open_task(shared_home, "emoji-fluent")
    assert known_panel(shared_home, task, Draw(4, 0)) is None


def test_what_cannot_be_ranked_is_a_sentence(shared_home, emoji):
    with pytest.raises(InvalidInputError, match="1 resamples give no interval"):
        teacher_panel(shared_home, emoji, resamples=1)
    with pytest.raises(InvalidInputError, match="has seen its images"):
        teacher_panel(shared_home, open_task(shared_home, "openclipart"), teachers=["openclipart"])
    one = teacher_panel(shared_home, emoji, metrics=["parc"], teachers=TEACHERS, draw=Draw(1), resamples=3)
    assert "label" in one.under("parc").problem
    assert one.mean_rank is None
