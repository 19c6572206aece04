import shutil

import numpy as np
import pytest

from engine.features import FeatureStore
from engine.intake import ImportRequest, import_images
from engine.jobs import create, request_cancel
from engine.review.decisions import settled
from engine.runs import candidates, unlabeled_rows, users_of_task, worth_a_label
from engine.tasks import relabel
from engine.tasks.task import load_task
from engine.workspace import Workspace
from tests.engine.intake import made_sources as made


@pytest.fixture(scope="session")
def imported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labeling")
    files = made.classes_of(4, prefix="labeled/") | {f"unlabeled/{i}.jpg": made.jpg(100 + i) for i in range(20)}
    files["unlabeled/twin.jpg"] = files["unlabeled/0.jpg"]
    home = Workspace(folder / "home")
    import_images(home, ImportRequest(str(made.put(folder / "pets", files)), "Pets"))
    return home


@pytest.fixture
def task(imported, home):
    shutil.copytree(imported.tasks, home.tasks)
    return load_task(home, "pets")


def test_only_unlabeled_training_images_are_suggested_and_copies_last(home, task):
    waiting = unlabeled_rows(task)
    assert len(waiting) == 20  # one of the twins takes no part
    found = worth_a_label(home, task, 30)
    assert sorted(found.rows) == sorted(waiting)
    assert found.teacher == ""  # no features are there yet: small copies of the images serve
    assert len(worth_a_label(home, task, 5).rows) == 5
    passed = worth_a_label(home, task, 5).rows.tolist()
    assert not set(worth_a_label(home, task, 30, passed=passed).rows) & set(passed)


def test_a_teachers_features_choose_what_is_far_from_all_that_is_labeled(home, task):
    teacher = next(c.teacher for c in candidates(home, task) if c.allowed)
    rows = task.train_rows
    features = np.tile(np.array([1.0, 0.0, 0.0]), (len(rows), 1))
    far, farther = unlabeled_rows(task)[[3, 8]]
    features[rows == far] = [1, 1, 0]  # 45 degrees
    features[rows == farther] = [0, 0, 1]  # 90 degrees
    pseudo = np.full((len(rows), len(teacher.classes)), 1 / len(teacher.classes))
    FeatureStore(home, task, teacher).write(rows, 0, features.astype(np.float16), pseudo.astype(np.float16))
    found = worth_a_label(home, task, 2)
    assert found.rows.tolist() == [farther, far]
    assert found.teacher == teacher.title
    labeled = relabel(task, {int(farther): "cat"})
    assert worth_a_label(home, labeled, 1).rows.tolist() == [far]


def test_the_first_labels_of_a_task_without_any_are_accepted_one_by_one(task):
    bare = relabel(task, dict.fromkeys(range(len(task.images))))
    first = settled(relabel(bare, {0: "cat"}))
    assert (first.labels >= 0).sum() == 1
    assert first.classes == ("cat", "dog")
    second = settled(relabel(first, {1: "dog"}))
    assert (second.labels >= 0).sum() == 2


def test_who_still_needs_a_task(home, task):
    job = create(home.jobs, "a", kind="map", spec={"task": "pets"}, device="cpu")
    create(home.jobs, "b", kind="map", spec={"task": "other"}, device="cpu")
    assert [found.id for found in users_of_task(home, "pets").unfinished] == ["a"]
    request_cancel(job)
    assert users_of_task(home, "pets").unfinished == ()
