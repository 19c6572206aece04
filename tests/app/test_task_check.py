import json
import re

import pytest

from app import state
from engine import jobs
from engine.tasks import checked, load_task
from tests.app.made_tasks import TITLE
from tests.app.pages import button, open_page, shown, text_of

COPIES = "decide copies keep"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(state, "queue", lambda device: None)


@pytest.fixture
def check(own):
    return open_page("task", session={"note task.part": "check"}, task=own.name)


def decided(own):
    record = json.loads((own.folder / "task.json").read_text())
    return {k: f["choice"] for k, f in record["decisions"]["findings"].items() if f["by"] == "user"}


def test_findings_are_shown_with_their_images_and_names(own, check):
    said = text_of(check)
    assert check.title[0].value.replace("\\", "") == TITLE
    assert "1 file cannot be read" in said
    assert "labeled/lion/broken.jpg" in said
    assert "are copies with different labels" in said
    pictures = "".join(html.value for html in check.html)
    assert re.search(r'alt="labeled/lion/wrong.jpg, lion, [a-z ]+"', pictures)
    assert "&lt;i&gt;tiger&lt;i&gt;, " in pictures
    assert "<i>tiger" not in pictures
    assert f"**{len(checked(own).open_findings)} findings** to look at" in said


def test_a_finding_is_accepted_changed_and_taken_back(own, check):
    assert int((load_task(own.folder).splits == "out").sum()) == 2
    shown(check.button(key="decide contradictions keep").click().run())
    assert decided(own) == {"contradictions": "keep"}
    shown(check.button(key="take back contradictions").click().run())
    assert decided(own) == {}
    shown(check.button(key="accept all").click().run())
    assert set(decided(own)) >= {"contradictions", "copies", "unreadable"}
    assert check.success[0].value == "Nothing is left to decide."
    assert checked(load_task(own.folder)).open_findings == ()


def test_the_split_can_be_drawn_anew_and_larger(own, check):
    before = set(own.test_rows)
    shown(button(check, "Draw again").click().run())
    assert set(load_task(own.folder).test_rows) != before
    shown(check.selectbox(key="widget test share").set_value(0.5).run())
    held = len(load_task(own.folder).test_rows)
    assert {metric.label: metric.value for metric in check.metric}["Test"] == str(held)
    assert held >= 2 * len(before)


def test_shape_size_and_mirroring_are_decisions_of_the_task(own, check):
    assert own.record.resize == "squash"
    shown(check.button(key="resize pad").click().run())
    shown(check.selectbox(key="widget student size").set_value(96).run())
    shown(check.toggle(key="widget task flip").set_value(False).run())
    record = load_task(own.folder).record
    assert (record.resize, record.student_size, record.flip) == ("pad", 96, False)


def test_a_job_that_has_not_ended_is_mentioned_before_one_decides(own, home):
    jobs.create(home / "jobs", "look", kind="look", spec={"task": own.name}, device="cpu")
    app = open_page("task", session={"note task.part": "check"}, task=own.name)
    assert "1 job of this task has not ended" in app.warning[0].value


def test_the_images_part_leaves_out_what_takes_no_part(own):
    app = open_page("task", task=own.name)
    assert {m.label: m.value for m in app.metric}["Classes"] == "2"
    assert "labeled/lion/broken.jpg" not in "".join(html.value for html in app.html)
