"""What finished runs report, also those of other versions."""

import json
from pathlib import Path

import pytest

from engine.errors import DamagedFileError
from engine.files import write_json
from engine.methods import get_method
from engine.records import as_value, write_record
from engine.results import RESULT, RunResult, read_result, results_in
from engine.runs.recorded import ASSETS

RECORDED = [path for path in sorted(ASSETS.rglob("*.json")) if "results" in json.loads(path.read_text())]


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
def test_recorded_comparisons_are_read_and_their_methods_are_known(path):
    document = json.loads(path.read_text())
    results = results_in(document, path)
    assert len(results) == len(document["results"])
    for result, written in zip(results, document["results"], strict=True):
        assert result.accuracy == written["accuracy"]
        assert result.run == written["run"]
        assert get_method(result.method).summary


def test_what_is_written_is_what_is_read(tmp_path):
    [first, *_] = results_in(json.loads(RECORDED[0].read_text()), RECORDED[0])
    folder = tmp_path / first.run
    folder.mkdir()
    write_record(folder / RESULT, first)
    assert read_result(folder) == first
    assert set(as_value(first)) == set(RunResult.__dataclass_fields__)


def test_a_result_without_what_was_not_always_written_is_read(tmp_path):
    written = as_value(results_in(json.loads(RECORDED[0].read_text()), RECORDED[0])[0])
    for name in ("run", "per_class_accuracy", "related_teachers", "student", "versions", "finished"):
        del written[name]
    write_json(tmp_path / RESULT, written)
    found = read_result(tmp_path)
    assert (found.run, found.student, found.related_teachers) == (tmp_path.name, None, ())
    assert "student" in as_value(found)


@pytest.mark.parametrize("change", [{"accuracy": 1.5}, {"curve": None}, {"p": "much"}, {"seed": -1}])
def test_a_result_that_is_none_is_a_sentence(change):
    written = as_value(results_in(json.loads(RECORDED[0].read_text()), RECORDED[0])[0])
    with pytest.raises(DamagedFileError, match=rf"own.json is damaged.*\.{next(iter(change))}: "):
        results_in({"results": [{**written, **change}]}, Path("own.json"))
