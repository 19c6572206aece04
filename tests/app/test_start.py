import json
import re

import pytest

from app import queues
from app.components.escaping import escape
from app.views.start import page as start_page
from engine import jobs, review, tasks
from engine.errors import DamagedFileError
from engine.files import read_json
from engine.tasks.catalogue import ASSETS, add_task_file
from tests.app.pages import button, open_page, shown, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def test_every_bundled_task_has_a_card_with_pictures_and_counts(home):
    app = open_page("start")
    said = text_of(app)
    for name in tasks.bundled_names():
        record = read_json(ASSETS / f"{name}.json")
        assert record["title"] in said
        assert record["summary"] in said
    assert "9 classes · 840 images, of which 236 are held out" in said
    pictures = [re.findall(r'<img src="data:image/(png|webp);base64,[^"]+" alt="([^"]+)"', h.value) for h in app.html]
    pictures = [found for found in pictures if found]  # the others are the drawings above, and no image
    assert len(pictures) == len(tasks.bundled_names())
    assert {alt for _, alt in pictures[0]} == {
        c.replace("&", "&amp;") for c in review.open_task(home, "emoji-fluent").classes
    }


def test_choosing_a_task_opens_its_page_and_puts_it_into_the_url(home):
    app = open_page("start")
    app.button(key="choose-emoji-fluent").click().run()
    assert app.title[0].value == "Emoji"
    assert app.query_params["task"] == "emoji-fluent"


def test_the_chosen_task_says_so(home):
    app = open_page("start", task="emoji-fluent")
    assert app.button(key="choose-emoji-fluent").label == "Open this task"
    assert app.button(key="choose-quickdraw").label == "Choose this task"


def test_tasks_of_the_workspace_are_listed_apart(home, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    content = (ASSETS / "emoji-fluent.parquet").read_bytes()
    (own / "leaves.parquet").write_bytes(content)
    record = read_json(ASSETS / "emoji-fluent.json") | {"name": "leaves", "title": "Leaves_of *trees*"}
    (own / "leaves.json").write_text(json.dumps(record))
    assert "Your own tasks" not in text_of(open_page("start"))
    add_task_file(home, own / "leaves.parquet")
    said = text_of(open_page("start"))
    assert "Your own tasks" in said
    assert r"Leaves\_of \*trees\*" in said  # a title is never markup


def test_a_damaged_task_is_a_sentence_on_its_card_and_the_others_can_be_chosen(home):
    review.open_task(home, "quickdraw")
    (home.tasks / "quickdraw" / "task.json").write_text("{")
    app = open_page("start")
    assert [error for error in app.error if "is damaged, and with it task" in error.value]
    button(app, "Choose this task").click().run()
    assert app.title[0].value == "Emoji"


@pytest.mark.parametrize("page", ["task", "teachers", "features"])
def test_pages_about_a_task_lead_back_to_start_without_one(home, page):
    app = open_page(page)
    assert "No task is chosen yet" in text_of(app)
    assert [link.label for link in app.get("page_link")] == ["Choose a task"]


def test_a_link_to_a_task_that_is_not_there_says_so(home):
    app = open_page("task", task="quickdrow")
    assert "There is no task named 'quickdrow'" in text_of(app).replace("\\", "")
    assert "quickdraw" in text_of(app)


def test_an_own_task_says_where_it_is_from_and_can_be_removed_after_a_question(own, home):
    app = open_page("start", task=own.name)
    assert re.search(r"From .*cats\\?\.zip, \d+ [A-Z][a-z]{2} \d{4}", text_of(app))
    shown(app.button(key=f"remove-{own.name}").click().run())
    assert "with all labels and decisions" in text_of(app)
    shown(button(app, "Keep it").click().run())
    assert own.folder.exists()
    shown(app.button(key=f"remove-{own.name}").click().run())
    shown(button(app, "Remove it").click().run())
    assert not own.folder.exists()
    assert "task" not in app.query_params
    assert "Your own tasks" not in text_of(app)


def test_a_removed_task_is_put_back_or_deleted_for_good(own, home):
    assert not open_page("start").get("expander")
    identifier = tasks.remove_task(home, own.name)
    opened = {"trash": True}
    app = open_page("start", session=opened)
    assert app.get("expander")[0].label.startswith("Trash: 1 removed task, ")
    shown(app.button(key=f"restore {identifier}").click().run())
    assert own.folder.exists()
    tasks.remove_task(home, own.name)
    app = open_page("start", session=opened)
    shown(app.button(key="empty trash").click().run())
    assert tasks.removed_tasks(home) == []
    assert not own.folder.exists()


def test_a_task_that_a_job_needs_is_not_removed(own, home):
    job = jobs.create(home.jobs, "extraction", kind="extraction", spec={"task": own.name}, device="cpu")
    app = open_page("start")
    shown(app.button(key=f"remove-{own.name}").click().run())
    assert "1 job still needs it" in app.error[0].value
    assert not [found for found in app.button if found.label == "Remove it"]
    jobs.request_cancel(job)
    assert [found for found in shown(app.run()).button if found.label == "Remove it"]


def test_a_task_whose_pictures_cannot_be_read_keeps_the_rest_of_its_card(own, monkeypatch):
    def grid(task, *_, **__):
        if task.name == own.name:
            raise DamagedFileError("5.jpg is not there any more")

    monkeypatch.setattr(start_page.images, "grid", grid)
    app = open_page("start")
    assert [error.value for error in app.error] == ["5.jpg is not there any more"]
    assert sum(escape(own.record.title) in found.value for found in app.markdown) == 1
    assert [found.key for found in app.button if found.key and own.name in found.key] == [
        f"choose-{own.name}",
        f"remove-{own.name}",
    ]
