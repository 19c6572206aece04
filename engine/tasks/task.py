"""A task: classes, images, and the revision of labels and split that is in use."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import canonical_hash, make_folder, read_json, replacing, storage_error, write_json
from engine.tasks.images import ImageTable, image_table

FORMAT = 1
NO_LABEL = -1
SPLITS = ("train", "test")


@dataclass(frozen=True)
class TaskRecord:
    """What task.json says."""

    name: str
    title: str
    summary: str
    collection: str  # where the images come from; a teacher that saw the same ones is refused
    parts: tuple[str, ...]  # which atomic parts of the collection; empty = all of it
    classes: tuple[str, ...]
    resize: str  # "squash", "pad" or "crop": how an image becomes square
    flip: bool  # whether a mirrored image is still of its class
    license: str
    source: str
    split_rule: str
    labels: str = ""  # revision of the labels in use
    split: str = ""  # revision of the split in use
    origin: str = ""  # checksum of the bundled file it was made from; empty for a user's own task
    format: int = field(default=FORMAT)
    # Of an imported task alone:
    given_labels: str = ""  # revision of the labels as they came or were set by hand, before decisions
    given_split: str = ""  # revision of the split as it came; "" for an image of which nothing was said
    given_classes: tuple[str, ...] = ()  # what given_labels index
    reviewed: str = ""  # the given_labels that classes, labels and split follow from; labels by hand may be newer
    student_size: int = 0  # pixels, square; 0 = the recipe's
    reading: Mapping[str, Any] = field(default_factory=dict)  # how images with more channels or bits became RGB
    decisions: Mapping[str, Any] = field(default_factory=dict)  # finding -> choice, and the split


@dataclass(frozen=True)
class Task:
    """A task on disk. Arrays are in the order of the image table: `images` rows."""

    folder: Path
    record: TaskRecord

    @property
    def name(self) -> str:
        """The task's name, which is its folder's name."""
        return self.record.name

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
        return image_table(self.folder / "images.parquet")

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Class index of each image, `[images]`; -1 where the label is not known."""
        labels = self.read_labels(self.record.labels)
        if labels.size and (labels.min() < NO_LABEL or labels.max() >= len(self.classes)):
            raise DamagedFileError(
                f"The labels of task {self.name!r} hold a class number that it does not have: add the task again."
            )
        return labels

    @cached_property
    def splits(self) -> NDArray[np.str_]:
        """ "train" or "test" for each image, `[images]`; "out" for one that takes no part."""
        return self.read_split(self.record.split)

    def read_labels(self, revision: str) -> NDArray[np.int64]:
        """The labels of a revision, `[images]`. Raises DamagedFileError or StorageError."""
        path = self.folder / "labels" / f"{revision}.parquet"
        return _for_all(_read_revision(path, "label", len(self.images)), NO_LABEL, len(self.images), np.int64)

    def read_split(self, revision: str) -> NDArray[np.str_]:
        """The split of a revision, `[images]`. Raises DamagedFileError or StorageError."""
        path = self.folder / "splits" / f"{revision}.parquet"
        found = _read_revision(path, "split", len(self.images)).combine_chunks().dictionary_encode()
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

    def labeled_rows(self, labels_per_class: int, seed: int) -> NDArray[np.int64]:
        """Rows of the labeled images that seed `seed` draws: `labels_per_class` of each class, fewer where a class
        has fewer. Sorted. Within a seed a smaller budget is a subset of a larger one; the test split is never touched.

        Raises InvalidInputError for a budget below 1, a negative seed, or if no training image has a label.
        """
        if seed < 0:
            raise InvalidInputError(f"{seed} is no seed: choose a whole number from 0 up.")
        if labels_per_class < 1:
            raise InvalidInputError(f"{labels_per_class} labels per class cannot be drawn: ask for 1 or more.")
        candidates = self.train_rows[self.labels[self.train_rows] != NO_LABEL]
        if not len(candidates):
            raise InvalidInputError(f"No training image of task {self.name!r} has a label: label some images first.")
        drawn = []
        for label in range(len(self.classes)):
            of_class = candidates[self.labels[candidates] == label]
            order = np.random.default_rng([seed, _LABEL_STREAM, label]).permutation(len(of_class))
            drawn.append(of_class[order[:labels_per_class]])
        return np.sort(np.concatenate(drawn))


_LABEL_STREAM = 0x1ABE1  # keeps the draw of labels apart from every other random stream of the same seed


def load_task(folder: Path) -> Task:
    """The task in a folder. Raises DamagedFileError if task.json is damaged."""
    value = read_json(folder / "task.json")
    try:
        lists = {key: tuple(value[key]) for key in ("classes", "parts")}
        record = TaskRecord(**{**value, **lists, "given_classes": tuple(value.get("given_classes", ()))})
    except (TypeError, KeyError) as error:
        raise DamagedFileError(
            f"{folder / 'task.json'} is not a task record ({error}): remove the folder and add the task again."
        ) from error
    return Task(folder, record)


def write_task_files(
    folder: Path, record: TaskRecord, image_ids: Sequence[str], labels: Sequence[int], splits: Sequence[str]
) -> TaskRecord:
    """Write the first label and split revision and task.json into a folder that already holds images.parquet."""
    record = TaskRecord(
        **{
            **asdict(record),
            "classes": record.classes,
            "parts": record.parts,
            "labels": write_revision(folder / "labels", "label", image_ids, pa.array(labels, pa.int32())),
            "split": write_revision(folder / "splits", "split", image_ids, pa.array(splits, pa.string())),
        }
    )
    write_json(folder / "task.json", asdict(record))
    return record


def write_revision(folder: Path, column: str, image_ids: Sequence[str], values: pa.Array) -> str:
    """Write one revision of labels or of a split and return its name, which is a hash of its content."""
    make_folder(folder)
    ids = pa.array(image_ids, pa.large_string())
    lines = pc.binary_join_element_wise(ids, values.cast(pa.large_string()), pa.scalar("\t", pa.large_string()))
    content = pc.binary_join(pa.LargeListArray.from_arrays([0, len(lines)], lines), pa.scalar("\n", pa.large_string()))
    revision = hashlib.sha256(content[0].as_buffer()).hexdigest()[:12]
    path = folder / f"{revision}.parquet"
    if not path.exists():
        table = pa.table({"image_id": ids.cast(pa.string()), column: values})
        encodings = {"image_id": "DELTA_BYTE_ARRAY"}  # names that begin alike take little room so
        with replacing(path) as temporary:
            pq.write_table(
                table, temporary, compression="zstd", use_dictionary=[column], column_encoding=encodings
            )  # fmt: skip
    return revision


def _read_revision(path: Path, column: str, images: int) -> pa.ChunkedArray:
    try:
        values = pq.read_table(path, columns=[column])[column]
    except OSError as error:
        if error.errno:
            raise storage_error(error, path) from error
        raise DamagedFileError(f"{path} is damaged: restore it, or add the task again.") from error
    except (pa.ArrowException, KeyError) as error:
        raise DamagedFileError(f"{path} is damaged: restore it, or add the task again.") from error
    if len(values) > images:
        raise DamagedFileError(f"{path} names {len(values)} images, but the task has {images}: add the task again.")
    return values


def _for_all(values: Any, later: int | str, images: int, kind: Any) -> NDArray[Any]:
    """The image table only grows: images that came after a revision have no label and are trained on."""
    return np.concatenate([np.asarray(values, dtype=kind), np.full(images - len(values), later, dtype=kind)])
