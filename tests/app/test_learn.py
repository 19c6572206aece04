"""The page Learn: each lesson on a task whose outputs are there, and on the recorded material."""

import json

import pytest

from app import queues
from app.views.learn.lessons import LESSONS
from engine.lessons import excerpt, lesson_material
from engine.review import open_task
from engine.tasks import Draw
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, shown, text_of

STRENGTHS = {"emoji-google": 4.0, "imagenet-lite0": 2.0, "imagenet-lite1": 1.5, "imagenet-lite2": 1.2, "mnist": 0.0}


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def task(home):
    """A task of which teachers have looked at the labeled images and at as many again."""
    task = open_task(home, "openclipart")
    extracted(home, task, task.labeled_rows(Draw(8, 0)), STRENGTHS)
    return task


def charts(app):
    return [json.loads(chart.proto.spec)["data"] for chart in app.get("plotly_chart")]


def radio(app, key):
    return app.radio(key=f"widget {key}")


def test_without_a_task_lessons_are_about_the_recorded_images(home):
    app = open_page("learn")
    assert "No task is chosen, so these lessons are about **Emoji**: 117 of its training images" in text_of(app)
    assert "recorded with the program" in text_of(app)
    assert app.query_params["lesson"] == "pseudo-labels"


def test_a_task_that_is_not_ranked_says_so_and_links_to_its_ranking(home):
    app = open_page("learn", task="openclipart")
    assert "**Clip art** is not ranked yet, so these lessons are about **Emoji**" in text_of(app)
    assert "Rank its teachers, and the lessons are about it" in [link.proto.label for link in app.get("page_link")]


def test_a_ranked_task_is_what_lessons_are_about(home, task):
    app = open_page("learn", task="openclipart")
    assert "About **Clip art**: 104 of its training images, 65 of them drawn with 5 labels per class." in text_of(app)


def test_pseudo_labels_are_shown_after_the_guess_and_stay_in_the_url(home, task):
    app = open_page("learn", task="openclipart")
    assert button(app, "Send it through").disabled
    assert not app.get("progress")
    shown(radio(app, "learn surest").set_value("emoji-google").run())
    app = shown(button(app, "Send it through").click().run())
    assert len(app.get("progress")) == 18, "three classes of six teachers"
    assert app.query_params["show"] == "1"
    material = lesson_material(home, task, Draw())
    linked = open_page("learn", task="openclipart", lesson="pseudo-labels", guess="mnist", show="1", answer="1")
    assert len(linked.get("progress")) == 18
    assert "the loss compares" not in text_of(linked)
    assert "depends on how well the teacher's idea of alike fits" in linked.success[-1].value
    assert {teacher.name for teacher in material.spread(6)} <= set(material.features)


def test_a_guessed_order_is_scored_against_the_ranking(home, task):
    names = [teacher.name for teacher in lesson_material(home, task, Draw()).spread(6)]
    app = open_page("learn", task="openclipart", lesson="ranking", order=",".join(names))
    assert not charts(app)
    app = shown(button(app, "Show the ranking").click().run())
    assert "Rank correlation of your order and the ranking: **1.00**" in app.success[0].value
    assert "Of all orders of 6, 0.1\u00a0% do as well or better" in app.success[0].value
    reversed_ = open_page("learn", task="openclipart", lesson="ranking", order=",".join(names[::-1]), show="1")
    assert "**−1.00**" in reversed_.info[0].value
    shown(button(reversed_, "Guess again").click().run())
    assert not charts(reversed_)


def test_the_slider_moves_weights_and_the_students_stand_below(home):
    app = open_page("learn", lesson="weights", effective="1", show="1")
    equal = {metric.label: metric.value for metric in app.metric}
    assert equal["Effective number of teachers"].endswith("of 10")
    shown(app.select_slider(key="widget learn p").set_value("∞").run())
    assert app.query_params["p"] == "∞"
    nearest = {metric.label: metric.value for metric in app.metric}
    assert nearest["Effective number of teachers"] == "1.0 of 10"
    assert nearest["Take part"] == "1"
    assert "From the comparison that came with the program of Emoji" in text_of(app)


def test_every_lesson_asks_before_it_shows_and_its_code_and_notebook_are_there(home):
    for lesson in LESSONS:
        app = open_page("learn", lesson=lesson.key)
        assert not charts(app), lesson.key
        assert [text for text in app.radio if text.label == lesson.question.text]
        assert sum(answer.right for answer in lesson.question.answers) == 1
        assert all(excerpt(name).text for name in lesson.code)
