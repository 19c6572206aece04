"""Results, Trust: what it says of a student that is too sure, and of held-out images from which little can be said."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from app import queues
from app.views.results.trust import prediction_sets, two_classes
from engine.delivery import calibration_of, cheapest_threshold
from engine.evaluation import fit_cost_threshold
from engine.predictions import PREDICTIONS, predictions_from, write_predictions
from engine.workspace import Workspace
from tests.app import made_runs
from tests.app.pages import button, open_page, shown, text_of

GRADES, PAIR = ("none", "mild", "severe"), ("healthy", "<b>ill</b>")


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A workspace with one finished run, whose predictions each test writes anew."""
    home = Workspace(tmp_path_factory.mktemp("trust"))
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, comparison)
    return home, comparison.runs[0]


def said(classes=GRADES, images=400, seed=0, sharper=2.5):
    """Predictions of a student that is `sharper` times too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (images, len(classes)))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    scores = np.exp(sharper * logits)
    scores = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    return predictions_from([f"{i}.png" for i in range(images)], classes, labels, scores)


@pytest.fixture
def section(finished, monkeypatch):
    """Opens the section for a student that said this."""
    home, run = finished
    monkeypatch.setenv("WORKBENCH_HOME", str(home.path))

    def opened(predictions):
        write_predictions(home.runs / run / PREDICTIONS, predictions)
        return open_page("results", task="emoji-fluent", section="trust")

    return opened


def widget(app, kind, label):
    return next(found for found in app.get(kind) if found.label == label)


def metrics(app):
    return {found.label: found.value.replace("\u00a0", " ") for found in app.metric}


def test_a_student_that_is_too_sure_is_told_and_mended(section):
    predictions = said()
    app, found = section(predictions), calibration_of(predictions)
    text = text_of(app)
    assert "it is **too sure of itself**" in text
    assert f"At a temperature of {found.temperature:.2f}" in text
    assert f"calibration error **{100 * found.after.error.value:.1f} %**" in text
    assert "From 400 held-out images" in text


def test_unsure_below_says_how_many_are_decided_and_how_many_left(section):
    predictions = said()
    app, found = section(predictions), calibration_of(predictions)
    for percent in (60, 85):
        if percent != 60:
            shown(widget(app, "slider", "Unsure below").set_value(percent).run())
        point = found.curve.at(percent / 100)
        assert metrics(app)["Decided"] == f"{100 * point.coverage:.1f} %"
        assert metrics(app)["Right of these"] == f"{100 * point.accuracy:.1f} %"
        assert metrics(app)["Left to a person"] == f"{point.left} of 400"
    shown(widget(app, "slider", "Unsure below").set_value(100).run())
    assert "all 400 images are left to a person" in text_of(app)


def test_sets_of_a_chosen_coverage(section):
    predictions = said()
    app, found = section(predictions), calibration_of(predictions)
    for coverage in (0.9, 0.95):
        shown(widget(app, "button_group", "The right class is to be in the set of").set_value(coverage).run())
        rule = found.rule(coverage)
        assert metrics(app)["Classes in a set"] == f"{rule.mean_size:.2f}"
        assert metrics(app)["Held the right one"] == f"{100 * rule.realized:.1f} %"


def test_grades_are_judged_by_steps(section):
    app = section(said())
    assert not app.dataframe
    shown(widget(app, "toggle", "These classes are grades or stages").set_value(True).run())
    [table] = [found.value for found in app.dataframe]
    likeliest, middle = table["Steps off, mean"]
    assert middle <= likeliest
    assert "none, mild, severe" in text_of(app)


def test_two_classes_have_a_threshold_with_its_rates_and_a_cheapest_one(section):
    predictions = said(PAIR)
    app, found = section(predictions), calibration_of(predictions)
    text = text_of(app)
    assert "AUROC 0." in text
    assert "Of 100 images of \\<b\\>ill\\</b\\> it finds" in text
    before = metrics(app)["Sensitivity"]
    shown(button(app, "Use the cheapest threshold").click().run())
    rule = cheapest_threshold(found, 1, miss=10, false_alarm=1)
    assert widget(app, "slider", "Found from a probability of").value == round(100 * rule.threshold) < 30
    assert metrics(app)["Sensitivity"] > before
    assert f"then cost {100 * rule.result.cost(10, 1):.4g}" in text_of(app)
    shown(widget(app, "button_group", "The class that is looked for (the positive one)").set_value("healthy").run())
    assert "Of 100 images of healthy it finds" in text_of(app)


def test_one_of_a_thing_is_said_as_one():
    at = SimpleNamespace(sensitivity=0.5, specificity=0.99)
    assert two_classes.sentence(at, "owl").endswith("it leaves 99 alone and gives 1 false alarm.")
    rule = SimpleNamespace(sizes=(0, 1, 1200))
    assert prediction_sets._words(prediction_sets.size_table(rule)) == ["1 class: 1 image", "2 classes: 1,200 images"]


def test_the_cost_of_the_cheapest_threshold_is_that_of_the_other_half():
    found = calibration_of(said(PAIR))
    rule, held = cheapest_threshold(found, 1, 10, 1), found.held_out
    scores, truth, spent = held.probabilities[:, 1], held.labels == 1, 0.0
    for side in (0, 1):
        fitted, judged = held.half != side, held.half == side
        threshold = fit_cost_threshold(scores[fitted], truth[fitted], 10, 1)
        called = scores[judged] >= threshold
        spent += 10 * (truth[judged] & ~called).sum() + (~truth[judged] & called).sum()
    assert rule.result.cost(10, 1) == pytest.approx(spent / 400)
    everything = found.calibrated(held.probabilities)[:, 1]
    assert rule.threshold == fit_cost_threshold(everything, truth, 10, 1)


@pytest.mark.parametrize(
    ("predictions", "sentence", "absent"),
    [
        (said(PAIR, 2), "2 held-out images, and fewer than 100 are too few", "More than one answer"),
        (said(GRADES, 99), "99 held-out images, and fewer than 100 are too few", "temperature of"),
        (replace(said(PAIR), labels=np.zeros(400, int)), "All held-out images are of the class healthy", "AUROC"),
        (replace(said(), labels=np.full(400, -1)), "no held-out image whose class is known", "Unsure"),
    ],
)
def test_where_little_can_be_said_a_sentence_says_so(section, predictions, sentence, absent):
    text = text_of(section(predictions))
    assert sentence in text
    assert absent not in text
