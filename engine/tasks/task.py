"""A task: classes, images, and the revision of labels and split that is in use."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypedDict

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import LARGEST_NUMBER, canonical_hash, make_folder, replacing, storage_error
from engine.images.reading import reading_from
from engine.records import Count, Positive, Revision, Share, damaged, read_record, write_record
from engine.tasks.draw import Draw
from engine.tasks.image_table import IMAGES_FILE, ImageTable, image_table
from engine.workspace import Workspace

FORMAT = 1
TASK_FILE = "task.json"
NO_LABEL = -1
SPLITS = ("train", "test")


Resize: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^(squash|pad|crop)\Z")]


class ChoiceRecord(TypedDict):
    """What is done about a finding, and who said so: "user" or "default"."""

    choice: str
    by: str


class DecisionsRecord(TypedDict, total=False):
    """What was decided about an imported task."""

    findings: dict[str, ChoiceRecord]
    open: Count  # findings that still wait for a decision
    split: str
    split_in_use: str
    test_share: Share
    seed: Count


class ReadingRecord(TypedDict, total=False):
    """How images with more channels or bits became RGB; `engine.images.reading.Reading` explains the fields."""

    channels: list[Positive]
    value_range: tuple[float, float] | None
    window: tuple[float, float] | None
    percentiles: tuple[float, float] | None


@dataclass(frozen=True)
class TaskRecord:
    """What task.json says."""

    name: str
    title: str
    summary: str
    collection: str  # where the images come from; a teacher that saw the same ones is refused
    parts: tuple[str, ...]  # which atomic parts of the collection; empty = all of it
    classes: tuple[str, ...]
    resize: Resize  # how an image becomes square
    flip: bool  # whether a mirrored image is still of its class
    license: str
    source: str
    split_rule: str
    labels: Revision = ""  # of the labels in use
    split: Revision = ""  # of the split in use
    origin: str = ""  # checksum of the bundled file it was made from; empty for a user's own task
    format: int = field(default=FORMAT)
    # Of an imported task alone:
    given_labels: Revision = ""  # revision of the labels as they came or were set by hand, before decisions
    given_split: Revision = ""  # revision of the split as it came; "" for an image of which nothing was said
    given_classes: tuple[str, ...] = ()  # what given_labels index
    reviewed: Revision = ""  # the given_labels that classes, labels and split follow from; labels by hand may be newer
    student_size: Count = 0  # pixels, square; 0 = the recipe's
    reading: ReadingRecord = field(
        default_factory=lambda: ReadingRecord()
    )  # how images with more channels or bits became RGB
    decisions: DecisionsRecord = field(default_factory=lambda: DecisionsRecord())  # finding -> choice, and the split


@dataclass(frozen=True)
class Task:
    """A task on disk. Arrays are in the order of the image table: `images` rows.

    held_out: whether held-out images are; otherwise they are trained on as well, as by a student that is to be used and
    not to be tested.
    """

    workspace: Workspace
    record: TaskRecord
    held_out: bool = True

    @property
    def name(self) -> str:
        """The task's name, which is its folder's name."""
        return self.record.name

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return self.workspace.tasks / self.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label is an index into them."""
        return self.record.classes

    @property
    def is_settled(self) -> bool:
        """Whether classes, labels and split follow from the labels as they are given now."""
        return self.record.reviewed == self.record.given_labels

    @cached_property
    def images(self) -> ImageTable:
        """The image table."""
        return image_table(self.workspace, self.name)

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Class index of each image, `[images]`; -1 where the label is not known."""
        return self.read_labels(self.record.labels, self.classes)

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """ "train" or "test" for each image, `[images]`; "out" for one that takes no part."""
        found = self.read_split(self.record.split)
        return found if self.held_out else np.where(found == "test", "train", found)

    def read_labels(self, revision: str, classes: Sequence[str]) -> NDArray[np.int64]:
        """The labels of a revision, as indices into `classes`, `[images]`. Raises DamagedFileError or StorageError."""
        path = self.folder / "labels" / f"{revision}.parquet"
        values = _read_revision(path, "label", self.images.image_ids)
        labels: NDArray[np.int64] = _for_all(values, NO_LABEL, len(self.images), np.int64)
        if labels.size and (labels.min() < NO_LABEL or labels.max() >= len(classes)):
            raise DamagedFileError(
                f"{self.folder / TASK_FILE} names {len(classes)} classes, but the labels of task {self.name!r} in "
                f"{path} have others: {RESTORE}."
            )
        return labels

    def read_split(self, revision: str) -> NDArray[np.str_]:
        """The split of a revision, `[images]`. Raises DamagedFileError or StorageError."""
        path = self.folder / "splits" / f"{revision}.parquet"
        found = _read_revision(path, "split", self.images.image_ids).combine_chunks().dictionary_encode()
        words = np.array(found.dictionary.to_pylist(), dtype="<U5")
        return _for_all(words[found.indices.to_numpy()], "train", len(self.images), np.dtype("<U5"))

    @cached_property
    def train_rows(self) -> NDArray[np.int64]:
        """Rows that may be trained on, labeled or not."""
        return np.flatnonzero(self.splits == "train")

    @cached_property
    def test_rows(self) -> NDArray[np.int64]:
        """Held-out rows with a label. They serve to report accuracy, never to choose or to stop."""
        return np.flatnonzero((self.splits == "test") & (self.labels != NO_LABEL))

    @cached_property
    def revision(self) -> str:
        """A hash of images, labels, split, classes and geometry: what a run needs to be the same run again."""
        return canonical_hash(
            {
                "images": self.images.content_hash,
                "labels": self.record.labels,
                "split": self.record.split,
                "classes": list(self.classes),
                "resize": self.record.resize,
                "flip": self.record.flip,
            }
        )

    def available_labels(self) -> NDArray[np.int64]:
        """How many training images of each class have a label, `[classes]`."""
        known = self.labels[self.train_rows]
        return np.bincount(known[known != NO_LABEL], minlength=len(self.classes))

    def labeled_rows(self, draw: Draw) -> NDArray[np.int64]:
        """Rows of the labeled images that a draw gives, sorted; the test split is never touched.

        Raises InvalidInputError for a budget below 1, a negative seed, or if no training image has a label.
        """
        if not 0 <= draw.seed < LARGEST_NUMBER:
            raise InvalidInputError(f"{draw.seed} is no seed: choose a whole number from 0 up.")
        if draw.labels_per_class < 1:
            raise InvalidInputError(f"{draw.labels_per_class} labels per class cannot be drawn: ask for 1 or more.")
        candidates = self.train_rows[self.labels[self.train_rows] != NO_LABEL]
        if not len(candidates):
            raise InvalidInputError(f"No training image of task {self.name!r} has a label: label some images first.")
        drawn = []
        for label in range(len(self.classes)):
            of_class = candidates[self.labels[candidates] == label]
            order = np.random.default_rng([draw.seed, _LABEL_STREAM, label]).permutation(len(of_class))
            drawn.append(of_class[order[: draw.labels_per_class]])
        return np.sort(np.concatenate(drawn))


_LABEL_STREAM = 0x1ABE1  # keeps the draw of labels apart from every other random stream of the same seed


def load_task(workspace: Workspace, name: str) -> Task:
    """The task of that name. Raises DamagedFileError if task.json is damaged or was changed by hand."""
    folder = workspace.tasks / name
    path, what = folder / TASK_FILE, f"task {name!r}"
    way_out = f"restore it, or remove the folder {folder} and add the task again"
    record = read_record(path, TaskRecord, what, way_out)
    if problem := _problem(record, name):
        raise damaged(path, what, problem, way_out)
    return Task(workspace, record)


def _problem(record: TaskRecord, name: str) -> str | None:
    """What is wrong with a record whose fields are of the right types."""
    if record.name != name:
        return f"it is the record of {record.name!r}"
    if record.format > FORMAT:
        return "a later version of this program wrote it"
    if any(len(set(classes)) < len(classes) for classes in (record.classes, record.given_classes)):
        return "a class has its name twice"
    try:
        reading_from(record.reading)
    except InvalidInputError as error:
        return str(error).rstrip(".")
    return None


def write_task(folder: Path, record: TaskRecord) -> None:
    """Write task.json into a task's folder, atomically. Raises StorageError."""
    write_record(folder / TASK_FILE, record)


