import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from engine.errors import CancelledError, InvalidInputError
from engine.features import FeatureStore, extract, extraction, forward
from engine.features.extraction import LOADING, ExtractionShare
from engine.images import rendering
from engine.review import open_task
from engine.teachers import get_teacher
from engine.tensors import read_tensors
from engine.training import batches
from engine.training.batches import RowTable
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
    together = RowTable((mapped, whole), by=("views", "places")).on(torch.device("cpu")).parts[0]
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


def test_stopped_extraction_keeps_what_it_has_and_goes_on(home, task, monkeypatch):
    monkeypatch.setattr(forward, "CPU_BATCH", 16)
    rows = task.train_rows[:40]

    def stop(done, total, stage):
        if done:
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        extract(home, task, [get_teacher(home, SMALL)], rows, progress=stop)
    store = FeatureStore(home, task, get_teacher(home, SMALL))
    assert len(store.missing(rows, 0)) == 40 - 16
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


def test_shares_divide_an_extraction_without_an_image_in_common(home, task, monkeypatch):
    monkeypatch.setattr(extraction, "SHARE_ROWS", 16)
    rows, record = task.train_rows[:100], get_teacher(home, SMALL)
    parts = [ExtractionShare(part, 3).rows(rows) for part in range(3)]
    assert sorted(np.concatenate(parts)) == rows.tolist()
    assert min(map(len, parts)) > 20
    for part in range(3):  # as three processes would; what is there already changes nothing for the others
        extract(home, task, [record], rows, share=ExtractionShare(part, 3))
        extract(home, task, [record], rows, share=ExtractionShare(part, 3))
    store = FeatureStore(home, task, record)
    assert not len(store.missing(rows, 0))
    written = [read_tensors(path, "numpy")["rows"] for path in (store.folder / "view-0").iterdir()]
    assert sorted(np.concatenate(written)) == rows.tolist()  # each once
    with pytest.raises(InvalidInputError, match="no share 3 of 3"):
        ExtractionShare(3, 3)


def test_processes_may_write_and_read_one_cache_at_once(home, task):
    """Two that extract the same rows, by other batches, and one that reads meanwhile."""
    rows, record = np.arange(60), get_teacher(home, SMALL)
    features = np.tile(rows[:, None], (1, 4)).astype(np.float16)
    stores = [FeatureStore(home, task, record) for _ in range(3)]

    def write(store, step):
        for start in range(0, 60, step):
            part = slice(start, start + step)
            store.write(rows[part], 0, features[part], features[part] * 0 + np.float16(0.25))

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, stores[0], 4), pool.submit(write, stores[1], 6)]
        while not all(writer.done() for writer in writers):
            held = np.setdiff1d(rows, stores[2].missing(rows, 0))
            if len(held):
                assert np.array_equal(stores[2].read_features(held)[:, 0], held)
    assert np.array_equal(stores[2].read_features(rows[::-1]), features[::-1])


def test_work_stops_while_images_are_decoded(home, task):
    heard = []

    def stop(done, total, stage):
        heard.append((done, stage))
        if len(heard) == 4:  # one teacher, the beginning, and two pieces of the first batch
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        extract(home, task, [get_teacher(home, SMALL)], task.train_rows[:100], progress=stop)
    assert [done for done, _ in heard] == [0, 0, 0, 0]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("render")]
