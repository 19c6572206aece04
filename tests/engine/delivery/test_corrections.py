"""Corrected predictions become labels of a new revision, and images that are new become images of the task."""

import dataclasses
import shutil

import numpy as np
import pytest

from engine.delivery.corrections import send_back
from engine.errors import InvalidInputError
from engine.intake import import_images, request_for
from engine.review import checked, open_task
from engine.tasks import NewImage, add_images, given_labels, growing, task_as_labeled
from engine.workspace import Workspace
from tests.engine.intake import made_sources as made


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """A workspace with an own task of 12 cats and 12 dogs, to be copied."""
    folder = tmp_path_factory.mktemp("imported")
    home = Workspace(folder / "workspace")
    import_images(home, request_for(str(made.put(folder / "pets", made.classes_of(12)))))
    return home


@pytest.fixture
def task(imported, home):
    """The task, in a workspace that a test may change."""
    shutil.copytree(imported.tasks, home.tasks)
    return task_as_labeled(home, "pets")


def test_corrections_label_what_the_task_has_and_add_what_it_has_not(home, task, tmp_path):
    known = next(task.images.contents(np.array([3])))[0]
    files = {"known.jpg": known, "new.jpg": made.jpg(77), "cat/0.jpg": made.jpg(78), "deep.tif": made.jpg(79)}
    source = made.put(tmp_path / "found", files | {"broken.jpg": b"nothing"})
    labels = {"known.jpg": "owl", "new.jpg": "dog", "cat/0.jpg": "cat", "broken.jpg": "cat", "gone.jpg": "cat"}
    back = send_back(home, task, str(source), labels)
    assert (back.relabeled, back.added, len(back.problems)) == (1, 2, 2)
    assert back.left == {"broken.jpg", "gone.jpg"}
    now = open_task(home, "pets")
    assert len(now.images) == 26
    assert given_labels(now, [3, 24, 25]) == ["owl", "cat", "dog"]
    assert given_labels(now)[:3] == given_labels(task)[:3]
    assert now.images.image_ids[:24] == task.images.image_ids
    assert now.images.image_ids[24:] == ["cat/0.jpg (2)", "new.jpg"]
    assert next(now.images.contents(np.array([25])))[0] == files["new.jpg"]
    assert now.splits[24:].tolist() == ["train", "train"]
    assert now.revision != task.revision
    assert len(checked(now).facts.widths) == 26
    assert send_back(home, now, str(source), {"new.jpg": "cat"}).relabeled == 1  # it is the task's by now


def scans(*places):
    """Two images of each class of some patients; places: folder and patient."""
    names = [(folder, c, patient, i) for folder, patient in places for c in "ab" for i in "01"]
    return {f"{f}{c}/{p}-{i}.dcm": made.dicom(number, patient=p) for number, (f, c, p, i) in enumerate(names)}


PARTED = scans(("train/", "P1"), ("train/", "P2"), ("test/", "P3"))
DRAWN = scans(*(("", f"P{number}") for number in range(1, 6)))


@pytest.mark.parametrize("files", [PARTED, DRAWN], ids=["given", "drawn"])
def test_new_images_of_a_patient_stay_on_the_side_of_that_patient(home, decoders, tmp_path, files):
    task = import_images(home, request_for(str(made.put(tmp_path / "scans", files))), decoders=decoders)
    group_of = dict(zip(task.images.image_ids, checked(task).facts.groups.tolist(), strict=True))
    tested = task.images.image_ids[int(task.splits.tolist().index("test"))]
    patients = {"seen.dcm": tested.rpartition("/")[2].split("-")[0], "new.dcm": "P9", "none.dcm": ""}
    found = {name: made.dicom(1000 + i, patient=patient) for i, (name, patient) in enumerate(patients.items())}
    send_back(home, task, str(made.put(tmp_path / "found", found)), {"seen.dcm": "a", "new.dcm": "b", "none.dcm": "a"})
    now = open_task(home, "scans")
    grown = dict(zip(now.images.image_ids, checked(now).facts.groups.tolist(), strict=True))
    assert grown["seen.dcm"] == group_of[tested]
    assert grown["new.dcm"] not in ("", *group_of.values())
    assert grown["none.dcm"] == ""
    sides = dict(zip(grown, now.splits.tolist(), strict=True))
    for patient in {*grown.values()} - {""}:
        assert len({sides[name] for name, group in grown.items() if group == patient}) == 1
    if files is PARTED:
        assert [sides[name] for name in patients] == ["test", "train", "train"]


def test_a_task_is_whole_when_growing_is_stopped_half_way(home, task, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    image = NewImage("a.jpg", made.jpg(5), "cat", 8, 8, bytes(192), False, ())
    monkeypatch.setattr(growing, "extend_image_table", stop)
    with pytest.raises(KeyboardInterrupt):
        add_images(task, [image])
    assert len(checked(task_as_labeled(home, "pets")).facts.widths) == 24
    monkeypatch.undo()
    monkeypatch.setattr(growing, "write_task", stop)
    with pytest.raises(KeyboardInterrupt):
        add_images(task, [image])
    half = task_as_labeled(home, "pets")
    assert (len(half.images), given_labels(half)[-1], len(checked(half).facts.widths)) == (25, None, 25)
    monkeypatch.undo()
    assert given_labels(add_images(half, [dataclasses.replace(image, name="b.jpg")]))[-1] == "cat"


def test_a_bundled_task_takes_no_labels(home):
    with pytest.raises(InvalidInputError, match="came with the program"):
        send_back(home, task_as_labeled(home, "emoji-fluent"), "nowhere", {"a.jpg": "cat"})
