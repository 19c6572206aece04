"""The image table of a task, and how bytes become pixels."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import replacing, storage_error
from engine.tasks import views

LARGEST_IMAGE = 64_000_000  # pixels; a decoder is never asked for more, so a small file cannot fill the memory
ROWS_PER_GROUP = 512  # a row group is the smallest piece that is read from disk
DECODING_THREADS = 2  # Pillow decodes outside the interpreter's lock

SCHEMA = pa.schema([("image_id", pa.string()), ("sha256", pa.string()), ("bytes", pa.binary())])


def decode(content: bytes, name: str) -> Image.Image:
    """The RGB image in `content`, upright by its EXIF rotation; transparency becomes white.

    Raises DamagedFileError naming `name` if it is no readable image, InvalidInputError if it has too many pixels.
    """
    try:
        with Image.open(io.BytesIO(content)) as opened:
            width, height = opened.size
            if width * height > LARGEST_IMAGE:
                raise InvalidInputError(
                    f"{name} has {width} × {height} pixels, more than the {LARGEST_IMAGE // 1_000_000} million allowed:"
                    " make it smaller first."
                )
            image = ImageOps.exif_transpose(opened)
            if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
                image = image.convert("RGBA")
                background = Image.new("RGBA", image.size, (255, 255, 255, 255))
                image = Image.alpha_composite(background, image)
            return image.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DamagedFileError(f"{name} is no readable image ({error}): replace it or leave it out.") from error


class ImageTable:
    """The images of a task, in a fixed order: row i is the same image forever, because the table only grows."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = pq.ParquetFile(path, memory_map=True)
            self.image_ids: list[str] = self._file.read(columns=["image_id"])["image_id"].to_pylist()
        except OSError as error:
            if error.errno:
                raise storage_error(error, path) from error
            raise self._damaged(error) from error
        except (pa.ArrowException, KeyError) as error:
            raise self._damaged(error) from error
        self._cached_group: tuple[int, list[bytes]] = (-1, [])
        self._of_thread = threading.local()

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def content_hash(self) -> str:
        """A hash of all images and their ids, in order, in 12 hexadecimal digits."""
        table = self._file.read(columns=["image_id", "sha256"])
        lines = zip(table["image_id"].to_pylist(), table["sha256"].to_pylist(), strict=True)
        return hashlib.sha256("\n".join(f"{i} {s}" for i, s in lines).encode()).hexdigest()[:12]

    @cached_property
    def _group_starts(self) -> NDArray[np.int64]:
        counts = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def content(self, row: int) -> bytes:
        """The bytes of one image file. Raises DamagedFileError if the table is damaged there."""
        group = int(np.searchsorted(self._group_starts, row, side="right")) - 1
        held, column = self._cached_group  # one assignment, so that threads never see a half of it
        if held != group:
            column = self._read_group(group)
            self._cached_group = (group, column)
        return column[row - int(self._group_starts[group])]

    def _read_group(self, group: int) -> list[bytes]:
        try:
            contents: list[bytes] = self._open().read_row_group(group, columns=["bytes"])["bytes"].to_pylist()
        except (OSError, pa.ArrowException) as error:
            raise self._damaged(error) from error
        return contents

    def _open(self) -> pq.ParquetFile:
        """A reader of its own for each thread: Arrow's is not made to be shared."""
        if not hasattr(self._of_thread, "file"):
            self._of_thread.file = pq.ParquetFile(self.path, memory_map=True)
        return self._of_thread.file

    def open(self, row: int) -> Image.Image:
        """One image as RGB. Raises as `decode`."""
        return decode(self.content(row), self.image_ids[row])

    def pixels(self, rows: Sequence[int], size: int, resize: str) -> NDArray[np.uint8]:
        """Whole images at one size, `[len(rows), size, size, 3]`, 0..255."""
        whole = np.array(views.WHOLE, dtype=np.float32)
        out = np.empty((len(rows), size, size, 3), dtype=np.uint8)
        for i, image in enumerate(self.decoded(rows)):
            out[i] = views.render(views.square(image, resize), whole, size)
        return out

    def decoded(self, rows: Sequence[int]) -> Iterator[Image.Image]:
        """The images of `rows` as RGB, one after the other, decoded side by side."""
        with ThreadPoolExecutor(DECODING_THREADS) as pool:
            for start in range(0, len(rows), 64):
                chunk = [(self.content(int(row)), self.image_ids[int(row)]) for row in rows[start : start + 64]]
                yield from pool.map(lambda item: decode(*item), chunk)

    def _damaged(self, error: Exception) -> DamagedFileError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return DamagedFileError(
            f"{self.path} is damaged ({reason}): remove the folder {self.path.parent} and add the task again."
        )


def write_image_table(path: Path, items: Iterator[tuple[str, bytes]]) -> int:
    """Write (image id, file content) pairs as an image table, atomically and in constant memory; gives their number."""
    count = 0
    with replacing(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, compression="zstd") as writer:
        batch: list[tuple[str, bytes]] = []
        for item in items:
            batch.append(item)
            if len(batch) == ROWS_PER_GROUP:
                count += _write_group(writer, batch)
                batch = []
        if batch:
            count += _write_group(writer, batch)
    return count


def _write_group(writer: pq.ParquetWriter, batch: list[tuple[str, bytes]]) -> int:
    hashes = [hashlib.sha256(content).hexdigest() for _, content in batch]
    columns = [[image_id for image_id, _ in batch], hashes, [content for _, content in batch]]
    writer.write_table(pa.table(columns, schema=SCHEMA))
    return len(batch)
