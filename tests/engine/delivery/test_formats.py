import io
import zipfile

import pytest
import torch
from safetensors.torch import load_file

from engine.delivery import export_student, student_archive
from engine.delivery.formats import FORMATS
from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.records import write_record
from engine.results import RESULT
from engine.student import RECORD, WEIGHTS, StudentRecord
from engine.tensors import write_tensors
from tests.engine.delivery import toy_format

ALWAYS = {RECORD, RESULT}
FOUND = {
    **{"task": "pets", "method": "fine-tune", "title": "Fine-tuning", "seed": 0, "accuracy": 0.5, "test_images": 4},
    **{"interval": {"low": 0.1, "high": 0.9, "level": 0.95, "method": "Wilson"}, "labeled_images": 2},
    **{"train_images": 6, "labels_per_class": 1, "similarities": {}, "alpha": {}, "active_alpha": {}},
    **{"effective_teachers": None, "ranking_possible": True, "ranking_problem": None, "machine": "any", "steps": 1},
    **{"images": 80, "seconds": 1.0, "prepare_seconds": 0.0, "evaluate_seconds": 0.0, "curve": []},
}


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run, as far as an export reads it."""
    folder = tmp_path / "run-1"
    folder.mkdir()
    write_tensors(folder / WEIGHTS, {"classifier.bias": torch.arange(2.0)})
    record = StudentRecord("resnet18", 2, ("cat", "dog"), 64, (0.5,) * 3, (0.25,) * 3, "squash", "bicubic", "pets")
    write_record(folder / RECORD, record)
    write_record(folder / RESULT, FOUND)
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_writes_the_record_the_result_and_files_of_its_own(run, tmp_path, form):
    written = {path.name for path in export_student(run, tmp_path / "out", form)}
    assert written > ALWAYS
    with zipfile.ZipFile(io.BytesIO(student_archive(run, form))) as archive:
        assert set(archive.namelist()) == {f"{run.name}/{name}" for name in written}


def test_safetensors_hold_the_weights_and_the_readme_says_how_to_load_them(run, tmp_path):
    export_student(run, tmp_path / "out", "safetensors")
    assert load_file(tmp_path / "out" / WEIGHTS)["classifier.bias"].tolist() == [0, 1]
    assert 'timm.create_model("resnet18", num_classes=2)' in (tmp_path / "out" / "README.md").read_text()


def test_a_format_is_one_file_and_its_line(run, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, toy_format.FORMAT.key, toy_format.FORMAT)  # its line in formats/__init__.py
    assert {path.name for path in export_student(run, tmp_path / "out", "classes")} == {*ALWAYS, "classes.txt"}
    assert (tmp_path / "out" / "classes.txt").read_text() == "cat\ndog"


def test_what_cannot_be_exported_is_a_sentence(run, tmp_path):
    with pytest.raises(UnknownNameError, match="no format named 'onxx'"):
        export_student(run, tmp_path / "out", "onxx")
    (run / WEIGHTS).write_bytes((run / WEIGHTS).read_bytes()[:-1])
    with pytest.raises(DamagedFileError, match="make this run again"):
        export_student(run, tmp_path / "out")
    (run / WEIGHTS).unlink()
    with pytest.raises(InvalidInputError, match="has no student yet"):
        export_student(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()
