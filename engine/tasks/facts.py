"""What an import keeps of each image besides its pixels, and of the import as a whole."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.files import replacing, storage_error
from engine.records import damaged, read_record, write_record
from engine.tasks.image_table import IMAGES_FILE
from engine.tasks.questions import Question

FACTS_FILE = "facts.parquet"
SUMMARY_FILE = "import.json"
SMALL = "small"  # the column of small copies, which is read apart: most readers do not need it
# Why a file was left out that is a link, as `ImportSummary.skipped` says it.
LINK_TO_FOLDER = "is a link to a folder"
LINK_OUT = "is a link that leads out of the folder"
LINK_AS_TEXT = "is a link written as text, as git does where there are no links"
LINKS = (LINK_TO_FOLDER, LINK_OUT, LINK_AS_TEXT)
LISTED = 10_000  # names of skipped files that are kept; their number is kept in any case

SCHEMA = pa.schema(
    [
        ("image_id", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("group", pa.string()),  # "" = none
        ("same", pa.int64()),  # row of the first image with the same content
        ("alike", pa.int64()),  # row of the first image that looks like it
        ("flat", pa.bool_()),  # shows nothing but one color
        ("steps", pa.list_(pa.string())),  # what was done to make it RGB
    ]
)


@dataclass(frozen=True)
class Facts:
    """Of each image, in the order of the image table."""

    widths: NDArray[np.int32]  # pixels, upright
    heights: NDArray[np.int32]
    groups: NDArray[np.str_]  # "" where there is none
    same: NDArray[np.int64]  # row of the first image with the same content
    alike: NDArray[np.int64]  # row of the first image that looks like it
    flat: NDArray[np.bool_]  # shows nothing
    steps: Sequence[Sequence[str]]

    @cached_property
    def group_numbers(self) -> NDArray[np.int64]:
        """A number for each group, -1 for none, `[images]`."""
        _, numbers = np.unique(self.groups, return_inverse=True)
        return np.where(self.groups == "", -1, numbers)


@dataclass(frozen=True)
class ImportSummary:
    """Of the import as a whole; what import.json says."""

    source: str  # what the user brought
    layout: str
    layout_title: str
    notes: tuple[str, ...]  # what was decided or dropped, a sentence each
    unreadable: tuple[tuple[str, str], ...]  # (name, why), at most LISTED
    unreadable_count: int
    skipped: tuple[tuple[str, str], ...]  # files that are no images, links, rows without a file; (name, why)
    skipped_count: int
    steps: Mapping[str, int]  # how many images each step of making RGB was done to
    columns: Mapping[str, str] = field(default_factory=dict)  # of a table: what was used
    imported: str = ""  # when, UTC
    in_place: bool = False
    dicom: bool = False
    questions: tuple[Question, ...] = ()  # what the import asked, and what counted


def write_facts(folder: Path, image_ids: Sequence[str], facts: Facts, small: NDArray[np.uint8] | None = None) -> None:
    """Write the facts of all images into a task's folder, atomically. small: their small copies, `[images, bytes]`."""
    columns = [
        pa.array(list(image_ids), pa.string()),
        pa.array(facts.widths, pa.int32()),
        pa.array(facts.heights, pa.int32()),
        pa.array(facts.groups.tolist(), pa.string()),
        pa.array(facts.same, pa.int64()),
        pa.array(facts.alike, pa.int64()),
        pa.array(facts.flat, pa.bool_()),
        pa.array([list(steps) for steps in facts.steps], pa.list_(pa.string())),
    ]
    table = pa.table(columns, schema=SCHEMA)
    if small is not None:
        table = table.append_column(SMALL, pa.array([row.tobytes() for row in small], pa.binary()))
    with replacing(folder / FACTS_FILE) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_small(folder: Path) -> NDArray[np.uint8] | None:
    """Small RGB copies of all images, `[images, bytes]`, or None where none were kept. Raises DamagedFileError."""
    path = folder / FACTS_FILE
    if not path.exists():
        return None
    with _reading(path):
        if SMALL not in pq.read_schema(path).names:
            return None
        copies = _known_images(path, pq.read_table(path, columns=[SMALL], page_checksum_verification=True))
        copies = copies[SMALL].combine_chunks()
        _, offsets, content = copies.buffers()
        first, last = (np.frombuffer(offsets, dtype=np.int32)[[0, len(copies)]]).tolist()
        return np.frombuffer(content, dtype=np.uint8)[first:last].reshape(len(copies), -1)


