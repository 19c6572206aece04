import dataclasses
from importlib.metadata import version
from threading import Thread

import numpy as np
import pyarrow as pa
import pytest
from tqdm.auto import tqdm

from engine import maps
from engine.errors import UnknownNameError
from engine.features import FeatureStore
from engine.jobs import status, worker
from engine.review import open_task
from engine.tasks.task import Task, write_revision, write_task
from engine.teachers import get_teacher

TEACHER = "mnist"  # the smallest network of the catalogue


@pytest.fixture(autouse=True)
def nothing_bundled(monkeypatch, tmp_path):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "no maps")


@pytest.fixture
def uncompiled_search(monkeypatch):
    """Of umap-learn, compile the moving of the points alone: all else takes 12 s to compile, and no time as it is."""
    from umap import umap_

    for name in ("fast_knn_indices", "smooth_knn_dist", "compute_membership_strengths"):
        monkeypatch.setattr(umap_, name, getattr(umap_, name).py_func)


@pytest.fixture
def task(home):
    return open_task(home, "emoji-fluent")


def pretend(home, task, rows, features, teacher=TEACHER):
    """Put made-up features into the cache, as if they were extracted of `rows`."""
    record = get_teacher(home, teacher)
    pseudo_labels = np.full((len(rows), len(record.classes)), 1 / len(record.classes), dtype=np.float16)
    FeatureStore(home, task, record).write(rows, 0, features.astype(np.float16), pseudo_labels)


def clusters(labels, dimensions=16, spread=0.05, seed=0):
    """Features whose direction is the class's, with a little noise: `[len(labels), dimensions]`."""
    generator = np.random.default_rng(seed)
    centers = generator.normal(size=(labels.max() + 1, dimensions))
    return centers[labels] + spread * generator.normal(size=(len(labels), dimensions))


def run(job):
    return worker.run(job.folder, {maps.KIND: maps.execute_map})


def test_a_map_shows_training_images_only(task):
    rows = maps.map_rows(task)
    assert np.array_equal(rows, task.train_rows)
    assert not set(rows) & set(task.test_rows)


def test_of_many_images_a_sample_is_drawn_the_same_each_time(task, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 100)
    rows = maps.map_rows(task)
    assert len(rows) == len(set(rows)) == 100
    assert set(rows) <= set(task.train_rows)
    assert np.array_equal(rows, np.sort(rows))
    assert np.array_equal(rows, maps.map_rows(task))


def test_pca_waits_for_three_images_and_then_shows_those_seen(home, task):
    assert maps.pca_map(home, task, TEACHER) is None
    pretend(home, task, task.train_rows[:2], np.eye(2, 16))
    assert maps.pca_map(home, task, TEACHER) is None
    seen = task.train_rows[5:45]
    pretend(home, task, seen, clusters(task.labels[seen]))
    pretend(home, task, task.test_rows[:9], np.ones((9, 16)))
    assert set(maps.pca_map(home, task, TEACHER).rows) == set(seen) | set(task.train_rows[:2])


def test_pca_is_the_projection_on_the_first_two_principal_directions_of_unit_features(home, task):
    rows = task.train_rows[:50]
    features = clusters(task.labels[rows]).astype(np.float16)
    pretend(home, task, rows, features)
    drawn = maps.pca_map(home, task, TEACHER)
    unit = features.astype(np.float64) / np.linalg.norm(features.astype(np.float64), axis=1, keepdims=True)
    centered = unit - unit.mean(axis=0)
    directions = np.linalg.svd(centered)[2][:2]
    directions *= np.sign(directions[[0, 1], np.abs(directions).argmax(axis=1)])[:, None]
    np.testing.assert_allclose(drawn.coordinates, centered @ directions.T, atol=1e-3)


@pytest.mark.usefixtures("uncompiled_search")
def test_umap_keeps_far_clusters_apart_and_is_the_same_each_time():
    labels = np.repeat([0, 1, 2], 20)
    features = clusters(labels).astype(np.float32)
    drawn = maps.umap_coordinates(features)
    centers = np.stack([drawn[labels == label].mean(axis=0) for label in range(3)])
    nearest = np.linalg.norm(drawn[:, None] - centers, axis=2).argmin(axis=1)
    assert np.array_equal(nearest, labels)
    assert np.array_equal(drawn, maps.umap_coordinates(features))


@pytest.mark.usefixtures("uncompiled_search")
def test_umap_of_a_handful_of_images():
    drawn = maps.umap_coordinates(clusters(np.array([0, 0, 1, 1, 1])).astype(np.float32))
    assert drawn.shape == (5, 2)
    assert np.isfinite(drawn).all()


