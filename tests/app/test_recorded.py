"""The first minute: the ranking and the maps that came with the program are there at once, marked, and replaced by what
is computed here.
"""

import dataclasses

import numpy as np
import pytest

from app import queues
from engine import maps
from engine.jobs import list_jobs
from engine.maps import Map
from engine.records import write_record
from engine.review import open_task
from engine.runs import panel as panels
from engine.runs import recorded_panel
from engine.tasks import Draw
from engine.teachers import get_teacher
from tests.app.pages import button, open_page, shown, text_of

TASK = "emoji-fluent"


@pytest.fixture(autouse=True)
def as_installed(recorded_assets, monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def badges(app):
    return [found.value for found in app.markdown if "-badge[" in found.value]


def test_the_ranking_is_there_at_once_and_can_be_computed_here(home):
    app = open_page("teachers", task=TASK)
    assert not list_jobs(home.jobs)
    assert "Recorded" in "".join(badges(app))
    assert "of the resamples" in text_of(app)
    came = recorded_panel(home, open_task(home, TASK), Draw(5, 0)).panel
    table = app.dataframe[0].value
    assert list(table["PARC"]) == [place.score for place in came.under("parc").places]
    assert list(table["Low"]) == [place.interval.low for place in came.under("parc").places]
    shown(button(app, "Compute it here").click().run())
    [job] = list_jobs(home.jobs)
    assert (job.kind, job.spec["labels_per_class"], job.spec["seed"]) == ("panel", 5, 0)


def test_what_was_computed_here_takes_its_place(home):
    task = open_task(home, TASK)
    spec, came = panels.panel_spec(home, task, Draw()), recorded_panel(home, task, Draw(5, 0)).panel
    write_record(panels._path(home, spec), dataclasses.replace(came, resamples=3))
    app = open_page("teachers", task=TASK)
    assert "Recorded" not in "".join(badges(app))
    assert "Rank the teachers" in [found.label for found in app.button]  # whose outputs are not here


def test_other_labels_are_not_what_was_recorded(home):
    app = open_page("teachers", session={"labels_per_class": 10}, task=TASK)
    assert "Recorded" not in "".join(badges(app))
    assert "Rank the teachers" in [found.label for found in app.button]


def test_a_map_is_there_at_once_and_one_drawn_here_takes_its_place(home, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "maps")
    task, teacher = open_task(home, TASK), get_teacher(home, "emoji-google")
    rows = maps.map_rows(task)
    drawn = Map("umap", rows, np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32))
    maps.record_map(tmp_path / "maps", task, teacher, drawn)
    app = open_page("features", task=TASK, teacher=teacher.name)
    assert not list_jobs(home.jobs)
    assert "Recorded" in "".join(badges(app))
    maps.write_map(home.maps, task, teacher, drawn)
    assert "Recorded" not in "".join(badges(shown(app.run())))
