"""The page Learn: each lesson on a task whose outputs are there, and on the recorded material."""

import json
from pathlib import Path

import pytest

from app import queues
from app.views.learn import weights
from app.views.learn.lessons import LESSONS
from engine.lessons import biased, excerpt, lesson_material, recorded_gains, recorded_material
from engine.lessons.notebook_file import LESSON_NOTEBOOKS
from engine.review import open_task
from engine.tasks import Draw
from tests.app.made_features import extracted
from tests.app.pages import button, open_page, shown, text_of

ROOT = Path(__file__).resolve().parents[2]
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
    assert "No task is chosen, so this lesson is about **Emoji**: 117 of its training images" in text_of(app)
    assert "recorded with the program" in text_of(app)
    assert app.query_params["lesson"] == "pseudo-labels"


def test_a_task_that_is_not_ranked_says_so_and_links_to_its_ranking(home):
    app = open_page("learn", task="openclipart")
    assert "No teacher has looked at **Clip art** here yet, so this lesson is about **Emoji**" in text_of(app)
    assert "Rank its teachers, and the lessons are about it" in [link.proto.label for link in app.get("page_link")]


def test_pseudo_labels_are_shown_after_the_guess_and_stay_in_the_url(home, task):
    app = open_page("learn", task="openclipart")
    assert "About **Clip art**: 104 of its training images, 65 of them drawn with 5 labels per class." in text_of(app)
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
    assert set(radio(app, "learn surest").options) == {
        f"{t.title} ({len(t.classes):,} classes)" for t in material.spread(6)
    }


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


def test_the_question_on_weights_has_answers_to_choose_from_with_few_teachers_too():
    assert weights._ranges(2) == ((1.0, 1.5), (1.5, 2.0))
    assert weights._ranges(3) == ((1.0, 2.0), (2.0, 3.0))
    assert weights._ranges(10) == ((1.0, 2.0), (2.0, 4.0), (4.0, 10.0))


def test_every_lesson_asks_before_it_shows_and_its_code_and_notebook_are_there(home):
    app = open_page("learn")
    for lesson in LESSONS:
        app = shown(app.selectbox(key="widget lesson").set_value(lesson.key).run())
        assert app.query_params["lesson"] == lesson.key
        assert [button for button in app.button if button.key == f"show {lesson.key}" and button.disabled], lesson.key
        assert [text for text in app.radio if text.label == lesson.question.text]
        assert sum(answer.right for answer in lesson.question.answers) == 1
        assert all(excerpt(name).text for name in lesson.code)
    assert set(LESSON_NOTEBOOKS) == {lesson.key for lesson in LESSONS}
    assert sum(lesson.minutes for lesson in LESSONS) == 45


def test_a_lecturers_plan_names_each_lesson():
    text = (ROOT / "docs" / "teaching.md").read_text()
    for number, lesson in enumerate(LESSONS, start=1):
        assert f"| {number}. {lesson.title} | {lesson.minutes} |" in text
        assert lesson.click in text
        assert lesson.themselves in text
        assert f"lesson={lesson.key}" in text


def test_lessons_take_as_long_as_the_page_says(home):
    assert "lessons of six or seven minutes" in text_of(open_page("learn"))
    assert {one.minutes for one in LESSONS} == {6, 7}


def test_a_pair_is_measured_and_its_term_is_one_of_parcs(home):
    app = open_page("learn", lesson="pairs", place="1", show="1")
    values = {metric.label.split(":")[0]: metric.value for metric in app.metric}
    parts = [values[name].replace("−", "-") for name in ("Pairs with one label", "Pairs with two labels")]
    assert sum(map(float, parts)) == pytest.approx(float(values["All terms"]), abs=0.15)
    app = shown(button(app, "Farthest with one label").click().run())
    assert not [metric for metric in app.metric], "another pair is asked about anew"
    shown(radio(app, "learn place").set_value(2).run())
    app = shown(button(app, "Measure it").click().run())
    assert "in the farthest third" in app.success[0].value
    assert "speaks **against** this teacher" in text_of(app)
    shown(app.selectbox(key="widget learn pairs teacher").set_value("fashion-mnist").run())
    assert app.query_params["by"] == "fashion-mnist"


def test_the_consensus_of_one_image_is_shown_in_three_steps(home):
    app = open_page("learn", lesson="consensus")
    shown(radio(app, "learn class").set_value(radio(app, "learn class").options[0]).run())
    app = shown(button(app, "Ask the teachers").click().run())
    assert "the label that was held back is" in (app.info or app.success)[0].value
    assert len(app.get("progress")) == 6, "three classes before the neighbors and after"
    assert [metric.label for metric in app.metric][-1] == "After the neighbors"
    first = app.query_params.get("image", "")
    app = shown(button(app, "Another image").click().run())
    assert app.query_params["image"] != first
    assert not app.metric


def test_the_recorded_failure_is_found_among_eight_tasks(home):
    app = open_page("learn", lesson="labels", **{"task-of": "quickdraw", "show": "1"})
    gains = recorded_gains("distill-consensus", "fixmatch")
    assert len(gains) == 8
    assert gains[-1].difference.mean < 0
    assert f"**{gains[-1].task}**" in app.info[0].value
    assert len(charts(app)) == 2


def test_a_bias_is_found_repaired_and_trained_again(home):
    bias = biased(recorded_material(home), 0)
    material = recorded_material(home)
    true, said = (material.task.classes[label] for label in (bias.true, bias.said))
    app = open_page("learn", lesson="bias", **{"class": true, "as": said})
    app = shown(button(app, "Is that it?").click().run())
    assert "You found it" in app.success[0].value
    rows = "-".join(str(material.rows[place]) for place in bias.wrong)
    app = open_page("learn", lesson="bias", **{"class": true, "as": said, "show": "1", "fixed": rows})
    assert "You found 3 of 3 wrong labels." in app.success[1].value
    before, after, right = app.dataframe[0].value["Taken for the other"]
    assert before > after == right


def test_an_own_task_that_nobody_ranked_leaves_the_lessons_to_the_recorded_images(own):
    app = open_page("learn", task=own.name, lesson="consensus")
    assert "here yet, so this lesson is about **Emoji**" in text_of(app)
    assert [link for link in app.get("page_link") if link.proto.label.startswith("Rank its teachers")]
