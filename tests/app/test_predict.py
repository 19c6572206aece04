"""Predict: the page, with made-up answers in the real format."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from app import queues
from app.components import labeler
from app.components.labeler import Labeled
from app.views.predict import answers, ask, correct
from app.views.predict.draft import LabelsToSend, PredictDraft
from engine import jobs
from engine.delivery import predict_job, students_of_task
from engine.delivery.corrections import SentBack
from engine.delivery.new_images import Piece, Predicting
from engine.delivery.predict_job import PredictSpec, request_prediction
from engine.delivery.prediction_rows import Answered, rows_of
from engine.files import write_json
from engine.jobs import worker
from engine.review import open_task
from engine.runs import plan, start
from tests.app import made_runs
from tests.app.pages import button, open_page, shown, text_of

CLASSES = ("cat", "dog", "owl")
FILES = ("a.png", "b.png", "<i>c</i>.png", "broken.png")
PROBABILITIES = [[0.9, 0.05, 0.05], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0, 0, 0]]
BESIDE = [[0.9, 0.05, 0.05], [0.6, 0.2, 0.2], [0.1, 0.1, 0.8], [0, 0, 0]]


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    """No queue works here."""
    monkeypatch.setattr(queues, "queue", lambda device: None)


def thumbnail():
    stream = io.BytesIO()
    Image.new("RGB", (12, 8), (200, 30, 30)).save(stream, "JPEG")
    return stream.getvalue()


def predicted(home, task, run, monkeypatch):
    """A job that has said something of four files, one of which is broken."""
    (home.path / "new").mkdir()
    write_json(home.settings, {"import": {"roots": [str(home.path / "new")]}})
    job = request_prediction(home, PredictSpec(task, run, str(home.path / "new")), "cpu")

    def pieces(self, begin):
        begin("fingerprint")
        problems = ["", "", "", "broken.png is no readable image (why): replace it."]
        found = Answered(FILES, problems, np.array(PROBABILITIES, np.float32), beside=np.array(BESIDE, np.float32))
        self.summary.seconds, self.summary.student_seconds = 0.3, 0.03
        yield Piece(rows_of(found, CLASSES, 0.6), [thumbnail()] * 3 + [b""])

    monkeypatch.setattr(predict_job, "ready_student", lambda *_: None)
    monkeypatch.setattr(Predicting, "__post_init__", lambda self: None)
    monkeypatch.setattr(Predicting, "pieces", pieces)
    assert worker.run(job.folder, {"predict": predict_job.execute_prediction}) == worker.DONE
    return job


@pytest.fixture
def run(home):
    """A finished run of a bundled task."""
    _, comparison = made_runs.planned(home, ["fine-tune", "fixmatch"], [0])
    made_runs.finish(home, comparison)
    return comparison.runs[1]


def test_without_a_student_the_page_leads_to_distill(home):
    assert "No student of this task is finished yet." in text_of(open_page("predict", task="emoji-fluent"))


def test_the_most_accurate_student_is_offered_first_with_fine_tuning_beside_it(home, run):
    app = open_page("predict", task="emoji-fluent")
    student, beside = app.selectbox[0], app.selectbox[1]
    assert student.options[0].startswith("FixMatch, seed 0 · 53.0")
    assert student.value == run
    assert "fine-tune" in beside.value
    app = shown(student.select_index(1).run())
    assert app.selectbox[1].value == ""  # fine-tuning stands beside nothing but itself


def test_answers_are_pictures_and_a_table_that_can_be_filtered(home, run, monkeypatch):
    predicted(home, "emoji-fluent", run, monkeypatch)
    app = open_page("predict", task="emoji-fluent")
    metrics = {metric.label: metric.value for metric in app.metric}
    assert metrics == {"Images": "3", "Unsure": "1", "Milliseconds an image": "10.0", "Not read": "1"}
    pictures = next(found.proto.body for found in app.get("html") if "figure" in found.proto.body)
    assert pictures.count("<figure") == 3
    assert "dog 50\u00a0% · unsure · beside: cat 60\u00a0%" in pictures
    assert "&lt;i&gt;c&lt;/i&gt;.png" in pictures
    assert "broken.png is no readable image" in text_of(app)
    only = next(found for found in app.selectbox if found.label == "Which")
    app = shown(only.select("differ").run())
    app = shown(app.button_group[1].set_value("table").run())
    table = app.dataframe[0].value
    assert table["File"].tolist() == ["b.png"]
    assert "Set" not in table
    app = shown(app.slider[0].set_value(0.4).run())
    assert {m.label: m.value for m in app.metric}["Unsure"] == "0"


def test_a_job_that_waits_or_failed_is_shown_with_a_way_on(home, run):
    (home.path / "new").mkdir()
    write_json(home.settings, {"import": {"roots": [str(home.path / "new")]}})
    job = request_prediction(home, PredictSpec("emoji-fluent", run, str(home.path / "new")), "cpu")
    app = open_page("predict", task="emoji-fluent")
    assert "This goes on when the page is closed" in text_of(app)
    jobs.request_cancel(job)
    assert button(open_page("predict", task="emoji-fluent"), "Try again")


def test_predictions_are_forgotten_on_a_click(home, run, monkeypatch):
    job = predicted(home, "emoji-fluent", run, monkeypatch)
    app = open_page("predict", task="emoji-fluent")
    shown(button(app, "Remove").click().run())
    assert not job.folder.exists()


def test_corrections_of_a_bundled_task_are_refused_in_words(home, run, monkeypatch):
    predicted(home, "emoji-fluent", run, monkeypatch)
    app = open_page("predict", task="emoji-fluent")
    app = shown(app.button_group[1].set_value("correct").run())
    assert "This task came with the program and stays as it is." in text_of(app)


class Grid:
    """What a person does in the grid: labels, by file."""

    def __init__(self):
        self.touched, self.shown, self.more, self.keys = {}, {}, None, []

    def draw(self, tiles, classes, labels, key, more, waiting):
        self.more, self.keys = more, [*self.keys, key]
        names = {tile.row: tile.name.rpartition(" · ")[0] for tile in tiles}
        self.shown = {name: (labels[row], row in waiting) for row, name in names.items()}
        begun = {row: labels[row] for row in waiting} if key not in self.keys[:-1] else {}
        self.touched = {names[row]: label for row, label in begun.items()} | self.touched
        return Labeled({row: self.touched[name] for row, name in names.items() if name in self.touched}, False)


def test_labels_of_all_sheets_wait_to_be_sent_and_an_undone_one_does_not(own, monkeypatch):
    grid, sent, home = Grid(), [], own.workspace
    monkeypatch.setattr(labeler, "draw", grid.draw)
    monkeypatch.setattr(answers, "AT_ONCE", 2)

    def send_back(workspace, task, source, labels, images):
        sent.append(dict(labels))
        return SentBack(task, added=len(labels) - 1, left={"a.png"})

    monkeypatch.setattr(correct, "send_back", send_back)
    task = open_task(home, own.name)
    comparison = start(home, plan(home, task, ["fixmatch"], [0], device="cpu", images=640))
    made_runs.finish(home, comparison)
    predicted(home, own.name, comparison.runs[0], monkeypatch)
    app = open_page("predict", task=own.name)
    app = shown(app.button_group[1].set_value("correct").run())
    assert grid.shown == {"a.png": ("cat", False), "b.png": ("dog", False)}
    assert grid.more is False
    grid.touched = {"a.png": "lion", "b.png": "lion"}
    assert button(shown(app.run()), "Send 2 labels to the task")
    app.session_state[PredictDraft.key()].sheet, grid.touched = 2, {}
    shown(app.run())
    assert grid.shown == {"<i>c</i>.png": ("owl", False)}
    grid.touched = {"<i>c</i>.png": "lion"}
    assert button(shown(app.run()), "Send 3 labels to the task")
    assert "2 of them are not shown here." in text_of(app)
    app.session_state[PredictDraft.key()].sheet, grid.touched, grid.keys = 1, {}, []
    shown(app.run())
    assert grid.shown == {"a.png": ("lion", True), "b.png": ("lion", True)}
    del grid.touched["b.png"]  # undone
    shown(app.run())
    key = grid.keys[-1]
    shown(button(app, "Send 2 labels to the task").click().run())
    assert sent == [{"<i>c</i>.png": "lion", "a.png": "lion"}]
    assert (
        "1 new image added to the task. A new comparison uses them. 1 label still waits to be sent."
        in app.success[0].value
    )
    assert grid.keys[-1] != key  # a grid that knows of no label
    assert grid.shown == {"a.png": ("lion", True), "b.png": ("dog", False)}  # that one was not taken


def test_labels_that_the_task_did_not_take_or_that_came_meanwhile_still_wait():
    held = LabelsToSend(wanted={"a.png": "cat", "b.png": "dog"}, sent={"c.png": "owl"}, before="grid")
    given = {"0": "cat", "1": "owl", "2": "owl", "9": "cat", "3": None}
    files = {0: "a.png", 1: "b.png", 2: "c.png", 3: "d.png"}

    def page(held, given, files):
        import streamlit as st

        from app.views.predict.correct import _take_late

        st.session_state["grid"] = {"labels": given}
        _take_late(held, files, ["cat", "dog", "owl"])

    AppTest.from_function(page, args=(held, given, files)).run()
    assert held.wanted == {"a.png": "cat", "b.png": "owl"}
    assert held.before == ""
    assert correct._what_became(SentBack(None, added=1, left={"b.png"}, problems=["b.png is gone."])) == (
        "1 new image added to the task. A new comparison uses them. b.png is gone. 1 label still waits to be sent."
    )
    assert correct._what_became(SentBack(None, relabeled=2, added=1)) == (
        "2 images of the task labeled anew and 1 new image added to it. A new comparison uses them."
    )
    assert correct._what_became(SentBack(None, left={"a.png", "b.png"})) == (
        "Nothing was taken. 2 labels still wait to be sent."
    )


def test_a_student_that_looks_at_another_size_cannot_stand_beside(home, run):
    first, second = students_of_task(home, "emoji-fluent")
    assert ask.can_stand_beside(first, second)
    assert not ask.can_stand_beside(first, first)
    smaller = replace(second, student=replace(second.student, input_size=32))
    assert not ask.can_stand_beside(first, smaller)