@pytest.mark.usefixtures("uncompiled_search")
def test_the_job_looks_at_what_is_missing_and_leaves_a_map(home, task, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 40)
    assert maps.read_map(home, task, TEACHER, "umap") is None
    job = maps.request_map(home, task, TEACHER, "cpu")
    assert maps.request_map(home, task, TEACHER, "cpu") == job
    assert run(job) == worker.DONE, status(job).message
    drawn = maps.read_map(home, task, TEACHER, "umap")
    assert np.array_equal(drawn.rows, maps.map_rows(task))
    assert drawn.coordinates.shape == (40, 2)
    assert np.isfinite(drawn.coordinates).all()
    assert np.array_equal(maps.seen_rows(home, task, TEACHER), drawn.rows)
    # A map of other parameters is another map.
    monkeypatch.setattr(maps, "UMAP_NEIGHBORS", 5)
    assert maps.read_map(home, task, TEACHER, "umap") is None


def test_a_damaged_map_can_be_made_again(home, task, monkeypatch):
    path = maps._path(home.maps, task, get_teacher(home, TEACHER), "umap", False, task.revision)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"not a map")
    assert maps.read_map(home, task, TEACHER, "umap") is None
    assert not path.exists()


def test_a_map_that_comes_with_the_program_is_there_at_once(home, task, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "assets")
    rows, teacher = maps.map_rows(task), get_teacher(home, TEACHER)
    drawn = maps.Map("umap", rows, np.random.default_rng(0).normal(size=(len(rows), 2)).astype(np.float32))
    maps.record_map(tmp_path / "assets", task, teacher, drawn)
    found = maps.read_map(home, task, TEACHER, "umap")
    assert np.array_equal(found.rows, rows)
    assert np.abs(found.coordinates - drawn.coordinates).max() <= np.ptp(drawn.coordinates, axis=0).max() / 2**16
    assert found.recorded == f"umap-learn {version('umap-learn')}"
    assert maps.read_map(home, task, "letters", "umap") is None
    assert maps.read_map(home, task, TEACHER, "pca") is None
    assert maps.read_map(home, task, TEACHER, "umap", whole=True) is None
    maps.write_map(home.maps, task, teacher, drawn)  # one that was drawn here takes its place
    assert maps.read_map(home, task, TEACHER, "umap").recorded == ""


def test_a_recorded_map_of_something_else_is_refused(home, task, tmp_path, monkeypatch):
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "assets")
    rows, teacher = maps.map_rows(task), get_teacher(home, TEACHER)
    maps.record_map(tmp_path / "assets", task, teacher, maps.Map("umap", rows, np.eye(len(rows), 2, dtype=np.float32)))
    assert maps.recorded_map(task, teacher) is not None
    for change in ("labels", "split"):  # as they would be after a change: another revision
        other = Task(home, dataclasses.replace(task.record, **{change: "0" * 12}))
        other.__dict__["splits"] = task.splits
        assert maps.recorded_map(other, teacher) is None
    assert maps.recorded_map(task, dataclasses.replace(teacher, input_size=teacher.input_size + 1)) is None
    monkeypatch.setattr(maps, "UMAP_MIN_DISTANCE", 0.5)
    assert maps.recorded_map(task, teacher) is None
    monkeypatch.undo()
    monkeypatch.setattr(maps, "ASSETS", tmp_path / "assets")
    path = tmp_path / "assets" / task.name / f"{TEACHER}.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert maps.recorded_map(task, teacher) is None


def test_a_job_of_a_task_that_has_changed_since_says_so(home, task):
    job = maps.request_map(home, task, TEACHER, "cpu")
    moved = task.splits.copy()
    moved[task.train_rows[0]] = "test"
    split = write_revision(task.folder / "splits", "split", task.images.image_ids, pa.array(moved.tolist()))
    write_task(task.folder, dataclasses.replace(task.record, split=split))
    assert run(job) == worker.FAILED
    assert "has changed since" in status(job).message
    changed = Task(task.workspace, dataclasses.replace(task.record, split=split))
    assert maps.request_map(home, changed, TEACHER, "cpu").id != job.id


def test_there_is_no_other_kind_of_map(home, task):
    with pytest.raises(UnknownNameError, match="pca"):
        maps.read_map(home, task, TEACHER, "tsne")


def test_teachers_without_a_network_have_a_map_each(home, task):
    rows, record = maps.map_rows(task), get_teacher(home, TEACHER)
    without = dataclasses.replace(record.weights, source="outputs", task=task.name)
    for name in ("ours", "theirs"):
        teacher = dataclasses.replace(record, name=name, weights=without)
        maps.write_map(home.maps, task, teacher, maps.Map("umap", rows, np.zeros((len(rows), 2), np.float32)))
    found = sorted(path.parent.name for path in home.maps.rglob("*.safetensors"))
    assert found == [f"{name}-{record.key}" for name in ("ours", "theirs")]