def write_task_files(
    folder: Path, record: TaskRecord, image_ids: Sequence[str], labels: Sequence[int], splits: Sequence[str]
) -> TaskRecord:
    """Write the first label and split revision and task.json into a folder that already holds images.parquet."""
    record = replace(
        record,
        labels=write_revision(folder / "labels", "label", image_ids, pa.array(labels, pa.int32())),
        split=write_revision(folder / "splits", "split", image_ids, pa.array(splits, pa.string())),
    )
    write_task(folder, record)
    return record


def write_revision(folder: Path, column: str, image_ids: Sequence[str], values: pa.Array) -> str:
    """Write one revision of labels or of a split and return its name, which is a hash of its content."""
    make_folder(folder)
    ids = pa.array(image_ids, pa.large_string())
    revision = _revision(ids, values)
    path = folder / f"{revision}.parquet"
    if not path.exists():
        table = pa.table({"image_id": ids.cast(pa.string()), column: values})
        encodings = {"image_id": "DELTA_BYTE_ARRAY"}  # names that begin alike take little room so
        with replacing(path) as temporary:
            pq.write_table(
                table, temporary, compression="zstd", use_dictionary=[column], column_encoding=encodings
            )  # fmt: skip
    return revision


def _revision(ids: pa.Array, values: pa.Array) -> str:
    """The name of a revision: a hash of the image ids and their values."""
    import pyarrow.compute as pc  # a tenth of a second that a process which only reads a source does not wait for

    lines = pc.binary_join_element_wise(ids, values.cast(pa.large_string()), pa.scalar("\t", pa.large_string()))
    content = pc.binary_join(pa.LargeListArray.from_arrays([0, len(lines)], lines), pa.scalar("\n", pa.large_string()))
    return hashlib.sha256(content[0].as_buffer()).hexdigest()[:12]


