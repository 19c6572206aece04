"""The report: one page that says what Results says, asks nobody for anything, and shows names as they are."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from engine.cli.program import main
from engine.delivery import report_html, report_material, write_report
from engine.delivery.report_markup import emphasized, escape, pictures, tag
from engine.delivery.result_sentences import first_sentence
from engine.errors import InvalidInputError, UnknownNameError
from engine.predictions import PREDICTIONS
from engine.runs import recorded
from engine.tasks import Task
from tests.app import made_runs

LINKS = ("src", "href", "action", "data", "srcset", "poster")
SCRIPT = "<script>alert(1)</script> & *owl*"


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.styles, self.policy, self.words, self._open = [], [], [], "", "", []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in LINKS]
        self.styles.append(found.get("style") or "")
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"]
        self._open.append(tag)

    def handle_endtag(self, tag):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data):
        (self.styles.append if self._open[-1:] == ["style"] else self._say)(data)

    def _say(self, data):
        self.words += data


@pytest.fixture
def compared(home):
    task, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0, 1], images=24_000)
    made_runs.finish(home, comparison)
    return task, comparison


def asks_nobody(page):
    assert page.policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert all(link.startswith(("#", "data:image/jpeg;base64,")) for link in page.links)
    assert not any("url(" in style or "@import" in style for style in page.styles)
    assert not {"script", "link", "iframe", "object", "base", "form"} & set(page.tags)


def test_the_page_holds_every_section_and_asks_nobody_for_anything(home, compared, tmp_path, capsys):
    _, comparison = compared
    out = tmp_path / "report.html"
    assert main(["report", comparison.id, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    page = Page(out.read_text())
    asks_nobody(page)
    said = page.words.replace("\u00a0", " ")
    assert "FixMatch won: right on 53.5 % of the held-out images" in said  # 0.53 and 0.54, as made up
    assert "python -m engine compare --task emoji-fluent --methods fine-tune,fixmatch --seeds 0,1 " in said
    assert "The classes confused most" in said
    assert "it is too sure of itself" in said
    assert "it was checked when it was made" in said
    assert page.tags.count("svg") == 5  # bars, curves, reliability before and after, coverage
    assert page.tags.count("img") > 9 + 12  # an example of each class, the surest errors, some of the worst pairs
    assert [link for link in page.links if link.startswith("#")] == [
        f"#{key}" for key in ("data", "teachers", "compared", "errors", "classes", "trust", "cost", "origin")
    ]


def test_names_from_outside_are_shown_as_they_are(home, compared, monkeypatch):
    task, comparison = compared
    evil = replace(task.record, title=SCRIPT, summary=SCRIPT, classes=(SCRIPT, *task.classes[1:]))
    monkeypatch.setattr(report_material, "open_task", lambda *_: Task(home, evil))
    kept = report_material.predictions_of
    monkeypatch.setattr(
        report_material, "predictions_of", lambda *of: replace(kept(*of), classes=(SCRIPT, *task.classes[1:]))
    )
    text = report_html(home, comparison.id)
    page = Page(text)
    asks_nobody(page)
    assert "<script" not in text
    assert page.words.count(SCRIPT) >= 4


def test_a_sentence_is_bold_where_we_say_so_and_not_where_a_name_does():
    assert emphasized(f"**won**: {escape('*<b>*')}") == "<strong>won</strong>: &#42;&lt;b&gt;&#42;"
    assert tag("p", '"<', tag("b", "x"), title='"') == '<p title="&quot;">&quot;&lt;<b>x</b></p>'
    assert "alt=" in pictures([Image.fromarray(np.zeros((300, 200, 3), np.uint8))], ["a"])


def test_what_is_missing_is_a_sentence(home, compared):
    _, comparison = compared
    for run in comparison.runs:
        (home.runs / run / PREDICTIONS).unlink()
    said = Page(report_html(home, comparison.id)).words
    assert said.count("says of each held-out image was not kept") == 3  # errors, classes, trust
    assert "FixMatch won" in said
    winner = next(run for run in comparison.runs if "fixmatch-s0" in run)
    (home.runs / winner / PREDICTIONS).write_bytes(b"no table")
    assert "is damaged" in Page(report_html(home, comparison.id)).words
    assert "FixMatch" in first_sentence_of(home, comparison)


def first_sentence_of(home, comparison):
    found = report_material.material(home, comparison.id)
    return first_sentence(found.compared, found.task, found.asked_or_none, escape).winner


def test_a_task_that_is_gone_leaves_the_numbers(home, compared, monkeypatch):
    _, comparison = compared

    def gone(*_):
        raise UnknownNameError("task", "emoji-fluent", [])

    monkeypatch.setattr(report_material, "open_task", gone)
    said = Page(report_html(home, comparison.id)).words
    assert said.count("The task 'emoji-fluent' is not here any more") == 3
    assert "FixMatch won" in said


@pytest.mark.parametrize(
    ("name", "said"), [("nothing", "no comparison named 'nothing'"), ("recorded:../leaves", "comes with the program")]
)
def test_an_unknown_comparison_is_refused(home, tmp_path, capsys, name, said):
    assert main(["report", name, "--out", str(tmp_path / "report.html")]) == 1
    assert said in capsys.readouterr().err
    assert list(tmp_path.glob("*.html")) == []


def test_before_a_run_has_finished_there_is_nothing_to_report(home, tmp_path):
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    with pytest.raises(InvalidInputError, match="no finished run"):
        write_report(home, comparison.id, tmp_path / "report.html")
    with pytest.raises(InvalidInputError, match="is a folder"):
        write_report(home, comparison.id, tmp_path)


def test_a_recorded_comparison_has_a_report(home, tmp_path, monkeypatch):
    made_runs.recorded(home, tmp_path)
    document = recorded.recorded_comparison("emoji-fluent", tmp_path)
    monkeypatch.setattr(report_material, "recorded_comparison", lambda task: document)
    monkeypatch.setattr(report_material, "recorded_predictions", lambda task, method: None)
    page = Page(report_html(home, "recorded:emoji-fluent"))
    asks_nobody(page)
    assert page.words.count("What these recorded students say of each image does not come with the program.") == 3
    assert "python -m engine compare --task emoji-fluent --seeds 0,1,2 --json" in page.words
    assert "FixMatch was run a day later." in page.words
