"""The image table of a task."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DamagedFileError
from engine.files import replacing, storage_error
from engine.images import rendering, views
from engine.images.opening import open_file
from engine.settings import allowed_root, import_settings
from engine.workspace import Workspace

IMAGES_FILE = "images.parquet"
ROWS_PER_GROUP = 512  # a row group is the smallest piece that is read from disk

SCHEMA = pa.schema([("image_id", pa.string()), ("sha256", pa.string()), ("bytes", pa.binary())])


# An own task may also refer to files of the machine, which are read in place.
REFERENCE_SCHEMA = pa.schema([*SCHEMA, ("path", pa.string()), ("size", pa.int64()), ("modified", pa.int64())])
GROUP_BYTES = 32_000_000  # of one row group, so that reading one large photograph does not read hundreds
_GROUPS_KEPT = 2  # in memory: threads that read on are at the end of one, and at the beginning of the next
_BATCH_IMAGES = 64  # of pixels that are copied at once


@dataclass(frozen=True)
class _Reference:
    """A file of this machine as it was when it was imported."""

    path: str
    size: int
    modified: int  # ns

    def read(self, may_read: Callable[[Path], bool]) -> bytes:
        """Its content. Raises DamagedFileError if it is not there any more, or has changed; StorageError for a link."""
        path = Path(self.path)
        try:
            with os.fdopen(open_file(_without_allowed_link(path, may_read)), "rb") as file:
                about = os.fstat(file.fileno())
                if (about.st_size, about.st_mtime_ns) == (self.size, self.modified):
                    return file.read()
        except FileNotFoundError as error:
            raise DamagedFileError(f"{path} is not there any more: put it back, or import the images again.") from error
        except OSError as error:
            raise storage_error(error, path) from error
        raise DamagedFileError(f"{path} has changed since it was imported: import the images again under a new name.")


def _without_allowed_link(path: Path, may_read: Callable[[Path], bool]) -> Path:
    """Where a link leads, if that is where this server may import from: version 0.1 kept the name of the link."""
    real = Path(os.path.realpath(path))
    return real if path.is_symlink() and may_read(real) else path


@dataclass
class _Group:
    """A row group; whoever needs it first reads it, and the others wait for that."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    column: list[tuple[bytes | _Reference, str]] | None = None


