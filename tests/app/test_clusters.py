"""Distill where settings.json names a cluster: the choice, what waits there, and where a run is."""

from types import SimpleNamespace

import pytest

from app import queues
from engine import jobs
from engine.files import write_json
from engine.jobs import states
from engine.runs import list_comparisons
from engine.runs.engines import Ticket, keep_ticket
from tests.app.pages import button, open_page, shown, text_of


@pytest.fixture(autouse=True)
def threads(monkeypatch):
    """No thread works; which engines would have one, and on which device."""
    asked = []

    def thread_of(workspace, engine, device, **how):
        asked.append(engine)
        return SimpleNamespace(start=lambda: None, is_alive=lambda: True, error=None)

    monkeypatch.setattr(queues, "thread_of", thread_of)
    return asked


def settings(home, **engines):
    home.path.mkdir(exist_ok=True)
    write_json(home.settings, {"engines": engines})


def where(app):
    return [box for box in app.selectbox if box.key == "distill-engine"]


def test_without_a_cluster_there_is_no_choice(home, threads):
    assert where(open_page("distill", task="emoji-fluent")) == []
    assert threads == ["local"]


def test_runs_are_started_on_a_cluster_and_shown_where_they_are(home, threads):
    settings(home, slurm={"device": "cuda"})
    app = open_page("distill", task="emoji-fluent")
    [box] = where(app)
    assert (box.options, box.value) == (["This machine", "SLURM"], "local")
    app = shown(box.set_value("slurm").run())
    assert "Each run gets a GPU of SLURM." in text_of(app)
    assert "SLURM decides how many run at a time." in text_of(app)
    app = shown(button(app, "Start").click().run())
    [comparison] = list_comparisons(home)
    found = [jobs.load(home.runs / run) for run in comparison.runs]
    assert {(job.lane, job.device, job.spec["device"]) for job in found} == {("slurm", "cuda", "cuda")}
    assert sorted(set(threads)) == ["local", "slurm"]
    assert "waits for a node · SLURM" in text_of(app)

    waiting = jobs.status(found[0])
    keep_ticket(found[0], Ticket("slurm", "41_3", waiting.queued, 0.0))
    states.begin(found[0], 1)
    path = found[0].folder / "status.json"
    text = path.read_text()
    path.write_text(text.replace(f'"{jobs.status(found[0]).host}"', '"node7"'))
    app = shown(app.run())
    assert r"SLURM job 41\_3 on node7" in text_of(app)


def test_a_wrong_setting_is_said_where_one_chooses_and_nowhere_else(home):
    settings(home, slurm={"minutes": -1})
    app = open_page("distill", task="emoji-fluent")
    app = shown(where(app)[0].set_value("slurm").run())
    said = "the setting engines.slurm.minutes is -1: expected a whole number of at least 1."
    assert app.error[0].value.replace("\\", "").endswith(said)
    settings(home, sge={})
    assert "There is no engine named 'sge'" in text_of(open_page("distill", task="emoji-fluent"))
    assert open_page("start").error == []
