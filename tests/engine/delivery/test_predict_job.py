"""Predictions as jobs: kept in parts, gone on with after the last one, read by whoever looks."""

import io
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from engine import jobs
from engine.delivery import new_images, predict_job
from engine.delivery.predict_job import KIND, KeptPredictions, PredictSpec, execute_prediction, request_prediction
from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.files import storage_error, write_json
from engine.jobs import worker
from engine.workspace import Workspace
from tests.engine.delivery.made_student import make_run


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a finished run, and seven images in a folder from which it may import, one of them broken."""
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    make_run(workspace, "run-1")
    (workspace.path / "new").mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(random.integers(0, 256, (40, 40, 3), np.uint8)).save(workspace.path / "new" / f"{number}.png")
    (workspace.path / "new" / "broken.png").write_bytes(b"nothing")
    write_json(workspace.settings, {"import": {"roots": [str(workspace.path / "new")]}})
    return workspace


def test_a_job_goes_on_after_its_last_part_and_keeps_rows_and_small_copies(workspace, monkeypatch):
    monkeypatch.setattr(new_images, "BATCH", 2)
    monkeypatch.setattr(predict_job, "PART_ROWS", 2)
    monkeypatch.setattr(predict_job, "THUMBNAILS", 3)
    wanted = PredictSpec("t", "run-1", str(workspace.path / "new"), unsure=1.0)
    job = request_prediction(workspace, wanted, "cpu")
    assert job.lane == jobs.INTERACTIVE
    written = predict_job.replacing

    @contextmanager
    def fails_after_two(path):
        if path.name == "part-00002.parquet":
            raise storage_error(OSError(5, "Input/output error"), path)
        with written(path) as temporary:
            yield temporary

    monkeypatch.setattr(predict_job, "replacing", fails_after_two)
    assert worker.run(job.folder, {KIND: execute_prediction}) == worker.FAILED
    assert "part-00002.parquet" in jobs.status(job).message
    assert (len(half := KeptPredictions.of(job)), half.parts) == (4, 2)

    monkeypatch.setattr(predict_job, "replacing", written)
    assert request_prediction(workspace, wanted, "cpu").folder == job.folder
    assert worker.run(job.folder, {KIND: execute_prediction}) == worker.DONE
    kept = KeptPredictions.of(job)
    rows = kept.rows().to_pylist()
    assert [row["file"] for row in rows] == [*(f"{number}.png" for number in range(6)), "broken.png"]
    assert rows[:4] == half.rows().to_pylist()
    assert [row["unsure"] for row in rows] == [True] * 6 + [None]
    assert kept.seconds[0] > kept.seconds[1] > 0
    copies = kept.thumbnails([1, 4, 6])
    assert Image.open(io.BytesIO(copies[0])).size == (40, 40)
    assert copies[1:] == [None, None]

    (job.folder / "part-00001.parquet").write_bytes(b"PAR1")
    with pytest.raises(DamagedFileError, match=r"part-00001\.parquet is damaged, and with it predictions: remove"):
        KeptPredictions.of(job)


@pytest.mark.parametrize(
    ("run", "source", "error", "sentence"),
    [
        ("run-2", "new", UnknownNameError, "no run named 'run-2'"),
        ("run-1", "..", InvalidInputError, "lies in no folder that this server may import from"),
        ("run-1", "upload:" + "0" * 32, UnknownNameError, "drop the files again"),
    ],
)
def test_what_the_app_may_not_predict_is_a_sentence(workspace, run, source, error, sentence):
    place = source if source.startswith("upload:") else str(workspace.path / source)
    with pytest.raises(error, match=sentence):
        request_prediction(workspace, PredictSpec("t", run, place), "cpu")
