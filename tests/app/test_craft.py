"""What every page keeps to: one first action, its task's name, one minus sign, and titles in the place of names."""

import re

import pandas as pd
import pytest

from app import queues
from app.components import tables, wording
from engine.tasks import bundled_names as task_names
from engine.teachers import bundled_names as teacher_names
from tests.app.pages import open_page, shown, text_of

RECORDED = {"comparison": "recorded"}
PAGES = [
    ("start", {}),
    ("task", {}),
    ("teachers", {}),
    ("features", {}),
    ("distill", {}),
    ("results", RECORDED),
    ("results", RECORDED | {"section": "errors"}),
    ("predict", {}),
    ("add_teacher", {}),
    ("importing", {}),
]
WITHOUT = ("start", "task", "importing")  # whose own title it is, or which are about all tasks
HYPHEN = re.compile(r".{0,12}(?<![\w.)\]}/=-])-\d.{0,6}")  # before a number, where a minus belongs


@pytest.fixture(autouse=True)
def as_installed(monkeypatch, recorded_assets):
    monkeypatch.setattr(queues, "queue", lambda device: None)


@pytest.mark.parametrize(("name", "url"), PAGES)
def test_a_page_has_one_first_action_its_tasks_name_one_minus_and_titles(home, name, url):
    app = open_page(name, task="emoji-fluent", **url)
    assert len([found.label for found in app.button if found.proto.type == "primary"]) <= 1
    text = text_of(app)
    assert ("Task **Emoji** ·" in text) == (name not in WITHOUT)
    assert HYPHEN.findall(text) == []
    text = re.sub(r"Made by\S*.*", "", text)  # a command, which takes names
    ids = [name for name in (*teacher_names(), *task_names()) if "-" in name]
    assert [found for found in ids if re.search(rf"(?<![/\w-]){found}(?![\w-])", text)] == []


def test_the_recommended_method_stands_first(home):
    app = open_page("distill", task="emoji-fluent")
    methods = [box.label for box in app.checkbox if box.key.startswith("distill-method-")]
    assert methods[0].startswith("**DistillConsensus** :green-badge[Recommended]")
    assert sum("Recommended" in label for label in methods) == 1


def test_start_says_what_comes_out_and_how_long_it_takes(home):
    text = text_of(open_page("start"))
    assert "On doodles: 67 % by DistillConsensus, 49 % by fine-tuning, each in about 2 min 20 s on one" in text


def test_of_many_classes_one_is_found_by_its_name(home):
    app = open_page("task", task="quickdraw")
    shown(app.text_input(key="widget find a class").set_value("ZIG").run())
    sheet = next(found.proto.body for found in app.get("html") if "<section" in found.proto.body)
    assert re.findall(r"<bdi>(.*?)</bdi>", sheet) == ["zigzag"]
    shown(app.text_input(key="widget find a class").set_value("no such").run())
    assert "No class has 'no such' in its name." in text_of(app).replace("\\", "")


def test_whole_numbers_of_tables_have_thousands_separators():
    table = pd.DataFrame({"Images": [12_345], "Rank": [1_000], "Share": [-0.25]})
    html = tables.written(table, {"Rank": ".0f", "Share": ".2f"}).to_html()
    assert re.findall(r"<td[^>]*>(.*?)</td>", html) == ["12,345", "1000", "−0.25"]


def test_costs_of_networks_have_one_style():
    assert wording.parameters(4_652_008) == "4.65 M parameters"
    assert wording.parameters(1_340_000_000) == "1,340.00 M parameters"
    assert wording.gflops(0.10691) == "0.107 GFLOPs"