class ImageTable:
    """The images of a task, in a fixed order: row i is the same image forever, because the table only grows.

    may_read(path): whether a file of this machine may be read to which a link leads.
    """

    def __init__(self, path: Path, may_read: Callable[[Path], bool] = lambda real: False) -> None:
        self.path, self._may_read = path, may_read
        with self._reading():
            self._file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
            self.image_ids: list[str] = self._file.read(columns=["image_id"])["image_id"].to_pylist()
            if not all(self.image_ids) or len(set(self.image_ids)) < len(self.image_ids):
                raise ValueError("an image has no name, or that of another one")
        self._in_place = "path" in self._file.schema_arrow.names
        self._groups: dict[int, _Group] = {}  # the one used last at the end
        self._lock = threading.Lock()
        self._of_thread = threading.local()

    def __len__(self) -> int:
        return len(self.image_ids)

    @cached_property
    def content_hash(self) -> str:
        """A hash of all images and their ids, in order, in 12 hexadecimal digits."""
        lines = [f"{image_id} {checksum}" for image_id, checksum in zip(self.image_ids, self.checksums, strict=True)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]

    @property
    def checksums(self) -> list[str]:
        """The SHA-256 of each image file, in hexadecimal. Raises DamagedFileError if the table is damaged there."""
        with self._reading():
            found: list[str] = self._open().read(columns=["sha256"])["sha256"].to_pylist()
            if None in found:
                raise ValueError("an image has no checksum")
        return found

    @cached_property
    def _group_starts(self) -> NDArray[np.int64]:
        counts = [self._file.metadata.row_group(i).num_rows for i in range(self._file.num_row_groups)]
        return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)

    def contents(self, rows: NDArray[np.int64]) -> Iterator[tuple[bytes, str]]:
        """The bytes of each image file of `rows`, and its id. Threads may share a table; each row group is read once
        where rows rise.

        Raises DamagedFileError if the table is damaged there, or the file that it refers to is not as it was.
        """
        groups = np.searchsorted(self._group_starts, rows, side="right") - 1
        held, column = -1, list[tuple[bytes | _Reference, str]]()
        for row, group in zip(rows.tolist(), groups.tolist(), strict=True):
            if held != group:
                held, column = group, self._group(group)
            found, checksum = column[row - int(self._group_starts[group])]
            content = found.read(self._may_read) if isinstance(found, _Reference) else found
            if hashlib.sha256(content).hexdigest() != checksum:
                where = found.path if isinstance(found, _Reference) else self.path
                raise DamagedFileError(
                    f"{where} is damaged: the image {self.image_ids[row]!r} does not match its checksum. Restore the "
                    "file, or import the images again."
                )
            yield content, self.image_ids[row]

    def _group(self, number: int) -> list[tuple[bytes | _Reference, str]]:
        """What is known of the images of a group: the content, or where it lies, and its checksum."""
        with self._lock:
            group = self._groups.pop(number, None) or _Group()
            self._groups[number] = group
            for oldest in list(self._groups)[:-_GROUPS_KEPT]:
                del self._groups[oldest]
        with group.lock:
            if group.column is None:
                group.column = self._read_group(number)
            return group.column

    def _read_group(self, group: int) -> list[tuple[bytes | _Reference, str]]:
        names = ["bytes", "sha256", *(("path", "size", "modified") if self._in_place else ())]
        with self._reading():
            table = self._open().read_row_group(group, columns=names)
            contents, checksums, *places = (table[name].to_pylist() for name in names)
            found: list[tuple[bytes | _Reference, str]] = []
            for i, (content, checksum) in enumerate(zip(contents, checksums, strict=True)):
                if content is None and (not places or None in (place := [column[i] for column in places])):
                    raise ValueError("an image has neither content nor place")
                found.append((content if content is not None else _Reference(*place), checksum))
        return found

    def _open(self) -> pq.ParquetFile:
        """A reader of its own for each thread: Arrow's is not made to be shared."""
        if not hasattr(self._of_thread, "file"):
            self._of_thread.file = pq.ParquetFile(self.path, memory_map=True, page_checksum_verification=True)
        return self._of_thread.file

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Turn what Arrow raises for a file that is damaged, or cannot be read, into a sentence."""
        try:
            yield
        except OSError as error:
            if error.errno:
                raise storage_error(error, self.path) from error
            raise self._damaged(error) from error
        except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
            raise self._damaged(error) from error

    def rendered(
        self,
        rows: NDArray[np.int64],
        sizes: Sequence[int],
        resize: str,
        boxes: NDArray[np.float32] | None = None,
        **how: Any,
    ) -> Generator[rendering.Pixels]:
        """The images of `rows` at each size, batch by batch, in order: `rendering.rendered`, of which `how` are the
        options. `boxes` are those of a view, `[rows, 5]`; without them, it is the whole images.
        """
        if boxes is None:
            boxes = np.tile(np.array(views.WHOLE, dtype=np.float32), (len(rows), 1))
        return rendering.rendered(self.contents, rows, boxes, sizes, resize, **how)

    def pixels(self, rows: Sequence[int], size: int, resize: str) -> NDArray[np.uint8]:
        """Whole images at one size, `[len(rows), size, size, 3]`, 0..255, all of them in memory. Raises as `decode`."""
        out, done = np.empty((len(rows), size, size, 3), dtype=np.uint8), 0
        for part in self.rendered(np.asarray(rows, np.int64), [size], resize, batch=_BATCH_IMAGES):
            out[done : done + len(part[size])] = part[size]
            done += len(part[size])
        return out

    def decoded(self, rows: Sequence[int]) -> Iterator[Image.Image]:
        """The images of `rows` as RGB, one after the other, decoded side by side. Raises as `contents` and `decode`."""
        return rendering.decoded(self.contents, np.asarray(rows, dtype=np.int64))

    def _damaged(self, error: Exception) -> DamagedFileError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return DamagedFileError(
            f"{self.path} is damaged ({reason}): remove the folder {self.path.parent} and add the task again."
        )


def image_table(workspace: Workspace, task: str) -> ImageTable:
    """The image table of a task, opened once as long as the file does not change. Raises as `ImageTable`."""
    path = workspace.tasks / task / IMAGES_FILE
    try:
        about = path.stat()
    except FileNotFoundError as error:
        raise DamagedFileError(
            f"{path} is gone, and with it the images of task {task!r}: restore it, or import them again."
        ) from error
    except OSError as error:
        raise storage_error(error, path) from error
    return _opened(workspace, task, about.st_ino, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=16)  # ours: tasks that are looked at side by side; of each, the ids are in memory
def _opened(workspace: Workspace, task: str, *stamps: int) -> ImageTable:
    def may_read(real: Path) -> bool:
        return (
            allowed_root(real, import_settings(workspace.machine)) is not None
        )  # a visitor reads the host's tasks too

    return ImageTable(workspace.tasks / task / IMAGES_FILE, may_read)


def write_image_table(path: Path, items: Iterator[tuple[str, bytes]]) -> int:
    """Write (image id, file content) pairs as an image table, atomically and in constant memory; gives their number."""
    count = 0
    with replacing(path) as temporary, _writer(temporary, SCHEMA) as writer:
        batch: list[tuple[str, bytes]] = []
        for item in items:
            batch.append(item)
            if len(batch) == ROWS_PER_GROUP:
                count += _write_group(writer, batch)
                batch = []
        if batch:
            count += _write_group(writer, batch)
    return count


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True)


def _write_group(writer: pq.ParquetWriter, batch: list[tuple[str, bytes]]) -> int:
    hashes = [hashlib.sha256(content).hexdigest() for _, content in batch]
    columns = [[image_id for image_id, _ in batch], hashes, [content for _, content in batch]]
    writer.write_table(pa.table(columns, schema=SCHEMA))
    return len(batch)


def write_reference_table(path: Path, rows: Iterator[Mapping[str, Any]]) -> int:
    """Write rows of REFERENCE_SCHEMA as an image table, atomically and in constant memory; gives their number.

    A row has its file's `bytes`, or `path`, `size` (bytes) and `modified` (ns) of a file that is read in place.
    """
    count = 0
    with replacing(path) as temporary, _writer(temporary, REFERENCE_SCHEMA) as writer:
        batch: list[Mapping[str, Any]] = []
        size = 0
        for row in rows:
            batch.append(row)
            size += len(row["bytes"] or b"")
            if len(batch) == ROWS_PER_GROUP or size >= GROUP_BYTES:
                writer.write_table(pa.Table.from_pylist(batch, schema=REFERENCE_SCHEMA))
                count, batch, size = count + len(batch), [], 0
        if batch:
            writer.write_table(pa.Table.from_pylist(batch, schema=REFERENCE_SCHEMA))
            count += len(batch)
    return count


def extend_image_table(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows of REFERENCE_SCHEMA at the end of an image table, atomically; earlier ones are copied group by group."""
    file = pq.ParquetFile(path, memory_map=True, page_checksum_verification=True)
    with replacing(path) as temporary, _writer(temporary, REFERENCE_SCHEMA) as writer:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group)
            for field in REFERENCE_SCHEMA:
                if field.name not in table.column_names:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
            writer.write_table(table.select(REFERENCE_SCHEMA.names))
        writer.write_table(pa.Table.from_pylist(list(rows), schema=REFERENCE_SCHEMA))
