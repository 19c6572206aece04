"""A teacher known only by a table of what it says of a task's images."""

import dataclasses
import io
import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine import jobs
from engine.errors import DamagedFileError, InvalidInputError, UnavailableError
from engine.features import FeatureStore, add_outputs, describes, extract
from engine.features.outputs_table import find_columns
from engine.features.precomputed import request_outputs
from engine.handlers import HANDLERS
from engine.jobs import worker
from engine.review import open_task
from engine.teachers import TeacherDescription, added_teachers, get_teacher, load_teacher
from engine.teachers.install import stage


@pytest.fixture
def task(home):
    return open_task(home, "emoji-fluent")


def said(task, width=6, classes=3):
    random = np.random.default_rng(0)
    count = len(task.images)
    features = random.normal(size=(count, width)).astype(np.float32)
    return features, random.dirichlet(np.ones(classes), count).astype(np.float32)


def written(tmp_path, **columns):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def add(home, task, path, title="Our network", **options):
    return add_outputs(
        home, task, path, "table.parquet", TeacherDescription(title=title, collection="clinic"), **options
    )


def test_features_and_pseudo_labels_are_kept_image_by_image(home, task, tmp_path):
    features, pseudo_labels = said(task)
    order = np.random.default_rng(1).permutation(len(task.images))
    path = written(
        tmp_path,
        image_id=[task.images.image_ids[row] for row in order],
        label=task.labels[order],
        features=list(features[order]),
        pseudo_labels=list(pseudo_labels[order]),
    )
    record = add(home, task, path, classes=["cat", "dog", "fish"])
    assert (record.origin, record.classes, record.parameters) == ("outputs", ("cat", "dog", "fish"), 0)
    assert record.accuracy_note == f"Precomputed for {len(order):,} images. Columns left alone: 'label'."
    read = FeatureStore(home, task, get_teacher(home, record.name)).read(task.train_rows, view=0)
    assert np.allclose(read.features, features[task.train_rows], rtol=1e-3, atol=1e-3)  # half precision
    assert np.allclose(read.pseudo_labels, pseudo_labels[task.train_rows], atol=1e-3)
    later = FeatureStore(home, task, record).read(task.train_rows, view=3)
    assert np.array_equal(later.features, read.features)  # of the whole image, so for every view


def test_columns_of_numbers_and_file_names_do_as_well(home, task, tmp_path):
    features, pseudo_labels = said(task)
    names = [image_id.rpartition("/")[2].rpartition(".")[0] for image_id in task.images.image_ids]
    columns = {f"f{i}": features[:, i] for i in range(6)}
    columns |= {f"p_{name}": pseudo_labels[:, i] for i, name in enumerate(("cat", "dog", "fish"))}
    record = add(home, task, written(tmp_path, file=names, **columns))
    assert record.classes == ("cat", "dog", "fish")
    read = FeatureStore(home, task, record).read(task.train_rows)
    assert np.allclose(read.pseudo_labels, pseudo_labels[task.train_rows], atol=1e-3)


def test_file_names_match_however_their_letters_are_written(home, task, tmp_path, monkeypatch):
    apart, whole = (unicodedata.normalize(form, "Käfer/ä.png") for form in ("NFD", "NFC"))
    assert len(task.train_rows)  # read with the ids that the split is about
    monkeypatch.setattr(task.images, "image_ids", [whole, *task.images.image_ids[1:]])
    features, _ = said(task)
    record = add(home, task, written(tmp_path, image=[apart, *task.images.image_ids[1:]], features=list(features)))
    read = FeatureStore(home, task, get_teacher(home, record.name)).read(np.array([0]), view=0)
    assert np.allclose(read.features, features[:1], rtol=1e-3, atol=1e-3)


