import numpy as np
import pytest

from engine import maps, runs
from engine.features import FeatureStore
from engine.jobs import load, status, worker
from engine.neighborhoods import kept_neighbors
from engine.runs.spec import spec_of
from engine.runs.student_maps import KIND, PLACES, execute_student_maps
from engine.student import write_student
from engine.teachers import bundled_imagenet_state, get_teacher
from engine.training.student_network import build_student
from tests.app import made_runs

IMAGES = 24  # on the map


@pytest.fixture
def run(home, monkeypatch):
    """A finished run whose student has the weights that it began with, and its task."""
    monkeypatch.setattr(maps, "LARGEST_MAP", IMAGES)
    task, comparison = made_runs.planned(home, ["fine-tune"], [0], images=160)
    made_runs.finish(home, comparison)
    [name] = comparison.runs
    spec = spec_of(load(home.runs / name))
    student = build_student(spec.train, len(task.classes), {}, spec.seed, bundled_imagenet_state)
    write_student(home.runs / name, student.network, spec.train, task)
    return task, name


def test_maps_of_a_student_are_kept_with_its_run_with_what_it_took_over(home, run, monkeypatch):
    task, name = run
    rows, drawn = maps.map_rows(task), []
    store = FeatureStore(home, task, get_teacher(home, "mnist"))
    features = np.random.default_rng(0).normal(size=(IMAGES, 8)).astype(np.float16)
    store.write(rows, 0, features, np.full((IMAGES, 10), 0.1, dtype=np.float16))
    monkeypatch.setattr(
        "engine.runs.student_maps.umap_coordinates", lambda rows, progress: drawn.append(rows) or rows[:, :2]
    )
    assert runs.maps_of_student(home, name) is None
    job = runs.request_student_maps(home, name, "cpu")
    assert worker.run(job.folder, {KIND: execute_student_maps}) == worker.DONE, status(job).message
    found = runs.maps_of_student(home, name)
    assert np.array_equal(found.before.rows, rows)
    assert np.array_equal(found.after.coordinates, drawn[1][:, :2])
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-4)  # it has not learned anything
    [one] = found.inherited
    assert (one.teacher, one.after.images) == ("mnist", IMAGES)
    assert one.after.share == pytest.approx(kept_neighbors(features.astype(np.float32), drawn[1]).share)
    (home.runs / name / PLACES).write_bytes(b"damaged")
    assert runs.maps_of_student(home, name) is None  # and it is made again