def test_a_map_of_the_whole_split_is_a_map_of_its_own(home, task, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 40)
    assert np.array_equal(maps.map_rows(task, whole=True), task.train_rows)
    sample, whole = (maps.request_map(home, task, TEACHER, "cpu", whole=whole) for whole in (False, True))
    assert sample.id != whole.id
    pretend(home, task, task.train_rows, clusters(task.labels[task.train_rows]))
    monkeypatch.setattr(maps, "umap_coordinates", lambda features, progress: features[:, :2])
    assert run(whole) == worker.DONE, status(whole).message
    assert maps.read_map(home, task, TEACHER, "umap") is None
    assert np.array_equal(maps.read_map(home, task, TEACHER, "umap", whole=True).rows, task.train_rows)
    monkeypatch.setattr(maps, "LARGEST_WHOLE", 50)
    assert len(maps.map_rows(task, whole=True)) == 50


@pytest.mark.usefixtures("uncompiled_search")
def test_each_epoch_of_a_map_is_told_and_can_end_it():
    features, told = clusters(np.repeat([0, 1], 15)).astype(np.float32), []
    drawn = maps.umap_coordinates(features, lambda *said: told.append(said))
    assert told[0] == (0, 500, maps.EPOCHS)  # umap-learn's own number for few images
    assert told[-1] == (500, 500, maps.EPOCHS)
    assert np.array_equal(drawn, maps.umap_coordinates(features))

    def stop(done, total, stage):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maps.umap_coordinates(features, stop)
    other = Thread(target=lambda: tqdm.get_lock().__enter__() or tqdm.get_lock().__exit__(), daemon=True)
    other.start()
    other.join(10)
    assert not other.is_alive()  # the bar's lock is free again


@pytest.mark.usefixtures("uncompiled_search")
def test_a_large_map_starts_from_pca(monkeypatch):
    assert [maps._start(n) for n in (15, 16, 19_999, 20_000, 100_000)] == [
        "random",
        "spectral",
        "spectral",
        "pca",
        "pca",
    ]
    monkeypatch.setattr(maps, "SPECTRAL_BELOW", 30)
    labels = np.repeat([0, 1, 2], 20)
    told = []
    drawn = maps.umap_coordinates(clusters(labels).astype(np.float32), lambda *said: told.append(said))
    assert told[-1] == (maps.EPOCHS_OF_MANY, maps.EPOCHS_OF_MANY, maps.EPOCHS)
    centers = np.stack([drawn[labels == label].mean(axis=0) for label in range(3)])
    assert np.array_equal(np.linalg.norm(drawn[:, None] - centers, axis=2).argmin(axis=1), labels)


def test_a_map_stays_when_labels_change_and_one_that_went_by_the_revision_is_found(home, task):
    record, rows = get_teacher(home, TEACHER), maps.map_rows(task)
    drawn = maps.Map("umap", rows, np.zeros((len(rows), 2), np.float32))
    maps.write_map(home.maps, task, record, drawn)
    labels = task.labels.copy()
    labels[rows[0]] = (labels[rows[0]] + 1) % len(task.classes)
    revision = write_revision(task.folder / "labels", "label", task.images.image_ids, pa.array(labels, pa.int32()))
    changed = Task(task.workspace, dataclasses.replace(task.record, labels=revision))
    assert changed.revision != task.revision
    assert maps.read_map(home, changed, TEACHER, "umap") is not None
    [path] = home.maps.rglob("*.safetensors")
    path.rename(maps._path(home.maps, task, record, "umap", False, task.revision))
    assert maps.read_map(home, task, TEACHER, "umap") is not None
    assert maps.read_map(home, changed, TEACHER, "umap") is None


def test_one_job_draws_the_maps_of_several_teachers(home, task, monkeypatch):
    monkeypatch.setattr(maps, "LARGEST_MAP", 40)
    names = [TEACHER, "letters"]
    for name in names:
        pretend(home, task, maps.map_rows(task), clusters(task.labels[maps.map_rows(task)]), name)
    monkeypatch.setattr(maps, "umap_coordinates", lambda features, progress: features[:, :2])
    job = maps.request_maps(home, task, names, "cpu")
    assert maps.asked_teachers(job.spec) == {name: get_teacher(home, name).key for name in names}
    assert run(job) == worker.DONE, status(job).message
    assert all(maps.read_map(home, task, name, "umap") is not None for name in names)
