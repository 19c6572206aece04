"""A method that a test adds by its one file: it is compared, has its part of the form, and stands in every list."""

import json

import pytest

from app.components.methods import style_of, title
from engine import jobs
from engine.cli.program import main
from engine.errors import InvalidInputError
from engine.jobs import worker
from engine.methods import METHODS, get_method, register
from engine.results import read_result
from engine.review import open_task
from engine.runs import plan, start
from engine.runs.execution import execute
from engine.runs.spec import KIND, run_spec_from
from tests.app.pages import button, open_page, shown, text_of
from tests.engine.methods.toy.smoothing import METHOD

TINY = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 96, "evaluations": 1}


@pytest.fixture(autouse=True)
def registered():
    register(METHOD)
    yield
    del METHODS[METHOD.key]


def test_it_trains(home):
    task = open_task(home, "emoji-fluent")
    [spec] = plan(home, task, ["smoothed"], [0], labels_per_class=2, device="cpu", smoothing=0.2, **TINY)
    [run] = start(home, [spec]).runs
    folder = home.runs / run
    assert run_spec_from(jobs.load(folder).spec) == spec
    assert spec.settings.smoothing == 0.2
    assert worker.run(folder, {KIND: execute}) == 0, jobs.status(jobs.load(folder)).message
    assert read_result(folder).title == "Smoothed labels"


def test_it_has_its_variants_and_its_errors():
    assert get_method("smoothed(smoothing=0.3)").recipe().settings.smoothing == 0.3
    with pytest.raises(InvalidInputError, match="smoothing is 1: choose a number from 0 to below 1"):
        get_method("smoothed(smoothing=1)")
    with pytest.raises(ValueError, match="already"):
        register(METHOD)


def test_it_has_its_part_of_the_form(home):
    app = open_page("distill", task="emoji-fluent")
    assert "**Smoothed labels**" in text_of(app)
    field = app.number_input(key="distill-smoothing")
    assert (field.label, field.min, field.max, field.value) == ("Smoothing", 0.0, 0.9, 0.1)
    assert field.help == "Share of a label that goes to all classes. Default 0.1."
    app.checkbox(key="distill-method-smoothed").check()
    assert button(shown(app.run()), "Start").label == "Start 5 runs"


def test_it_stands_in_the_lists(capsys):
    assert main(["methods", "--json"]) == 0
    last = json.loads(capsys.readouterr().out)["methods"][-1]
    assert (last["method"], last["needs"], last["defaults"]) == ("smoothed", ["labels"], {"smoothing": 0.1})
    assert title("smoothed(smoothing=0.3)") == "Smoothed labels, smoothing 0.3"
    assert style_of("smoothed").color not in {style_of(key).color for key in METHODS if key != "smoothed"}