def _read_revision(path: Path, column: str, image_ids: Sequence[str]) -> pa.ChunkedArray:
    """The values of a revision, which are compared with the hash that names it, once as long as it does not change."""
    what = "labels" if column == "label" else "the split"
    try:
        stamps = path.stat()
        ids, values = _compared(path, column, stamps.st_ino, stamps.st_mtime_ns, stamps.st_size)
    except FileNotFoundError as error:
        raise DamagedFileError(f"{path} is gone, and with it {what} of the task: {RESTORE}.") from error
    except OSError as error:
        raise storage_error(error, path) from error
    if not ids.equals(pa.array(image_ids[: len(ids)], pa.large_string())):
        where = path.parents[1] / IMAGES_FILE
        raise damaged(path, f"{what} of the task", f"it is about other images than {where} holds", RESTORE)
    return values


RESTORE = "restore it, or add the task again"


@lru_cache(maxsize=32)
def _compared(path: Path, column: str, *_stamps: int) -> tuple[pa.Array, pa.ChunkedArray]:
    what = "labels of the task" if column == "label" else "the split of the task"
    kind = pa.int32() if column == "label" else pa.string()
    try:
        table = pq.read_table(path, columns=["image_id", column])
        ids = table["image_id"].combine_chunks().cast(pa.large_string())
        values = table[column].combine_chunks().cast(kind)
        same = values.null_count == ids.null_count == 0 and _revision(ids, values) == path.stem
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno:
            raise
        raise damaged(path, what, _first_line(error), RESTORE) from error
    except (pa.ArrowException, KeyError, ValueError) as error:
        raise damaged(path, what, _first_line(error), RESTORE) from error
    if not same:
        raise damaged(path, what, "its content is not what its name, a hash, stands for", RESTORE)
    return ids, pa.chunked_array([values])


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _for_all(values: Any, later: int | str, images: int, kind: Any) -> NDArray[Any]:
    """The image table only grows: images that came after a revision have no label and are trained on."""
    return np.concatenate([np.asarray(values, dtype=kind), np.full(images - len(values), later, dtype=kind)])
