"""Decoding and rendering on all processors: order, memory, and how it ends."""

import io
import threading

import numpy as np
import pytest
from PIL import Image

from engine.errors import CancelledError, DamagedFileError
from engine.images import rendering
from engine.images.converting import decode
from engine.images.rendering import AHEAD, decoded, rendered
from engine.images.views import boxes, render, square
from engine.processors import usable_processors

SIDE, IMAGES = 24, 45


@pytest.fixture(scope="module")
def files():
    """Small pictures, no two alike, no square among them."""
    rng, made = np.random.default_rng(0), []
    for i in range(IMAGES):
        stream = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (SIDE, SIDE + 1 + i % 5, 3), dtype=np.uint8)).save(stream, "PNG")
        made.append(stream.getvalue())
    return made


class Reading:
    """Gives contents, and counts them."""

    def __init__(self, files):
        self.files, self.rows = files, []

    def __call__(self, rows):
        for row in rows:
            self.rows.append(int(row))
            yield self.files[row], f"image {row}"


def nobody_renders():
    return not [t for t in threading.enumerate() if t.name.startswith("render")]


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
@pytest.mark.parametrize("batch", [10, 64])
def test_batches_are_what_one_image_after_the_other_gives(files, resize, batch):
    rows = np.random.default_rng(1).permutation(IMAGES)
    views = boxes([str(row) for row in rows], 1, flip=True)
    found = list(rendered(Reading(files), rows, views, [8, 16], resize, batch=batch))
    assert [len(part[8]) for part in found] == [len(rows[start : start + batch]) for start in range(0, IMAGES, batch)]
    for size in (8, 16):
        together = np.concatenate([part[size] for part in found])
        for row, box, pixels in zip(rows, views, together, strict=True):
            assert np.array_equal(pixels, render(square(decode(files[row], ""), resize), box, size))
    assert nobody_renders()


def all_of(read, hear=lambda done: None, **how):
    whole = np.tile(np.array([0, 0, 1, 1, 0], dtype=np.float32), (IMAGES, 1))
    return rendered(read, np.arange(IMAGES), whole, [8], "squash", batch=5, hear=hear, **how)


def test_no_more_than_a_few_batches_are_ahead(files):
    read = Reading(files)
    made = all_of(read)
    next(made)
    assert 5 <= len(read.rows) <= 5 * (1 + AHEAD)
    made.close()
    assert nobody_renders()


def test_a_damaged_image_is_named_and_no_thread_is_left(files):
    with pytest.raises(DamagedFileError, match="image 31 is no readable image"):
        list(all_of(Reading([*files[:31], files[31][:60], *files[32:]])))
    assert nobody_renders()


def test_progress_comes_as_images_are_ready_and_may_stop_the_work(files):
    heard = []
    list(all_of(Reading(files), heard.append))
    assert heard == sorted(heard)
    assert heard[-1] == IMAGES

    def stop(done):
        raise CancelledError("enough")

    read = Reading(files)
    with pytest.raises(CancelledError):
        list(all_of(read, stop))
    assert len(read.rows) <= 5 * (1 + AHEAD)
    assert nobody_renders()


def test_the_memory_of_a_batch_may_be_given(files):
    asked = []
    list(all_of(Reading(files), empty=lambda shape: (asked.append(shape), np.empty(shape, dtype=np.uint8))[1]))
    assert asked == [(5, 8, 8, 3)] * 9


def test_of_images_one_after_the_other_few_are_held(files, monkeypatch):
    monkeypatch.setattr(rendering, "threads", lambda: 2)
    rows, read = np.random.default_rng(1).permutation(IMAGES), Reading(files)
    for done, image in enumerate(decoded(read, rows), start=1):
        assert np.array_equal(image, decode(files[rows[done - 1]], ""))
        assert len(read.rows) < done + 4
    assert done == IMAGES


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({"cpu.max": "150000 100000"}, 2),
        ({"cpu.max": "max 100000"}, None),
        ({"cpu/cpu.cfs_quota_us": "50000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu.max": "what"}, None),
        ({}, None),
    ],
)
def test_a_container_may_have_fewer_processors_than_its_machine(tmp_path, monkeypatch, given, limit):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)
    for name, text in given.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert usable_processors(tmp_path) == (limit or 8)
