import json
import re
from dataclasses import replace

import numpy as np
import pytest

from app import queues
from engine import jobs
from engine.review import checked, decide
from engine.tasks.facts import read_facts, write_facts
from engine.tasks.task import load_task
from tests.app.made_tasks import TITLE
from tests.app.pages import button, open_page, shown, text_of

COPIES = "decide copies keep"


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.fixture
def check(own):
    return open_page("task", task=own.name, part="check")


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
    assert f"**{len(checked(own).open_findings)} findings** to decide on" in said


def test_a_finding_is_accepted_changed_and_taken_back(own, check):
    assert int((load_task(own.workspace, own.name).splits == "out").sum()) == 2
    shown(check.button(key="decide contradictions keep").click().run())
    assert decided(own) == {"contradictions": "keep"}
    shown(check.button(key="take back contradictions").click().run())
    assert decided(own) == {}
    shown(check.button(key="accept all").click().run())
    assert set(decided(own)) >= {"contradictions", "copies", "unreadable"}
    assert check.success[0].value == "Nothing is left to decide."
    assert checked(load_task(own.workspace, own.name)).open_findings == ()


def test_the_split_can_be_drawn_anew_and_larger(own, check):
    before = set(own.test_rows)
    shown(button(check, "Draw again").click().run())
    assert set(load_task(own.workspace, own.name).test_rows) != before
    shown(check.selectbox(key="widget test share").set_value(0.5).run())
    held = len(load_task(own.workspace, own.name).test_rows)
    assert {metric.label: metric.value for metric in check.metric}["Test"] == str(held)
    assert held >= 2 * len(before)


def test_shape_size_and_mirroring_are_decisions_of_the_task(own, check):
    assert own.record.resize == "squash"
    shown(check.button(key="resize pad").click().run())
    shown(check.selectbox(key="widget student size").set_value(96).run())
    shown(check.toggle(key="widget task flip").set_value(False).run())
    record = load_task(own.workspace, own.name).record
    assert (record.resize, record.student_size, record.flip) == ("pad", 96, False)


def test_the_parts_have_addresses(own):
    app = open_page("task", task=own.name, part="label")
    assert app.segmented_control(key="widget task part").value == "label"
    shown(app.segmented_control(key="widget task part").set_value("check").run())
    assert app.query_params["part"] == "check"
    shown(app.segmented_control(key="widget task part").set_value("images").run())
    assert "part" not in app.query_params
    app = open_page("task", task=own.name, part="no-such-part")
    assert app.segmented_control(key="widget task part").value == "images"


def test_it_is_said_what_takes_no_part_and_which_groups_test(own):
    facts, ids = read_facts(own.folder), own.images.image_ids
    tiles = [f"tile_{row // 9}" for row in range(len(ids))]
    write_facts(own.folder, ids, replace(facts, groups=np.array(tiles)))
    task = decide(own, split="by-group")
    app = open_page("task", task=own.name, part="check")
    said = text_of(app).replace("\\", "")
    tested = sorted({tiles[row] for row in task.test_rows})
    assert f"Of {len(set(tiles))} groups {len(tested)} test" in said
    assert tested[0] in said
    reasons = checked(task).review.left_out
    assert reasons
    assert {metric.label: metric.value for metric in app.metric}["Take no part"] == str(sum(n for _, n in reasons))
    assert all(f"{number:,} {why}" in said for why, number in reasons)


def test_a_job_that_has_not_ended_is_mentioned_before_one_decides(own, home):
    jobs.create(home.jobs, "extraction", kind="extraction", spec={"task": own.name}, device="cpu")
    app = open_page("task", task=own.name, part="check")
    assert "1 job of this task has not ended" in app.warning[0].value


def test_the_images_part_leaves_out_what_takes_no_part(own):
    app = open_page("task", task=own.name)
    assert {m.label: m.value for m in app.metric}["Classes"] == "2"
    pictures = "".join(html.value for html in app.html)
    assert "labeled/lion/broken.jpg" not in pictures
    unknown = int((own.labels[own.train_rows] < 0).sum())
    assert f"{unknown} images without a known class" in text_of(app)
    assert pictures.count('alt="unlabeled, class not known"') == 30
