import re

import numpy as np
import pytest

from app import queues
from app.components.escaping import escape
from app.views.task import page
from engine.review import open_task
from engine.tasks import Draw, all_labels
from tests.app.pages import open_page, shown, text_of


@pytest.fixture(autouse=True)
def no_queue(monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)


def counts(app):
    return {metric.label: metric.value for metric in app.metric}


def choose_labels(app, count):
    return shown(app.segmented_control(key="widget labels per class").set_value(count).run())


def test_the_counts_follow_the_label_budget(home):
    app = open_page("task", task="emoji-fluent")
    everyone = {"Classes": "9", "Held-out images": "236"}
    assert counts(app) == everyone | {"Labeled images": "45", "Unlabeled images": "559"}
    assert counts(choose_labels(app, 20)) == everyone | {"Labeled images": "180", "Unlabeled images": "424"}


def test_the_sheet_marks_the_labeled_images_of_the_draw(home):
    app = open_page("task", task="emoji-fluent")
    sheet = app.html[0].value
    assert sheet.count("<h4") == 9
    assert len(re.findall(r'alt="[^"]+, labeled"', sheet)) == sheet.count("✓") == 45
    assert len(re.findall(r'alt="Flags, labeled"', sheet)) == 5
    shown(app.number_input(key="widget seed").set_value(1).run())
    assert app.html[0].value != sheet  # another draw, other images
    assert app.html[0].value.count("✓") == 45


def test_of_ones_own_labels_all_are_used_unless_few_are_an_experiment(own):
    there = int(own.available_labels().sum())
    app = open_page("task", task=own.name)
    assert f"The methods use **all of your {there} labels**." in text_of(app)
    assert counts(app)["Labeled images"] == str(there)
    assert text_of(app).endswith("all labels")  # the sidebar, without a draw
    assert "fewer labeled images" not in text_of(app)
    experiment = app.toggle(key="widget few labels")
    assert (experiment.label, experiment.value) == ("Few-label experiment", False)
    shown(experiment.set_value(True).run())
    used = len(own.labeled_rows(Draw(5, 0)))
    assert used < there
    assert f"The methods use **{used} of your {there} labels**." in text_of(app)
    most = int(own.available_labels().max())
    offered = [int(each) for each in app.segmented_control(key="widget labels per class").options]
    assert offered == [each for each in (1, 2, 5, 10, 20) if each < most]
    assert counts(choose_labels(app, 2))["Labeled images"] == "4"
    for everything in ("all", "9999"):
        assert counts(open_page("task", task=own.name, labels=everything))["Labeled images"] == str(there)


def test_another_task_begins_with_its_own_usual_labels(own):
    app = choose_labels(open_page("task", task="emoji-fluent"), 2)
    app.query_params["task"] = own.name
    assert counts(shown(app.run()))["Labeled images"] == str(int(own.available_labels().sum()))


def test_of_many_labeled_images_of_a_class_some_are_shown(own, monkeypatch):
    monkeypatch.setattr(page, "LABELED_PER_CLASS", 3)
    rows = own.labeled_rows(Draw(all_labels(own)))
    sheet = page._class_block(own, 0, rows)
    assert sheet.count("✓") == 3
    assert f"{int(own.available_labels()[0])} labeled" in sheet
    assert "; 3 are shown" in sheet


def test_many_classes_come_in_pages(home):
    app = open_page("task", task="quickdraw")
    assert re.findall(r"<h4[^>]*><bdi>([^<]+)</bdi> <small>", app.html[0].value)[0] == "sweater"
    assert app.html[0].value.count("<h4") == 10
    app.get_by_key("widget contact sheet").set_value(5).run()
    assert re.findall(r"<h4[^>]*><bdi>([^<]+)</bdi> <small>", app.html[0].value)[-1] == "zigzag"
    assert app.html[0].value.count("<h4") == 5


def test_one_label_per_class_says_what_it_rules_out(home):
    app = open_page("task", task="emoji-fluent")
    assert not app.info
    app = choose_labels(app, 1)
    assert "PARC" in app.info[0].value
    assert "no similarity ranking" in app.info[0].value
    assert not choose_labels(app, 2).info


def test_a_class_with_fewer_labels_than_the_budget_is_named(home):
    app = choose_labels(open_page("task", task="emoji-fluent"), 20)
    assert not app.warning
    least = open_task(home, "emoji-fluent").available_labels()
    name = open_task(home, "emoji-fluent").classes[int(np.argmin(least))]
    app = open_page("task", session={"labels_per_class": int(least.min()) + 1}, task="emoji-fluent")
    assert app.warning[0].value.startswith("1 class has fewer labeled images than this budget")
    assert name.replace("&", "").split()[0] in app.warning[0].value


def test_facts_and_the_counts_of_each_class_are_a_click_away(home):
    app = open_page("task", task="emoji-fluent")
    assert not app.table  # nothing is computed while it is closed
    app = open_page("task", session={"task facts": True}, task="emoji-fluent")
    facts = app.table[0].value.iloc[:, 0]
    task = open_task(home, "emoji-fluent")
    assert facts["License"] == escape(task.record.license)
    assert facts["Source"] == escape(task.record.source)
    assert facts["Held-out images"] == escape(task.record.split_rule.replace(" %", "\u00a0%"))
    table = app.dataframe[0].value
    assert list(table["Class"]) == list(task.classes)
    assert table["Labeled"].sum() == 45
    assert table["Unlabeled"].sum() == 559
    assert table["Held out"].sum() == 236


def test_the_choice_of_another_page_is_kept(home):
    app = choose_labels(open_page("task", task="emoji-fluent"), 10)
    app.switch_page("views/start/page.py").run()
    app.switch_page("views/task/page.py").run()
    assert counts(app)["Labeled images"] == "90"
