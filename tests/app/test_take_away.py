"""Results, Take away: formats side by side with their downloads, and the student as a teacher."""

from types import SimpleNamespace

import pytest

from app import queues
from app.views.results import take_away as take_away_page
from engine import jobs
from engine.delivery import formats_job, teacher_of
from engine.delivery.format_table import TABLE, FormatRow, FormatTable
from engine.jobs import worker
from engine.records import write_record
from engine.runs import read_runs
from tests.app import made_runs
from tests.app.pages import button, open_page, progress_of, shown, text_of

ROWS = (
    FormatRow("safetensors", "PyTorch", size=13_700_000, accuracy=0.512, one_thread=10.81, all_threads=6.2),
    FormatRow("onnx", "ONNX", check="Answers as it does.", size=13_800_000, accuracy=0.512, one_thread=1.5),
    FormatRow("timm", "timm", check="Answers as it does, too.", size=13_700_000),
    FormatRow("onnx-int8", "ONNX, 8 bits", problem="It loses 3 points."),
)


@pytest.fixture
def run(home, monkeypatch):
    monkeypatch.setattr(queues, "queue", lambda device: None)
    _, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, comparison)
    return read_runs(home, comparison).results[0].run


def take_away():
    return open_page("results", task="emoji-fluent", section="take-away")


def test_formats_are_asked_for_and_shown_with_their_downloads_when_they_are_there(home, run):
    app = take_away()
    shown(button(app, "Write and measure all formats").click().run())
    job = formats_job(home, run)
    assert job.spec == {"run": run, "task": "emoji-fluent"}
    assert progress_of(app)[0].startswith("Writing and measuring the formats")

    assert worker.run(job.folder, {"formats": measured}) == worker.DONE
    app = take_away()
    table = app.dataframe[0].value
    assert list(table["Format"]) == ["PyTorch", "ONNX", "timm"]
    assert list(table.columns[1:]) == ["MB", "Held-out accuracy, %", "ms, 1 thread", "ms, 2 threads"]
    said = text_of(app).replace("\\", "")
    assert "ONNX, 8 bits: It loses 3 points." in said
    assert "Answers as it does." in said
    downloads = {found.proto.label: found.proto.disabled for found in app.get("download_button")}
    assert downloads.pop("Report (HTML)") is False
    assert downloads == {"Download (ZIP)": False, "ONNX": False, "timm": True}  # one whose file is gone is off


def measured(workspace, job, report):
    write_record(job.folder / TABLE, FormatTable("run", "CPU", 2, "2026-11-27T12:00:00+00:00", ROWS))
    (job.folder / "onnx.zip").write_bytes(b"zip")


def test_a_student_becomes_a_teacher_by_one_click_once(home, run):
    app = take_away()
    assert teacher_of(home, run) is None
    shown(button(app, "Add as a teacher").click().run())
    job = next(job for job in jobs.list_jobs(home.jobs) if job.kind == "add-checkpoint")
    assert job.spec["about"]["collection"] == "emoji"
    assert job.spec["network"]["classes"][0] == "Activities"
    assert progress_of(app)[0].startswith("Adding the student to the teachers")


def test_a_student_trained_on_all_images_has_the_same_formats(home, run, monkeypatch):
    finished = SimpleNamespace(run="all-images", result=object(), spec=SimpleNamespace(method="fine-tune"))
    monkeypatch.setattr(take_away_page, "trained_on_all", lambda workspace, task, comparison: [finished])
    app = take_away()
    choice = next(found for found in app.selectbox if found.label == "Which student")
    assert choice.options == ["Fine-tuning, on all images", "The one chosen above"]
    choice.select_index(1)
    shown(button(shown(app.run()), "Write and measure all formats").click().run())
    assert formats_job(home, run) is not None
