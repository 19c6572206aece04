import numpy as np
import pytest
import torch

from engine.errors import CancelledError, InvalidInputError
from engine.features import FeatureStore, extract
from engine.features.extraction import LOADING
from engine.images import rendering
from engine.review import open_task
from engine.teachers import get_teacher
from engine.training import batches
from engine.training.batches import Table
from engine.workspace import Workspace

SMALL = "mnist"


@pytest.fixture
def task(home):
    return open_task(home, "emoji-fluent")


def small_teachers(home):
    return [get_teacher(home, SMALL), get_teacher(home, "cifar10")]


def test_features_come_back_in_the_order_that_was_asked_for(home, task):
    rows = task.train_rows[:40]
    extract(home, task, [get_teacher(home, SMALL)], rows)
    store = FeatureStore(home, task, get_teacher(home, SMALL))
    shuffled = np.random.default_rng(0).permutation(rows)
    straight, mixed = store.read(rows), store.read(shuffled)
    assert np.array_equal(mixed.features, straight.features[np.searchsorted(rows, shuffled)])
    assert straight.pseudo_labels.shape == (40, len(get_teacher(home, SMALL).classes))
    assert np.allclose(straight.pseudo_labels.sum(1), 1, atol=1e-6)


def test_mapped_pseudo_labels_are_those_that_are_read_whole(home, task, monkeypatch):
    monkeypatch.setattr(batches, "COPIED", 1000)
    rng, record = np.random.default_rng(0), get_teacher(home, SMALL)
    store, classes = FeatureStore(home, task, record), len(record.classes)
    for view in (0, 1):
        for rows in (np.arange(0, 60, 2), np.arange(1, 60, 2)):  # two shards
            said = rng.dirichlet(np.ones(classes), len(rows)).astype(np.float16)
            store.write(rows, view, rng.normal(size=(len(rows), 3)).astype(np.float16), said)
    rows = rng.permutation(60)[:40]
    whole = torch.stack([torch.from_numpy(store.read(rows, view).pseudo_labels).half() for view in (0, 1)])
    mapped = store.map_pseudo_labels(rows, [0, 1])
    assert (mapped.shape, mapped.nbytes, mapped.dtype) == (whole.shape, whole.nbytes, whole.dtype)
    views, places = torch.tensor([1, 0, 1, 1]), torch.tensor([39, 3, 3, 20])
    assert torch.equal(mapped[views, places], whole[views, places])
    assert torch.equal(mapped[1:], whole[1:])
    together = Table((mapped, whole), by=("views", "places")).on(torch.device("cpu")).parts[0]
    assert torch.equal(together, torch.cat([whole, whole], dim=-1))
    for path in store.folder.rglob("*.safetensors"):
        path.unlink()  # what was opened stays
    assert torch.equal(mapped[views, places], whole[views, places])
    with pytest.raises(InvalidInputError, match=r"have no features .* \(view 0\): extract them first"):
        store.map_pseudo_labels(rows, [0])


def test_each_image_is_decoded_once_for_all_teachers(home, task, monkeypatch):
    decoded, decode = [], rendering.decode_for
    monkeypatch.setattr(rendering, "decode_for", lambda *asked: (decoded.append(asked[1]), decode(*asked))[1])
    rows = task.train_rows[:30]
    extract(home, task, small_teachers(home), rows)
    assert sorted(decoded) == sorted(task.images.image_ids[row] for row in rows)


def test_what_is_there_is_not_computed_again(home, task, monkeypatch):
    rows = task.train_rows[:30]
    extract(home, task, [get_teacher(home, SMALL)], rows[:20])
    told = []
    extract(
        home,
        task,
        [get_teacher(home, SMALL)],
        rows,
        progress=lambda done, total, stage: told.append((done, total, stage)),
    )
    assert told[0] == (0, 1, LOADING)  # teachers
    assert told[-1][:2] == (10, 10)  # images
    monkeypatch.setattr("engine.features.extraction.load_teacher", lambda *_: pytest.fail("a network was loaded"))
    extract(home, task, [get_teacher(home, SMALL)], rows)


def test_stopped_extraction_keeps_what_it_has_and_goes_on(home, task):
    rows = task.train_rows[:300]

    def stop(done, total, stage):
        if done:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        extract(home, task, [get_teacher(home, SMALL)], rows, progress=stop)
    store = FeatureStore(home, task, get_teacher(home, SMALL))
    assert len(store.missing(rows, 0)) == 300 - 128
    extract(home, task, [get_teacher(home, SMALL)], rows)
    whole_home = home.path.parent / "whole"
    extract(
        Workspace(whole_home),
        open_task(Workspace(whole_home), "emoji-fluent"),
        [get_teacher(home, SMALL)],
        rows,
    )
    whole = FeatureStore(Workspace(whole_home), task, get_teacher(home, SMALL)).read(rows)
    assert np.allclose(store.read(rows).features, whole.features, rtol=1e-2, atol=1e-2)


def test_a_damaged_shard_is_made_again(home, task):
    rows = task.train_rows[:10]
    extract(home, task, [get_teacher(home, SMALL)], rows)
    store = FeatureStore(home, task, get_teacher(home, SMALL))
    before = store.read(rows)
    [shard] = (store.folder / "view-0").iterdir()
    shard.write_bytes(shard.read_bytes()[:50])
    assert store.missing(rows, 0).tolist() == rows.tolist()
    extract(home, task, [get_teacher(home, SMALL)], rows)
    assert np.array_equal(store.read(rows).features, before.features)


def test_reading_what_was_never_extracted_says_so(home, task):
    with pytest.raises(InvalidInputError, match="3 of 3 images have no features"):
        FeatureStore(home, task, get_teacher(home, SMALL)).read(task.train_rows[:3])


def test_views_differ_and_are_kept_apart(home, task):
    rows = task.train_rows[:5]
    extract(home, task, [get_teacher(home, SMALL)], rows, views=(0, 1))
    store = FeatureStore(home, task, get_teacher(home, SMALL))
    assert not np.array_equal(store.read(rows, 0).features, store.read(rows, 1).features)


def test_the_cache_never_holds_labels(home, task):
    rows = task.train_rows[:5]
    extract(home, task, [get_teacher(home, SMALL)], rows)
    [shard] = (FeatureStore(home, task, get_teacher(home, SMALL)).folder / "view-0").iterdir()
    from safetensors import safe_open

    with safe_open(shard, framework="numpy") as file:
        assert set(file.keys()) == {"rows", "features", "pseudo_labels"}
