"""A new metric is one file and one line: the file is toy_metric.py, the line is the one that names it here."""

import pytest
from streamlit.testing.v1 import AppTest

from engine.errors import InvalidInputError
from engine.runs import rank
from engine.runs.panel import teacher_panel
from engine.similarity import METRICS, registry, score
from engine.tasks import Draw

TEACHERS = ["cifar10", "mnist", "openclipart"]


@pytest.fixture
def toy():
    before = dict(METRICS)
    registry.register("tests.engine.similarity.toy_metric")
    yield METRICS["spacing"]
    METRICS.clear()
    METRICS.update(before)


def test_it_ranks_teachers_alone_and_beside_the_others(toy, shared_home, emoji):
    ranking = rank(shared_home, emoji, metric="spacing", draw=Draw(4), teachers=TEACHERS)
    values = [one.similarity for one in ranking.ranked]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) == 3
    assert sum(ranking.alpha(2.0).values()) == pytest.approx(1)
    panel = teacher_panel(shared_home, emoji, metrics=["parc", "spacing"], draw=Draw(4), teachers=TEACHERS, resamples=4)
    assert [place.score for place in panel.under("spacing").places] == values
    assert all(place.score in place.interval for place in panel.under("spacing").places)
    assert panel.mean_rank.metrics == ("parc", "spacing")


def test_the_page_shows_its_card(toy):
    app = AppTest.from_string("from app.views.teachers import card\ncard.draw('spacing')").run(timeout=60)
    assert app.latex[0].value.strip("$\n ") == toy.card.formula
    assert "With odd shapes." in app.markdown[-1].value


def test_it_needs_what_its_record_says(toy):
    with pytest.raises(InvalidInputError, match="Spacing needs 2 labeled images"):
        score("spacing", features=[[0.0], [1.0]], labels=[0, 1])


def test_two_metrics_of_one_key_are_refused(toy):
    with pytest.raises(InvalidInputError, match="two metrics 'spacing'"):
        registry.register("tests.engine.similarity.toy_metric")


def test_the_list_is_the_order_of_the_tables():
    keys = [one.key for family in registry.FAMILIES for one in registry.import_module(family).METRICS]
    assert keys == list(METRICS)
