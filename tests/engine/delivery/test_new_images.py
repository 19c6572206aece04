"""A student at work on new images: what it says is what the student says of pixels as training has them."""

import csv
import io
import zipfile
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from engine.cli.program import main
from engine.delivery import new_images, prediction_rows
from engine.delivery.calibration import calibration_of
from engine.delivery.camtrap import camtrap_observations
from engine.delivery.new_images import Predicting
from engine.delivery.prediction_rows import SCHEMA, Answered, rows_of, written_to
from engine.delivery.ready import ready_student
from engine.errors import InvalidInputError, StorageError, UnknownNameError
from engine.intake.discovery import pictures_in
from engine.predictions import Predictions
from engine.settings import ImportSettings
from engine.student import load_student
from engine.workspace import Workspace
from tests.engine.delivery.made_student import make_run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with one finished run, "run-1", and a folder of images beside it."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    make_run(workspace, "run-1", ("cat", "dog", "=owl"))
    random = np.random.default_rng(0)
    (workspace.path / "new" / "inner").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.jpg", "inner/c.bmp", "=d.png")):
        pixels = random.integers(0, 256, (40 + number, 50, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(workspace.path / "new" / name)
    deep = random.integers(0, 4096, (40, 40)).astype(np.uint16)
    Image.fromarray(deep).save(workspace.path / "new" / "deep.png")
    (workspace.path / "new" / "broken.jpg").write_bytes(b"\xff\xd8\xff" + bytes(100))
    (workspace.path / "new" / "notes.txt").write_text("not an image")
    (workspace.path / "new" / "leads.png").symlink_to("/etc/hostname")
    return workspace


@pytest.fixture(scope="module")
def found(workspace):
    """Every row of the folder, and the summary."""
    work = Predicting(workspace, ready_student(workspace, "run-1", "cpu"), str(workspace.path / "new"), thumbnail=16)
    pieces = list(work.pieces())
    return pa.concat_tables([piece.rows for piece in pieces]), [t for p in pieces for t in p.thumbnails], work.summary


def test_every_image_has_a_row_with_what_the_student_says_of_its_pixels(workspace, found):
    rows, thumbnails, summary = found
    by_file = {row["file"]: row for row in rows.to_pylist()}
    assert set(by_file) == {"a.png", "b.jpg", "inner/c.bmp", "=d.png", "deep.png", "broken.jpg"}
    with Image.open(workspace.path / "new" / "a.png") as image:
        pixels = np.asarray(image.resize((32, 32), Image.Resampling.BICUBIC))
    with torch.inference_mode():
        logits = load_student(workspace.runs / "run-1")(torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None])[1]
    expected, row = logits.softmax(1)[0], by_file["a.png"]
    assert row["class"] == ("cat", "dog", "=owl")[int(expected.argmax())]
    assert row["probability"] == pytest.approx(float(expected.max()), abs=1e-5)
    assert row["second_probability"] == pytest.approx(float(expected.sort().values[1]), abs=1e-5)
    assert row["unsure"] == (row["probability"] < 0.6)
    assert (summary.images, summary.problems, sum(summary.classes.values())) == (5, 1, 5)
    assert summary.milliseconds > summary.student_milliseconds > 0
    assert len(thumbnails) == 6
    assert Image.open(io.BytesIO(thumbnails[list(by_file).index("a.png")])).size == (16, 13)


def test_what_cannot_be_read_is_a_row_with_a_sentence_and_links_out_are_passed_over(found):
    rows, _, summary = found
    broken = next(row for row in rows.to_pylist() if row["problem"])
    assert broken["file"] == "broken.jpg"
    assert "is no readable image" in broken["problem"]
    assert broken["class"] is None
    assert broken["probability"] is None
    assert broken["unsure"] is None
    assert ("leads.png", "is a link that leads out of the folder") in summary.skipped


def test_archives_tables_and_single_files_hold_the_same_images(workspace, tmp_path):
    new, names = workspace.path / "new", ("a.png", "inner/c.bmp")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in (*names, "notes.txt"):
            archive.write(new / name, name)
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        archive.extractall(tmp_path / "leaves")
    (tmp_path / "list.csv").write_text("file,camera\nleaves/a.png,one\nleaves/inner/c.bmp,two\n")
    for source, found in (
        (tmp_path / "images.zip", names),
        (tmp_path / "leaves", names),
        (tmp_path / "list.csv", tuple(f"leaves/{name}" for name in names)),
        (new / "a.png", names[:1]),
    ):
        pictures = pictures_in(source, None, True, ImportSettings())
        assert tuple(sorted(item.name for item in pictures.items)) == found
        contents = {item.name.removeprefix("leaves/"): pictures.read(item) for item in pictures.items}
        assert contents == {name: (new / name).read_bytes() for name in contents}
        pictures.close()
    (tmp_path / "alone.csv").write_text("file\ninner/c.bmp\n")
    elsewhere = pictures_in(tmp_path / "alone.csv", tmp_path / "images.zip", False, ImportSettings())
    assert [item.name for item in elsewhere.items] == ["inner/c.bmp"]


def test_it_goes_on_after_the_images_that_are_done(workspace, found, monkeypatch):
    monkeypatch.setattr(new_images, "BATCH", 2)
    work = Predicting(workspace, ready_student(workspace, "run-1", "cpu"), str(workspace.path / "new"))
    heard = []
    work.progress = lambda done, total, stage: heard.append((done, total))
    rest = [row["file"] for piece in work.pieces(lambda fingerprint: 3) for row in piece.rows.to_pylist()]
    assert rest == found[0]["file"].to_pylist()[3:]
    assert heard[-1] == (6, 6)


@pytest.mark.parametrize(
    ("run", "source", "unsure", "error", "sentence"),
    [
        ("nothing", "new", 0.6, UnknownNameError, "no run named 'nothing'"),
        ("run-1", "nowhere", 0.6, InvalidInputError, "nowhere does not exist"),
        ("run-1", "new", 1.5, InvalidInputError, "1.5 is no probability"),
    ],
)
def test_what_cannot_be_predicted_is_a_sentence(workspace, run, source, unsure, error, sentence):
    with pytest.raises(error, match=sentence):
        list(
            Predicting(
                workspace, ready_student(workspace, run, "cpu"), str(workspace.path / source), unsure=unsure
            ).pieces()
        )


def test_an_empty_folder_holds_no_images(tmp_path):
    with pytest.raises(InvalidInputError, match="holds no image files"):
        pictures_in(tmp_path, None, True, ImportSettings())


ANSWERED = Answered(
    files=["=a.png", "b.png"],
    problems=["", "b.png is no readable image (why): replace it or leave it out."],
    probabilities=np.array([[0.5, 0.125, 0.375], [0, 0, 0]], np.float32),
    sets=np.array([[True, False, True], [False] * 3]),
)


def test_files_hold_the_rows_and_what_a_spreadsheet_would_compute_is_text(tmp_path):
    rows = rows_of(ANSWERED, ("=1+1", "cat", "-dog"), 0.6)
    with written_to(tmp_path / "out.csv", tmp_path / "out.parquet") as append:
        append(rows)
        append(rows)
        assert not (tmp_path / "out.csv").exists()
    with (tmp_path / "out.csv").open(newline="") as file:
        first, second, *_ = csv.DictReader(file)
    assert (first["file"], first["class"], first["second_class"]) == ("'=a.png", "'=1+1", "'-dog")
    assert (first["probability"], first["unsure"], first["set"]) == ("0.5000", "true", "'=1+1 | -dog")
    assert (second["class"], second["unsure"]) == ("", "")
    assert second["problem"].startswith("b.png is no readable")
    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.equals(SCHEMA)
    assert table.slice(0, 2).to_pylist() == rows.to_pylist()
    assert rows.to_pylist()[0]["set"] == ["=1+1", "-dog"]
    assert rows.to_pylist()[1]["set"] is None
    assert pd.read_csv(tmp_path / "out.csv")["probability"].tolist()[0] == 0.5


def test_a_full_disk_is_a_sentence_and_leaves_nothing_half_written(tmp_path, monkeypatch):
    (tmp_path / "out.csv").write_text("kept")

    def full(file):
        def append(rows):
            raise OSError(28, "No space left on device")

        return append

    monkeypatch.setattr(prediction_rows, "csv_writer", full)
    with (
        pytest.raises(StorageError, match=r"No space left while writing .*out\.csv: free some space"),
        written_to(tmp_path / "out.csv", tmp_path / "out.parquet") as append,
    ):
        append(rows_of(ANSWERED, ("a", "b", "c"), 0.6))
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "kept"


def test_files_that_cannot_be_are_a_sentence(tmp_path):
    with pytest.raises(InvalidInputError, match="is a folder: name a file"), written_to(tmp_path, None):
        pass
    same = tmp_path / "a"
    with pytest.raises(InvalidInputError, match="CSV and Parquet at once"), written_to(same, same):
        pass


def test_the_command_writes_a_table_that_pandas_opens_and_names_what_was_left_out(
    workspace, found, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("WORKBENCH_HOME", str(workspace.path))
    arguments = ["predict", "run-1", str(workspace.path / "new"), "--csv", str(tmp_path / "out.csv")]
    assert main([*arguments, "--unsure", "1", "--device", "cpu"]) == 0
    table, printed = pd.read_csv(tmp_path / "out.csv"), capsys.readouterr()
    assert table["file"].str.removeprefix("'").tolist() == found[0]["file"].to_pylist()
    assert table["unsure"].dropna().all()
    assert "5 images predicted, 5 of them unsure. Each took" in printed.out
    assert "left out: broken.jpg is no readable image" in printed.err


SHARES = [[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.4, 0.3, 0.3], [0.1, 0.1, 0.8], [0, 0, 0]]


def test_camera_traps_get_the_columns_of_camtrap_dp_with_what_is_known():
    found = Answered([f"{i}.jpg" for i in range(5)], ["", "", "", "", "it is broken"], np.array(SHARES, np.float32))
    rows = rows_of(found, ("Vulpes vulpes", "empty", "wild boar"), 0.6)
    when = datetime(2026, 11, 27, 2, 0, 0, tzinfo=UTC)
    table = list(csv.DictReader(io.StringIO(camtrap_observations(rows, "run-1", when).decode())))
    assert [row["observationType"] for row in table] == ["animal", "blank", "unknown", "animal"]
    assert [row["scientificName"] for row in table] == ["Vulpes vulpes", "", "", ""]
    assert [row["observationTags"] for row in table] == ["", "class:empty", "class:Vulpes vulpes", "class:wild boar"]
    first = {name: value for name, value in table[0].items() if value}
    assert first == {
        **{"observationID": "0.jpg", "mediaID": "0.jpg", "observationLevel": "media", "observationType": "animal"},
        **{"scientificName": "Vulpes vulpes", "classificationMethod": "machine"},
        **{"classifiedBy": "Distill Workbench, run run-1", "classificationTimestamp": "2026-11-27T02:00:00Z"},
        **{"classificationProbability": "0.9000"},
    }
    assert len(table[0]) == 28


def test_probabilities_are_calibrated_and_sets_hold_what_the_held_out_images_allow(workspace, monkeypatch):
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 400)
    logits = random.normal(size=(400, 3)) * 4
    logits[np.arange(400), labels] += 2  # far too sure of itself
    own = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    held_out = Predictions(tuple(map(str, range(400))), ("cat", "dog", "=owl"), labels, own, None)
    monkeypatch.setattr(new_images, "run_calibration", lambda home, run: calibration_of(held_out))
    student = ready_student(workspace, "run-1", "cpu")
    work = Predicting(workspace, student, "", beside=student)
    work._learn_about_students()
    trusted = work.calibrations["run-1"]
    assert trusted.temperature > 1.5
    assert "Probabilities are at temperature" in work.summary.notes[-1]
    pixels = random.integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    piece = work._answer(new_images._Seen(["a.png", "b.png"], ["", ""], pixels, [b"", b""]))
    with torch.inference_mode():
        said = student.answer(torch.from_numpy(pixels).permute(0, 3, 1, 2))[1].softmax(1).numpy()
    for row, probabilities in zip(piece.rows.to_pylist(), said, strict=True):
        assert row["probability"] == pytest.approx(trusted.calibrated(probabilities[None]).max(), abs=1e-5)
        assert row["beside_probability"] == row["probability"]
        assert row["set"] == [
            student.record.classes[i] for i in np.flatnonzero(trusted.sets_of(probabilities[None], 0.9))
        ]
