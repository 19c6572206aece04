"""Pixels of a task at one size: the same values as decoding gives, made once, and never taken from what is damaged."""

import os
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from engine.errors import CancelledError, DamagedFileError, StorageError
from engine.jobs import FileLock
from engine.tasks import pixel_file
from engine.tasks.image_table import IMAGES_FILE, write_image_table
from engine.tasks.pixel_file import AGAIN, CHECKING, PIXELS, READING, RECORD, WAITING, open_pixels
from engine.tasks.task import TaskRecord, load_task, write_task_files
from tests.engine.intake.made_sources import encoded

IMAGES, SIZE = 11, 8


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Four images in a block."""
    monkeypatch.setattr(pixel_file, "BLOCK_BYTES", 4 * 3 * SIZE**2)


def contents(count, seed=0):
    rng = np.random.default_rng(seed)
    return [encoded(Image.fromarray(rng.integers(0, 256, (9 + i % 3, 12, 3), np.uint8))) for i in range(count)]


def made(home, files, resize="pad"):
    """A task of these image files."""
    folder = home.tasks / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"{i}.png" for i in range(len(files))]
    write_image_table(folder / IMAGES_FILE, iter(zip(ids, files, strict=True)))
    about = {name: "" for name in ("title", "summary", "collection", "license", "source", "split_rule")}
    record = TaskRecord("mine", **about, parts=(), classes=("a", "b"), resize=resize, flip=True)
    write_task_files(folder, record, ids, [i % 2 for i in range(len(ids))], ["train"] * len(ids))
    return load_task(home, "mine")


@pytest.fixture
def task(home):
    return made(home, contents(IMAGES))


class Watched:
    """Progress that remembers, and stops at its n-th call."""

    def __init__(self, stop=None):
        self.told, self.stop = [], stop

    def __call__(self, done, total, stage):
        self.told.append((stage, done, total))
        if len(self.told) == self.stop:
            raise CancelledError("enough")

    def counted(self, *stages):
        """The highest count of a stage."""
        return max((done for stage, done, _ in self.told if stage in stages), default=0)


def rows_of(task):
    return np.arange(len(task.images))


def folder_of(task):
    return next((task.workspace.pixels / "mine").iterdir())


def as_today(task, rows):
    return task.images.pixels(rows, SIZE, task.record.resize).transpose(0, 3, 1, 2)


def opened(task, progress=lambda *_: None, rows=None):
    return open_pixels(task, SIZE, [rows_of(task) if rows is None else rows], progress)[0]


@pytest.mark.parametrize("resize", ["squash", "pad", "crop"])
def test_values_are_those_of_decoding_and_come_in_the_order_of_the_rows(home, resize):
    task = made(home, contents(IMAGES), resize)
    train, test = np.array([9, 2, 4]), np.array([10, 0])
    first, second = open_pixels(task, SIZE, [train, test])
    assert (len(first), first.shape, len(second)) == (3, (3, 3, SIZE, SIZE), 2)
    places = torch.tensor([2, 0, 0])
    assert np.array_equal(first[places].numpy(), as_today(task, [4, 9, 9]))
    assert np.array_equal(second[:].numpy(), as_today(task, [10, 0]))
    assert second[1:5].shape == (1, 3, SIZE, SIZE)
    assert torch.equal(first[places], first[(places,)])
    assert (first.nbytes, first.dtype) == (first[:].nbytes, first[:].dtype)


def test_they_are_made_once_whatever_the_split(task):
    opened(task, rows=np.arange(8))
    watched = Watched()
    opened(task, watched, rows=np.arange(4))
    assert watched.counted(READING) == 0
    rest = Watched()
    assert np.array_equal(opened(task, rest)[:].numpy(), as_today(task, rows_of(task)))
    assert rest.counted(READING) == 3  # the last block


def test_a_table_that_has_grown_keeps_its_whole_blocks(home, task):
    before = opened(task)
    grown = made(home, [*contents(IMAGES), *contents(6, seed=1)])
    watched = Watched()
    assert np.array_equal(opened(grown, watched)[:].numpy(), as_today(grown, rows_of(grown)))
    assert watched.counted(READING) == 17 - 8
    assert np.array_equal(before[:].numpy(), as_today(task, rows_of(task)))


def test_other_images_under_the_same_name_never_meet_old_pixels(home, task):
    opened(task)
    other = made(home, contents(IMAGES, seed=2))
    assert np.array_equal(opened(other)[:].numpy(), as_today(other, rows_of(other)))


@pytest.mark.parametrize("stop", [3, 6, 10])
def test_what_was_done_before_a_stop_stays_done(task, stop, monkeypatch):
    monkeypatch.setattr(pixel_file, "_RENDERED_TOGETHER", 1)
    with pytest.raises(CancelledError):
        opened(task, Watched(stop))
    watched = Watched()
    assert np.array_equal(opened(task, watched)[:].numpy(), as_today(task, rows_of(task)))
    assert watched.counted(READING) == IMAGES - (stop - 2) // 4 * 4  # its calls: the beginning, then each image


def flip(path):
    content = bytearray(path.read_bytes())
    content[5 * 3 * SIZE**2] ^= 1  # in the second block
    path.write_bytes(content)


DAMAGES = {
    "a flipped bit": (PIXELS, flip, 4),
    "cut": (PIXELS, lambda path: os.truncate(path, 6 * 3 * SIZE**2), 7),
    "empty": (PIXELS, lambda path: os.truncate(path, 0), IMAGES),
    "gone": (PIXELS, os.unlink, IMAGES),
    "a record of nonsense": (RECORD, lambda path: path.write_bytes(b"{"), IMAGES),
    "a record that was changed": (RECORD, lambda path: path.write_text(path.read_text().replace("a", "b")), IMAGES),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_made_anew_and_said(task, damage):
    opened(task)
    name, change, again = DAMAGES[damage]
    change(folder_of(task) / name)
    watched = Watched()
    assert np.array_equal(opened(task, watched)[:].numpy(), as_today(task, rows_of(task)))
    assert watched.counted(AGAIN) == again
    quiet = Watched()
    opened(task, quiet)
    assert {stage for stage, *_ in quiet.told} == {CHECKING}


def test_what_was_opened_outlives_its_deletion(task):
    first = opened(task)
    for path in folder_of(task).iterdir():
        path.unlink()
    assert np.array_equal(first[:].numpy(), as_today(task, rows_of(task)))
    assert np.array_equal(opened(task)[:].numpy(), first[:].numpy())


def test_one_makes_them_and_the_other_waits(task):
    lock = FileLock(task.workspace, f"pixels-mine-pad-{SIZE}")
    lock.acquire()
    watched = Watched()
    waiting = threading.Thread(target=opened, args=(task, watched))
    waiting.start()
    while not watched.told:
        waiting.join(0.01)
    lock.release()
    waiting.join()
    assert watched.told[0] == (WAITING, 0, IMAGES)
    assert watched.counted(READING) == IMAGES


def test_whoever_waits_can_be_stopped(task):
    lock = FileLock(task.workspace, f"pixels-mine-pad-{SIZE}")
    lock.acquire()
    with pytest.raises(CancelledError):
        opened(task, Watched(1))
    lock.release()


def test_a_disk_with_too_little_room_is_a_sentence_with_both_numbers(task, monkeypatch):
    monkeypatch.setattr(pixel_file.shutil, "disk_usage", lambda folder: SimpleNamespace(free=200))
    with pytest.raises(
        StorageError, match=r"'mine' at 8 px take 2,112 bytes in .* where 200 bytes are free: free some"
    ):
        opened(task)


def test_an_unreadable_image_is_an_error_only_for_whoever_wants_it(home):
    files = contents(IMAGES)
    files[2] = b"no image"
    task = made(home, files)
    others = np.delete(rows_of(task), 2)
    assert np.array_equal(opened(task, rows=others)[:].numpy(), as_today(task, others))
    with pytest.raises(DamagedFileError, match=r"2\.png is no readable image"):
        opened(task)
    watched = Watched()
    opened(task, watched, rows=others)
    assert watched.counted(READING) == 0


def test_a_file_of_a_later_rendering_is_made_anew(task, monkeypatch):
    opened(task)
    monkeypatch.setattr(pixel_file, "RENDERING", pixel_file.RENDERING + 1)
    watched = Watched()
    opened(task, watched)
    assert watched.counted(READING) == IMAGES


def test_no_rows_need_no_file(task):
    assert len(opened(task, rows=np.array([], dtype=np.int64))) == 0
    assert not task.workspace.pixels.exists()
