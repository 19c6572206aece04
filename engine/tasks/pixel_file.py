"""A task's images at the size of a student, as one file that is mapped into memory: a run reads the images of a step
and holds no others.

pixels/<task>/<resize>-<size>/pixels.u8 has a place `[3, size, size]`, 0..255, for each row of the image table, whatever
the split is: the table only grows, splits and labels change, and runs of all of them share the file. It is made block
by block, when a run first needs one; record.json says which blocks are there, of which images, with a checksum. What a
kill left of a block is not in the record, and is made again. It is a cache: whoever deletes it loses time.

Each run verifies the blocks that it needs before its first step, once for all its parts: that takes a processor about a
second a GB, if the disk is as quick. 50,000 images at 224 px are 7.5 GB.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import shutil
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import msgspec
import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import DamagedFileError, StorageError
from engine.files import in_words, make_folder, make_own, storage_error
from engine.images.rendering import threads
from engine.jobs import FileLock
from engine.records import Count, read_record, write_record
from engine.tasks.task import Task

PIXELS, RECORD = "pixels.u8", "record.json"
RENDERING = 1  # how a file becomes pixels; when that changes, another number makes all of them anew
BLOCK_BYTES = 2**25  # of one block, about: a kill costs seconds, and little is held while it is made
READING, AGAIN = "Reading the images", "Reading the images again, as their stored pixels are damaged"
CHECKING, WAITING = "Checking the pixels", "Waiting for another run, which reads the images"
_POLL = 0.2  # s between looks at what another process has made
_ROUNDS = 8  # of making and verifying; each but a first one means that somebody deleted or damaged what was there
_RENDERED_TOGETHER = 32  # images; some more are rendered while a block is written

Progress = Callable[[int, int, str], None]  # images done, their total, what is being done; may raise to stop
_Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]


class MappedPixels:
    """Images in an order of their own, `[N, 3, S, S]`, 0..255, each read from the file when it is asked for."""

    def __init__(self, mapped: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
        self._mapped, self._rows = mapped, rows

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> torch.Size:
        """Images, channels, height and width."""
        return torch.Size((len(self), *self._mapped.shape[1:]))

    @property
    def dtype(self) -> torch.dtype:
        """Whole numbers from 0 to 255."""
        return torch.uint8

    @property
    def nbytes(self) -> int:
        """Bytes that all images take."""
        return self.shape.numel()

    def __getitem__(self, index: slice | Tensor | tuple[Tensor, ...], /) -> UInt8[Tensor, "B 3 S S"]:
        """The images at these positions, as a tensor of their own."""
        places = index[0] if isinstance(index, tuple) else index
        rows = self._rows[places if isinstance(places, slice) else places.numpy()]
        return torch.from_numpy(self._mapped.take(rows, axis=0))


def open_pixels(
    task: Task, size: int, parts: Sequence[NDArray[np.int64]], progress: Progress = lambda done, total, stage: None
) -> list[MappedPixels]:
    """Images of a task at one size, `[N, 3, size, size]` for each of `parts`, which are rows of its image table.

    What is not there yet, or is damaged, is made first. Of processes that want the same, one makes it and the others
    wait. Raises StorageError where the disk has too little room, DamagedFileError for an image that cannot be read.
    """
    mapped = _Pixels(task, size, np.unique(np.concatenate(parts)), progress).mapped()
    return [MappedPixels(mapped, rows) for rows in parts]


@dataclass(frozen=True)
class _Block:
    """A block that was made."""

    images: _Sha256  # of the checksums of its images, in order
    pixels: _Sha256  # of what was written
    without: tuple[Count, ...] = ()  # rows that nobody had asked for: they take part in nothing, and may be unreadable


@dataclass(frozen=True)
class _Record:
    """The blocks of a file, by their number."""

    rendering: Count
    blocks: dict[str, _Block]


@dataclass
class _Pixels:
    """The file of a task at one size, for whoever wants some rows of it."""

    task: Task
    size: int
    wanted: NDArray[np.int64]  # rows, sorted
    progress: Progress
    stage: str = READING

    def __post_init__(self) -> None:
        name = f"{self.task.record.resize}-{self.size}"
        self.folder = self.task.workspace.pixels / self.task.name / name
        self.path = self.folder / PIXELS
        self.lock = FileLock(self.task.workspace, f"pixels-{self.task.name}-{name}")
        self.row_bytes = 3 * self.size**2
        self.block_rows = max(1, BLOCK_BYTES // self.row_bytes)
        self.needed: list[int] = np.unique(self.wanted // self.block_rows).tolist()
        self.sure: set[int] = set()  # blocks that were made or verified here

    @cached_property
    def images(self) -> list[str]:
        """Of each block, a hash of the checksums of its images."""
        sums = self.task.images.checksums
        starts = range(0, len(sums), self.block_rows)
        return [hashlib.sha256("\n".join(sums[i : i + self.block_rows]).encode()).hexdigest() for i in starts]

    def mapped(self) -> NDArray[np.uint8]:
        """All rows up to the last one that is wanted; what is between those that are may be anything."""
        if not len(self.wanted):
            return np.empty((0, 3, self.size, self.size), np.uint8)
        for _ in range(_ROUNDS):
            record = self._record()
            if missing := self._missing(record):
                self._make(missing)
                continue
            try:
                with self.path.open("rb") as file:  # the mapping keeps what was verified, whatever its name becomes
                    damaged = self._damaged(file.fileno(), record)
                    if not damaged:
                        return self._map(file.fileno())
            except FileNotFoundError:
                damaged = self.needed
                self.sure.clear()
            except OSError as error:
                raise storage_error(error, self.path) from error
            self._forget(damaged)
        raise StorageError(f"{self.path} does not stay as it was written: look after that disk, then start again.")

    def _map(self, descriptor: int) -> NDArray[np.uint8]:
        rows = int(self.wanted[-1]) + 1
        content = mmap.mmap(descriptor, rows * self.row_bytes, access=mmap.ACCESS_READ)
        return np.frombuffer(content, np.uint8).reshape(rows, 3, self.size, self.size)

    def _record(self) -> _Record:
        """What is there; nothing where the record is gone or damaged, or of another rendering."""
        path = self.folder / RECORD
        nothing = _Record(RENDERING, {})
        if not os.path.lexists(path):
            return nothing
        try:
            found = read_record(path, _Record, "which pixels there are", "remove it")
        except DamagedFileError:
            self.stage = AGAIN
            return nothing
        return found if found.rendering == RENDERING else nothing

    def _missing(self, record: _Record) -> list[int]:
        """Needed blocks that were not made, or of other images."""
        return [number for number in self.needed if not self._serves(record.blocks.get(str(number)), number)]

    def _serves(self, block: _Block | None, number: int) -> bool:
        if block is None or block.images != self.images[number]:
            return False
        return not np.isin(block.without, self.wanted).any()

    def _rows(self, number: int) -> range:
        """The rows of a block."""
        start = number * self.block_rows
        return range(start, min(start + self.block_rows, len(self.task.images)))

    def _count(self, numbers: Iterable[int]) -> int:
        """How many images blocks hold."""
        return sum(len(self._rows(number)) for number in numbers)

    def _damaged(self, descriptor: int, record: _Record) -> list[int]:
        """Needed blocks whose content is not what was written."""
        unsure = [number for number in self.needed if number not in self.sure]
        damaged, total, done = [], self._count(unsure), 0
        pool = ThreadPoolExecutor(threads())
        try:
            sums = pool.map(lambda number: self._sum(descriptor, number), unsure)
            for number, found in zip(unsure, sums, strict=True):
                done += len(self._rows(number))
                self.progress(done, total, CHECKING)
                if found == record.blocks[str(number)].pixels:
                    self.sure.add(number)
                else:
                    damaged.append(number)
        finally:
            pool.shutdown(cancel_futures=True)
        return damaged

    def _sum(self, descriptor: int, number: int) -> str:
        """The checksum of what is written of a block."""
        rows, summed = self._rows(number), hashlib.sha256()
        place, end = rows.start * self.row_bytes, rows.stop * self.row_bytes
        while place < end and (chunk := os.pread(descriptor, min(2**20, end - place), place)):
            summed.update(chunk)
            place += len(chunk)
        return summed.hexdigest()

    def _forget(self, damaged: Sequence[int]) -> None:
        """Take blocks out of the record, so that they are made again."""
        self.stage = AGAIN
        with self._held():
            left = {name: block for name, block in self._record().blocks.items() if name not in map(str, damaged)}
            write_record(self.folder / RECORD, _Record(RENDERING, left))

    @contextmanager
    def _held(self) -> Iterator[None]:
        """The sole right to write, once whoever has it is done."""
        while not self.lock.acquire():
            total = self._count(self.needed)
            self.progress(total - self._count(self._missing(self._record())), total, WAITING)
            time.sleep(_POLL)
        try:
            yield
        finally:
            self.lock.release()

    def _make(self, missing: Sequence[int]) -> None:
        """Make blocks, unless another process has made them by the time that this one may."""
        with self._held():
            record = self._record()
            missing = self._missing(record)
            if not missing:
                return
            self._check_room([number for number in missing if str(number) not in record.blocks])
            made = {number: self._to_make(number, record) for number in missing}
            with self._opened() as descriptor, closing(self._rendered(np.concatenate(list(made.values())))) as images:
                for number, rows in made.items():
                    block = self._make_block(number, rows, images, descriptor)
                    record = _Record(RENDERING, {**record.blocks, str(number): block})
                    write_record(self.folder / RECORD, record)
                    self.sure.add(number)

    def _to_make(self, number: int, record: _Record) -> NDArray[np.int64]:
        """The rows of a block that are wanted here, and those that somebody else wanted before."""
        rows, before = self._rows(number), record.blocks.get(str(number))
        wanted = np.isin(rows, self.wanted)
        if before is not None and before.images == self.images[number]:
            wanted |= ~np.isin(rows, before.without)
        return np.asarray(rows)[wanted]

    def _rendered(self, rows: NDArray[np.int64]) -> Generator[NDArray[np.uint8]]:
        """The images of `rows`, `[S, S, 3]`, one after the other."""

        def hear(done: int) -> None:
            self.progress(done, len(rows), self.stage)

        hear(0)
        resize = self.task.record.resize
        parts = self.task.images.rendered(rows, [self.size], resize, batch=_RENDERED_TOGETHER, hear=hear)
        with closing(parts):
            for part in parts:
                yield from part[self.size]

    @contextmanager
    def _opened(self) -> Iterator[int]:
        """The file, long enough for all rows."""
        length = len(self.task.images) * self.row_bytes
        make_own(self.path)
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            try:
                if os.fstat(descriptor).st_size < length:  # never shorter: somebody may have it mapped
                    os.truncate(descriptor, length)
                yield descriptor
            finally:
                os.close(descriptor)
        except OSError as error:
            raise storage_error(error, self.path, length) from error

    def _make_block(
        self, number: int, made: NDArray[np.int64], images: Iterator[NDArray[np.uint8]], descriptor: int
    ) -> _Block:
        """Write a block, and force it to the disk before anybody says that it is there."""
        rows = self._rows(number)
        pixels = np.zeros((len(rows), 3, self.size, self.size), np.uint8)
        for row, image in zip(made.tolist(), images, strict=False):  # the images of further blocks come after
            pixels[row - rows.start] = image.transpose(2, 0, 1)
        content, written = pixels.reshape(-1).data, 0
        while written < len(content):
            written += os.pwrite(descriptor, content[written:], rows.start * self.row_bytes + written)
        os.fsync(descriptor)
        without = np.setdiff1d(rows, made).tolist()
        return _Block(self.images[number], hashlib.sha256(content).hexdigest(), tuple(without))

    def _check_room(self, missing: Sequence[int]) -> None:
        """Raises StorageError if the disk has too little room for these blocks."""
        needed = self._count(missing) * self.row_bytes
        folder = make_folder(self.folder)
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            raise storage_error(error, folder) from error
        if free < needed:
            raise StorageError(
                f"The images of task {self.task.name!r} at {self.size} px take {in_words(needed)} in {folder}, where "
                f"{in_words(free)} are free: free some space on that disk, or choose a smaller size."
            )