def read_sides(folder: Path) -> tuple[NDArray[np.int32], NDArray[np.int32]] | None:
    """Widths and heights of all images, pixels, `[images]` each: of `read_facts` a hundredth of the time, for a page
    that wants no more. None for a task that was not imported here. Raises DamagedFileError.
    """
    if not _was_imported(folder):
        return None
    path = folder / FACTS_FILE
    with _reading(path):
        table = _known_images(path, pq.read_table(path, columns=["width", "height"], page_checksum_verification=True))
        if any(column.null_count for column in table.columns):
            raise ValueError("a value is missing")
        return table["width"].to_numpy(), table["height"].to_numpy()


def read_groups(folder: Path) -> NDArray[np.int64] | None:
    """The group of each image as a number, `[images]`, -1 for none; None where no image has one. Groups are what images
    share that makes them alike, such as a patient. Raises DamagedFileError.
    """
    if not _was_imported(folder):
        return None
    path = folder / FACTS_FILE
    with _reading(path):
        column = pq.read_table(path, columns=["group"], page_checksum_verification=True)["group"]
        if column.null_count:
            raise ValueError("a value is missing")
        names = column.combine_chunks().dictionary_encode()
    words = names.dictionary.to_pylist()
    numbers = np.asarray(names.indices.to_numpy(), dtype=np.int64)
    if "" in words:
        numbers = np.where(numbers == words.index(""), -1, numbers)
    return numbers if (numbers >= 0).any() else None


def read_facts(folder: Path) -> Facts | None:
    """The facts of a task, or None for a task that was not imported here. Raises DamagedFileError."""
    path = folder / FACTS_FILE
    if not _was_imported(folder):
        return None
    with _reading(path):
        table = _known_images(path, pq.read_table(path, schema=SCHEMA, page_checksum_verification=True))
        if any(column.null_count for column in table.columns):
            raise ValueError("a value is missing")
        facts = Facts(
            widths=table["width"].to_numpy(),
            heights=table["height"].to_numpy(),
            groups=np.array(table["group"].to_pylist(), dtype=np.str_),
            same=table["same"].to_numpy(),
            alike=table["alike"].to_numpy(),
            flat=table["flat"].to_numpy(zero_copy_only=False),
            steps=table["steps"].to_pylist(),
        )
        if any(((rows < 0) | (rows > np.arange(len(rows)))).any() for rows in (facts.same, facts.alike)):
            raise ValueError("an image is said to be like a later one")
    return facts


def _known_images(path: Path, table: pa.Table) -> pa.Table:
    """The facts of the images that the task has: those of new images are written before the images are."""
    images = path.with_name(IMAGES_FILE)
    return table.slice(0, pq.read_metadata(images).num_rows) if images.exists() else table


def _was_imported(folder: Path) -> bool:
    """Whether an import left either of its two files; when only one is there, the other was lost."""
    return any(os.path.lexists(folder / name) for name in (FACTS_FILE, SUMMARY_FILE))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        if path.is_dir():  # which Arrow would read as a table without rows
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, OSError) and error.errno:
            raise storage_error(error, path) from error
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        what = f"what the import of task {path.parent.name!r} noted of its images"
        raise damaged(path, what, reason, "restore it, or import the images again") from error


def write_import_summary(folder: Path, about: ImportSummary) -> None:
    """Write import.json into a task's folder."""
    write_record(folder / SUMMARY_FILE, about)


def read_import_summary(folder: Path) -> ImportSummary | None:
    """What import.json says, or None for a task that was not imported here. Raises DamagedFileError."""
    path = folder / SUMMARY_FILE
    if not _was_imported(folder):
        return None
    what = f"what the import of task {folder.name!r} noted"
    return read_record(path, ImportSummary, what, "restore it, or import the images again")
