"""Whether an image looks like the training images."""

import numpy as np
import pytest

from engine.delivery import likeness, new_images
from engine.delivery.likeness import FILE, likeness_of, measured
from engine.delivery.new_images import Predicting
from engine.delivery.ready import ready_student
from engine.errors import FullDiskError
from engine.workspace import Workspace
from tests.engine.delivery import made_task
from tests.engine.delivery.made_student import make_run


def test_an_image_is_unlike_if_it_is_farther_from_all_than_they_are_from_each_other():
    # Directions at 0, 10, 20 and 40 degrees: the nearest others are 10, 10, 10 and 20 degrees away.
    angles = np.radians([0, 10, 20, 40])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32) * 5
    found = measured(features, features[:1] * 9)
    distances = 1 - np.cos(np.radians([10, 10, 10, 20]))
    assert found.beyond == pytest.approx(np.quantile(distances, 0.95), abs=1e-6)
    assert found.held_out == 0
    new = np.radians([41, 62, -25])
    new = np.stack([np.cos(new), np.sin(new)], axis=1).astype(np.float32)
    assert found.distances(new) == pytest.approx(1 - np.cos(np.radians([1, 22, 25])), abs=1e-6)
    assert found.unlike(new).tolist() == [False, True, True]
    assert measured(features[:1]) is None


def test_it_is_measured_once_and_kept_with_a_checksum(home, monkeypatch):
    folder = make_run(home, "run-1", task="emoji-fluent")
    monkeypatch.setattr(likeness, "SAMPLE", 12)
    monkeypatch.setattr(likeness, "HELD_OUT", 4)
    student, heard = ready_student(home, "run-1", "cpu"), []
    found = likeness_of(home, student, lambda done, total, stage: heard.append((done, total)))
    assert heard[-1] == (16, 16)
    assert found.references.shape[0] == 12
    assert np.linalg.norm(found.references, axis=1) == pytest.approx(np.ones(12), abs=1e-5)
    monkeypatch.setattr(likeness, "_features", None)
    again = likeness_of(home, student, lambda *_: None)
    assert (again.beyond, again.held_out) == (found.beyond, found.held_out)
    assert np.array_equal(again.references, found.references)
    monkeypatch.undo()
    monkeypatch.setattr(likeness, "SAMPLE", 3)
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:-4])
    assert len(likeness_of(home, student, lambda *_: None).references) == 3  # damaged: measured anew


def test_without_its_task_nothing_is_said(tmp_path):
    home = Workspace(tmp_path)
    make_run(home, "run-1", task="gone")
    assert likeness_of(home, ready_student(home, "run-1", "cpu"), lambda *_: None) is None


def test_a_training_image_that_cannot_be_read_stops_no_prediction(home, tmp_path):
    make_run(home, "run-1", made_task.CLASSES, task=made_task.NAME)
    made_task.make_task(home)
    made_task.damage_image(home, 0)
    next(made_task.pictures(seed=1)).save(tmp_path / "new.png")
    work = Predicting(home, ready_student(home, "run-1", "cpu"), str(tmp_path / "new.png"))
    [piece] = work.pieces()
    assert piece.rows["unlike"].to_pylist() == [None]
    assert piece.rows["class"][0].as_py() in made_task.CLASSES
    [note] = [note for note in work.summary.notes if "images.parquet" in note]
    assert note.startswith("Whether images look like the training images is not said")


def test_a_full_disk_is_waited_for_by_a_prediction(home, tmp_path, monkeypatch):
    make_run(home, "run-1", made_task.CLASSES, task=made_task.NAME)
    made_task.make_task(home)
    next(made_task.pictures(seed=1)).save(tmp_path / "new.png")

    def full(*_):
        raise FullDiskError("No space left.", tmp_path, 1)

    monkeypatch.setattr(new_images, "likeness_of", full)
    work = Predicting(home, ready_student(home, "run-1", "cpu"), str(tmp_path / "new.png"))
    with pytest.raises(FullDiskError):
        list(work.pieces())