def test_pseudo_labels_alone_serve_as_features_and_features_alone_give_none(home, task, tmp_path):
    features, pseudo_labels = said(task)
    ids = task.images.image_ids
    alone = add(home, task, written(tmp_path, image_id=ids, probs=list(pseudo_labels)), "Labels alone")
    read = FeatureStore(home, task, alone).read(task.train_rows)
    assert np.allclose(read.features, read.pseudo_labels, atol=1e-3)
    assert "serve as features" in alone.accuracy_note
    silent = add(home, task, written(tmp_path, image_id=ids, embedding=list(features)), "Features alone")
    assert not silent.has_pseudo_labels
    assert FeatureStore(home, task, silent).read(task.train_rows).pseudo_labels.shape == (len(task.train_rows), 0)


def test_missing_training_images_are_counted_and_named(home, task, tmp_path):
    features, _ = said(task)
    kept = np.setdiff1d(np.arange(len(task.images)), task.train_rows[:5])
    path = written(tmp_path, image_id=[task.images.image_ids[r] for r in kept], features=list(features[kept]))
    first = task.images.image_ids[task.train_rows[0]]
    with pytest.raises(InvalidInputError, match=f"nothing of 5 of the {len(task.train_rows):,} training.*{first}"):
        add(home, task, path)
    assert added_teachers(home) == []


def test_held_out_images_are_not_needed_and_strangers_are_left_out(home, task, tmp_path):
    features, _ = said(task)
    ids = [task.images.image_ids[row] for row in task.train_rows]
    rows = [*features[task.train_rows], features[0], features[1]]
    record = add(home, task, written(tmp_path, image_id=[*ids, "stranger.png", None], features=rows))
    assert "2 rows of the file named no image" in record.accuracy_note
    assert len(FeatureStore(home, task, record).missing(task.test_rows, 0)) == len(task.test_rows)


def test_it_says_nothing_of_other_tasks_or_other_images(home, task, tmp_path):
    features, _ = said(task)
    record = add(home, task, written(tmp_path, image_id=task.images.image_ids, features=list(features)))
    assert describes(record, task)
    assert not describes(record, open_task(home, "quickdraw"))
    other = dataclasses.replace(record, weights=dataclasses.replace(record.weights, image_ids="0" * 16))
    assert not describes(other, task)  # a task of the same name with other images
    with pytest.raises(UnavailableError, match="has no network here"):
        load_teacher(home, record, "cpu")
    extract(home, task, [record], task.train_rows, views=(0, 1))  # nothing is missing, so no network is asked for


def test_damaged_outputs_are_said_not_thrown_away(home, task, tmp_path):
    features, _ = said(task)
    record = add(home, task, written(tmp_path, image_id=task.images.image_ids, features=list(features)))
    store = FeatureStore(home, task, record)
    [shard] = (store.folder / "view-0").iterdir()
    shard.write_bytes(shard.read_bytes()[:100])
    with pytest.raises(DamagedFileError, match="add it again from its file"):
        store.missing(task.train_rows, 0)
    assert shard.exists()


@pytest.mark.parametrize("further", [0, 6_000])
def test_two_columns_of_one_name_are_refused_however_many_there_are(further):
    fields = [("image_id", pa.string()), *((f"f{i}", pa.float32()) for i in range(further)), ("f0", pa.float32())]
    schema = pa.schema([*fields, ("f0", pa.float32())])
    with pytest.raises(InvalidInputError, match="two columns named 'f0'"):
        find_columns(schema, "table.parquet")


def test_a_job_adds_a_table(home, task, tmp_path):
    features, _ = said(task)
    path = written(tmp_path, image_id=task.images.image_ids, features=list(features))
    upload = stage(home, io.BytesIO(path.read_bytes()))
    job = request_outputs(
        home, task, upload, "table.parquet", TeacherDescription(title="By a job", collection="clinic"), [], None
    )
    assert worker.run(job.folder, HANDLERS) == worker.DONE, jobs.status(job).message
    assert get_teacher(home, "by-a-job").weights.task == task.name
    assert not (home.uploads / upload).exists()
