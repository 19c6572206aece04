from dataclasses import replace

import pytest

from app import queues, state
from app.components.page import escape
from engine.errors import UnknownNameError
from engine.review import open_task
from engine.tasks.task import write_task
from tests.app.pages import open_page, shown, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def test_a_link_brings_task_teacher_and_comparison(home):
    app = open_page("task", task="emoji-fluent", teacher="mnist", comparison="abc")
    chosen = {key: app.session_state[key] for key in ("task", "teacher", "comparison")}
    assert chosen == {"task": "emoji-fluent", "teacher": "mnist", "comparison": "abc"}


def test_the_url_is_written_again_after_a_change_of_page(home):
    app = open_page("task", task="emoji-fluent", teacher="mnist")
    app.query_params.clear()  # as the browser does when another page is opened
    app.switch_page("views/start/page.py").run()
    assert app.query_params["task"] == "emoji-fluent"
    assert app.query_params["teacher"] == "mnist"


def test_another_task_forgets_teacher_and_comparison_of_the_one_before(home):
    app = open_page("task", task="emoji-fluent", teacher="mnist", comparison="abc")
    app.switch_page("views/start/page.py").run()
    app.button(key="choose-quickdraw").click().run()
    assert app.query_params["task"] == "quickdraw"
    assert "teacher" not in app.query_params
    assert "comparison" not in app.query_params


def test_the_choice_of_labels_outlives_a_reload(home):
    app = open_page("task", task="emoji-fluent")
    assert "labels" not in app.query_params
    shown(app.segmented_control(key="widget labels per class").set_value(10).run())
    shown(app.number_input(key="widget seed").set_value(3).run())
    assert (app.query_params["labels"], app.query_params["draw"]) in (("10", "3"), (["10"], ["3"]))
    again = open_page("task", task="emoji-fluent", labels="10", draw="3")  # a new session
    assert again.segmented_control(key="widget labels per class").value == 10
    assert again.number_input(key="widget seed").value == 3


@pytest.mark.parametrize("labels", ["0", "-1", "²", "1e3", "9" * 40, "some"])
def test_a_choice_of_labels_that_is_none_is_left_out(home, labels):
    app = open_page("start", labels=labels, draw="-7")
    assert "labels_per_class" not in app.session_state
    assert "seed" not in app.session_state


def test_going_back_in_the_browser_takes_up_the_older_url(home):
    app = open_page("task", task="emoji-fluent")
    app.query_params["task"] = "quickdraw"
    assert shown(app.run()).title[0].value == "Doodles"


def test_a_queue_that_the_workspace_refuses_says_so_on_every_page(home, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setenv("WORKBENCH_HOME", str(home.path))
    home.path.mkdir(parents=True)
    (home.locks).write_text("a file where a folder should be")
    app = open_page("start")
    while not app.error:
        app.run()
    assert "No job can run" in app.error[0].value
    (home.locks).unlink()
    while app.error:
        app.run()
    assert queues.queue("cpu").is_alive()
    queues.queue("cpu").stop()


def test_a_task_is_opened_again_when_its_record_changes(home):
    task = open_task(home, "emoji-fluent")
    assert state.open_task("emoji-fluent") is state.open_task("emoji-fluent")
    write_task(task.folder, replace(task.record, title="Renamed"))
    assert state.open_task("emoji-fluent").record.title == "Renamed"


@pytest.mark.parametrize(
    ("text", "shown"), [("a_b *c*", r"a\_b \*c\*"), ("<b>", r"\<b\>"), (":red[x]", r"\:red\[x\]"), ("plain", "plain")]
)
def test_text_of_users_is_never_markup(text, shown):
    assert escape(text) == shown


JUNK = ["x" * 300, "../../etc", "..", "a/b", "\0", "💥" * 100, "<b>x</b> www.evil.example"]


@pytest.mark.parametrize("junk", JUNK)
def test_junk_for_a_task_is_a_name_that_is_not_there(home, junk):
    for opened in (state.open_task, state.open_labels):
        with pytest.raises(UnknownNameError, match="There is no task named") as caught:
            opened(junk)
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    "page", ["start", "task", "teachers", "features", "distill", "results", "add_teacher", "importing"]
)
def test_junk_in_the_address_ends_in_a_sentence_on_every_page(home, monkeypatch, page):
    monkeypatch.setattr(queues, "queue", lambda device: None)
    for junk in (JUNK[0], "\0"):
        app = open_page(page, task=junk, teacher=junk, comparison=junk, part=junk)
        assert "error in the program" not in text_of(app)
    app = open_page(page, task="emoji-fluent", teacher=JUNK[0], comparison=JUNK[0], part=JUNK[0])
    assert "error in the program" not in text_of(app)
