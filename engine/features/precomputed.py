"""Adding a teacher whose network may not be shared: a table of what it says of each image of one task.

A Parquet file with one row for each image: a column that names the image, and features, pseudo-labels or both, each as
one column of lists or as one column for each number. Columns that are none of these are left alone, so a label in the
table never becomes a feature.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError
from engine.features.store import OUTPUTS, SHARD_IMAGES, FeatureStore
from engine.files import sha256, storage_error
from engine.jobs import IMPORT, Job, Reporter, request
from engine.review import open_task
from engine.tasks import Task
from engine.teachers.about import (
    LONGEST_CLASS,
    TeacherDescription,
    checked_classes,
    checked_text,
    completed,
    description_from,
)
from engine.teachers.catalogue import check_free
from engine.teachers.hub import Progress, silent
from engine.teachers.install import install, job_progress, new_record, with_upload
from engine.teachers.record import TeacherRecord, WeightSource
from engine.workspace import Workspace

KIND = "add-outputs"
IMAGE_COLUMNS = ("image_id", "image", "file_name", "filename", "file", "path", "name", "id")
FEATURE_COLUMNS = ("features", "feature", "embeddings", "embedding")
PSEUDO_LABEL_COLUMNS = ("pseudo_labels", "pseudo_label", "probabilities", "probs", "softmax")
FEATURE_NUMBER = re.compile(r"(?:f|feature|features|e|emb|embedding|dim)[_-]?[0-9]+", re.IGNORECASE)
PSEUDO_LABEL_NUMBER = re.compile(r"(?:p|prob|probability|pseudo_label)_(?P<name>.+)", re.IGNORECASE | re.DOTALL)
WIDEST = 16_384  # numbers of one kind for an image; ours: four times the widest of timm
LARGEST_TABLE = int(os.environ.get("WORKBENCH_LARGEST_OUTPUTS", str(8 * 2**30)))  # bytes when unpacked; ours
MOST_ROWS = 20_000_000  # ours: two hundred times the largest task that was tried
MOST_COLUMNS = 2 * WIDEST + 100
LARGEST_HALF = 65_504.0  # the largest number in half precision, in which features are kept
SUM_TOLERANCE = 0.01  # how far from 1 the probabilities of an image may sum: rounding to two digits, not logits
ROWS_AT_ONCE = 2_048
NAMED = 3  # how many examples a message gives


@dataclass(frozen=True)
class OutputColumns:
    """Which columns of a table are what, and which are left alone."""

    image: str
    features: tuple[str, ...]
    pseudo_labels: tuple[str, ...]
    ignored: tuple[str, ...]


def request_outputs(
    workspace: Workspace,
    task: Task,
    upload: str,
    file_name: str,
    about: TeacherDescription,
    classes: Sequence[str],
    image_column: str | None,
) -> Job:
    """Queue the adding of a table that was put into the workspace by `engine.teachers.install.stage`."""
    spec = {
        "task": task.name,
        "upload": upload,
        "file_name": file_name,
        "about": asdict(about),
        "classes": list(classes),
        "image_column": image_column,
    }
    return request(workspace.jobs, "add-teacher", kind=KIND, spec=spec, device="cpu", lane=IMPORT)


def execute_outputs(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    spec = job.spec

    def add(path: Path) -> None:
        add_outputs(
            workspace,
            open_task(workspace, spec["task"]),
            path,
            spec["file_name"],
            description_from(spec["about"]),
            classes=spec["classes"],
            image_column=spec["image_column"],
            progress=job_progress(report),
        )

    with_upload(workspace, spec["upload"], spec["file_name"], add)


def add_outputs(
    workspace: Workspace,
    task: Task,
    path: Path,
    file_name: str,
    about: TeacherDescription,
    *,
    classes: Sequence[str] = (),
    image_column: str | None = None,
    progress: Progress | None = None,
) -> TeacherRecord:
    """Add a teacher that is known only by what it says of the images of `task`, a Parquet file.

    `classes`: names of the teacher's own classes, in the order of the probabilities; by default those of the columns,
    or "class 0" and so on. Every training image must be there; images that the task does not have are left out, and
    the record's note says how many. A teacher without features gets its pseudo-labels as features.

    Raises InvalidInputError or DamagedFileError with one sentence; then nothing is kept.
    """
    progress = progress or silent
    about = completed(about, title=Path(file_name).stem)
    check_free(workspace, about.name, about.title)
    table = _opened(path, file_name)
    columns = find_columns(table.schema_arrow, file_name, image_column)
    read = _read(table, columns, _image_names(task), len(task.images), file_name, progress)
    _require_training_images(task, read.found, file_name)
    rows = np.flatnonzero(read.found)
    names = _class_names(classes, columns, read.pseudo_labels, file_name)
    pseudo_labels = _probabilities(read.pseudo_labels, rows, task, file_name)
    features = _features(read.features, rows, task, file_name) if read.features is not None else pseudo_labels
    notes = [_note(len(rows), read.unmatched, columns)]
    if read.features is None:
        notes.append("It came without features, so its pseudo-labels serve as features.")
    if not names:
        notes.append("It came without pseudo-labels, so of all methods DistillConsensus alone hears it.")

    def fill(folder: Path) -> TeacherRecord:
        record = new_record(
            about,
            architecture="not shared",
            classes=names,
            input_size=0,
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            init="unknown",
            accuracy_note=" ".join(notes),
            parameters=0,
            gflops=0.0,
            gflops_note="its network is not here",
            command=f"python -m engine teachers add {file_name} --task {task.name}",
            weights=WeightSource(
                "outputs", sha256(path), task=task.name, images=len(task.images), image_ids=image_ids_hash(task)
            ),
            origin="outputs",
            source=file_name,
        )
        store = FeatureStore(workspace, task, record)
        store.folder = folder / OUTPUTS  # beside the record, and renamed together with it
        for start in range(0, len(rows), SHARD_IMAGES):
            part = slice(start, start + SHARD_IMAGES)
            progress(start, len(rows), "images", "Keeping what it says")
            store.write(rows[part], 0, features[part].astype(np.float16), pseudo_labels[part].astype(np.float16))
        return record

    return install(workspace, about.name, fill)


def describes(teacher: TeacherRecord, task: Task) -> bool:
    """Whether a teacher can say something of a task's images: it has a network, or outputs of these very images."""
    if teacher.has_network:
        return True
    source = teacher.weights
    if source.task != task.name or source.images > len(task.images):
        return False
    return source.image_ids == image_ids_hash(task, source.images)


def image_ids_hash(task: Task, count: int | None = None) -> str:
    """A hash of the ids of the first `count` images of a task, which never change: the table only grows."""
    return hashlib.sha256("\n".join(task.images.image_ids[:count]).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def find_columns(schema: pa.Schema, file_name: str, image_column: str | None = None) -> OutputColumns:
    """Which columns name the image and hold features and pseudo-labels. Raises InvalidInputError if there are none."""
    names = list(schema.names)
    if len(names) > MOST_COLUMNS:
        raise InvalidInputError(f"{file_name} has {len(names):,} columns, more than the {MOST_COLUMNS:,} allowed.")
    if double := next((name for name in names if names.count(name) > 1), None) if len(names) < 5_000 else None:
        raise InvalidInputError(f"{file_name} has two columns named {double[:80]!r}: rename one of them.")
    image = _image_column(schema, file_name, image_column)
    lists = {name for name in names if _is_list(schema.field(name).type)}
    numbers = {name for name in names if _is_number(schema.field(name).type)}
    features = [name for name in names if name.lower() in FEATURE_COLUMNS and name in lists]
    features = features[:1] or [n for n in names if n in numbers and n != image and FEATURE_NUMBER.fullmatch(n)]
    labels = [name for name in names if name.lower() in PSEUDO_LABEL_COLUMNS and name in lists]
    labels = labels[:1] or [n for n in names if n in numbers and n != image and PSEUDO_LABEL_NUMBER.fullmatch(n)]
    if not features and not labels:
        shown = ", ".join(name[:40] for name in names[:8]) + (", …" if len(names) > 8 else "")
        raise InvalidInputError(
            f"{file_name} has the columns {shown}, and none of features or pseudo-labels: name a column of lists "
            "'features' or 'pseudo_labels', or number columns f0, f1, … or p_<class>."
        )
    used = {image, *features, *labels}
    return OutputColumns(image, tuple(features), tuple(labels), tuple(name for name in names if name not in used))


@dataclass
class _Read:
    """A table in the order of the task's images. Arrays are `[images, numbers]`; rows not found are 0."""

    found: NDArray[np.bool_]
    features: NDArray[np.float32] | None
    pseudo_labels: NDArray[np.float32] | None
    unmatched: int


def _opened(path: Path, file_name: str) -> pq.ParquetFile:
    try:
        table = pq.ParquetFile(path)
        size = sum(_unpacked(table.metadata.row_group(i)) for i in range(table.num_row_groups))
    except OSError as error:
        if error.errno:
            raise storage_error(error, path) from error
        raise _damaged(file_name, error) from error
    except Exception as error:  # another's parser of an unknown file
        raise _damaged(file_name, error) from error
    if size > LARGEST_TABLE:
        raise InvalidInputError(
            f"{file_name} unpacks to {size:,} bytes, more than the {LARGEST_TABLE:,} allowed: leave out images that "
            "the task does not have, or set WORKBENCH_LARGEST_OUTPUTS to more."
        )
    if table.metadata.num_rows > MOST_ROWS:
        raise InvalidInputError(
            f"{file_name} has {table.metadata.num_rows:,} rows, more than the {MOST_ROWS:,} allowed."
        )
    if not table.metadata.num_rows:
        raise InvalidInputError(f"{file_name} has no rows: it should have one for each image.")
    return table


def _unpacked(group: pq.RowGroupMetaData) -> int:
    """Bytes of one part of a table in memory: what it says, or what its numbers come to if it says less."""
    values = sum(group.column(i).num_values for i in range(group.num_columns))
    return max(int(group.total_byte_size), 4 * int(values))


def _damaged(file_name: str, error: Exception) -> DamagedFileError:
    reason = (next(iter(str(error).splitlines()), "") or type(error).__name__)[:160]
    return DamagedFileError(f"{file_name} is no readable Parquet file ({reason}): write it again.")


def _image_column(schema: pa.Schema, file_name: str, wanted: str | None) -> str:
    if wanted:
        if wanted not in schema.names:
            raise InvalidInputError(f"{file_name} has no column {wanted[:80]!r}: name the one that names the image.")
        return wanted
    texts = [name for name in schema.names if _is_text(schema.field(name).type)]
    for name in IMAGE_COLUMNS:
        if found := [text for text in texts if text.lower() == name]:
            return str(found[0])
    if len(texts) == 1:
        return str(texts[0])
    raise InvalidInputError(
        f"{file_name} has no column that names the image: call one of text 'image_id', with the image's id or file "
        "name."
    )


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and _is_number(kind.value_type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _image_names(task: Task) -> dict[str, int]:
    """Row of each image by its id and, where that is unambiguous, by its file name, with and without its ending."""
    ids = [_composed(image_id) for image_id in task.images.image_ids]
    rows = {image_id: row for row, image_id in enumerate(ids)}
    shorter: dict[str, int] = {}
    for row, image_id in enumerate(ids):
        path = PurePosixPath(image_id)
        for name in {str(path.with_suffix("")) if path.suffix else image_id, path.name, path.stem} - {image_id}:
            shorter[name] = row if name not in shorter else -1
    return {**{name: row for name, row in shorter.items() if row >= 0 and name not in rows}, **rows}


def _composed(name: object) -> str:
    """A name as it is compared: macOS writes letters and their marks apart."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else ""


def _read(
    table: pq.ParquetFile,
    columns: OutputColumns,
    rows_of: Mapping[str, int],
    images: int,
    file_name: str,
    progress: Progress,
) -> _Read:
    read = _Read(np.zeros(images, dtype=np.bool_), None, None, 0)
    wanted = [columns.image, *columns.features, *columns.pseudo_labels]
    total, done = table.metadata.num_rows, 0
    for batch in _batches(table, wanted, file_name):
        progress(done, total, "rows", "Reading the table")
        done += batch.num_rows
        try:
            names = batch.column(columns.image).to_pylist()
            rows = np.array([rows_of.get(_composed(name), -1) for name in names], dtype=np.int64)
            known = rows >= 0
            read.unmatched += int((~known).sum())
            if not known.any():
                continue
            _refuse_doubles(read.found, rows[known], [n for n, k in zip(names, known, strict=True) if k], file_name)
            read.features = _placed(read.features, batch, columns.features, rows, images, "features", file_name)
            read.pseudo_labels = _placed(
                read.pseudo_labels, batch, columns.pseudo_labels, rows, images, "pseudo-labels", file_name
            )
            read.found[rows[known]] = True
        except (pa.ArrowException, UnicodeDecodeError, OverflowError, MemoryError) as error:
            raise _damaged(file_name, error) from error
    if not read.found.any():
        raise InvalidInputError(
            f"None of the {total:,} rows of {file_name} names an image of this task in its column {columns.image!r}: "
            f"write the image's id or file name there, such as {next(iter(rows_of), '')!r}."
        )
    return read


def _batches(table: pq.ParquetFile, wanted: list[str], file_name: str) -> Iterator[pa.RecordBatch]:
    batches = table.iter_batches(ROWS_AT_ONCE, columns=wanted)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # another's parser of an unknown file
            raise _damaged(file_name, error) from error
        yield batch


def _refuse_doubles(found: NDArray[np.bool_], rows: NDArray[np.int64], names: list[str], file_name: str) -> None:
    order = np.argsort(rows, kind="stable")
    twice = np.flatnonzero(np.diff(rows[order]) == 0)
    if len(twice) or found[rows].any():
        place = int(order[twice[0] + 1]) if len(twice) else int(np.flatnonzero(found[rows])[0])
        raise InvalidInputError(
            f"{file_name} names the image {names[place][:120]!r} twice: keep one row for each image."
        )


def _placed(
    into: NDArray[np.float32] | None,
    batch: pa.RecordBatch,
    columns: tuple[str, ...],
    rows: NDArray[np.int64],
    images: int,
    kind: str,
    file_name: str,
) -> NDArray[np.float32] | None:
    """Put the numbers of a batch at the rows of their images."""
    if not columns:
        return None
    values = _matrix(batch, columns, kind, file_name)
    if into is None:
        if not 1 <= values.shape[1] <= WIDEST:
            raise InvalidInputError(
                f"{file_name} has {values.shape[1]:,} {kind} for an image: there should be 1 to {WIDEST:,}."
            )
        if images * values.shape[1] * 4 > LARGEST_TABLE:
            raise InvalidInputError(
                f"{images:,} images with {values.shape[1]:,} {kind} each take more than the {LARGEST_TABLE:,} bytes "
                "allowed: set WORKBENCH_LARGEST_OUTPUTS to more."
            )
        into = np.zeros((images, values.shape[1]), dtype=np.float32)
    if values.shape[1] != into.shape[1]:
        raise InvalidInputError(
            f"{file_name} has {into.shape[1]:,} {kind} for some images and {values.shape[1]:,} for others: give every "
            "image as many."
        )
    known = rows >= 0
    wrong = np.flatnonzero(~np.isfinite(values[known]).all(axis=1))
    if len(wrong):
        name = np.array(batch.column(0).to_pylist(), dtype=object)[known][wrong[0]]
        raise InvalidInputError(
            f"{file_name} holds {kind} that are missing, infinite or no number, first for the image "
            f"{str(name)[:120]!r}: compute them again."
        )
    into[rows[known]] = values[known]
    return into


def _matrix(batch: pa.RecordBatch, columns: tuple[str, ...], kind: str, file_name: str) -> NDArray[np.float32]:
    """Numbers of a batch, `[rows, numbers]`; what is missing becomes NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        first = batch.column(columns[0])
        if not _is_list(first.type):
            return np.stack(
                [batch.column(name).to_numpy(zero_copy_only=False).astype(np.float32) for name in columns], axis=1
            )
        if first.null_count:
            raise InvalidInputError(
                f"{file_name} has no {kind} for {first.null_count:,} of its rows: compute them, or leave these rows "
                "out."
            )
        lengths = first.value_lengths().to_numpy(zero_copy_only=False)
        if len(set(lengths.tolist())) > 1:
            raise InvalidInputError(
                f"{file_name} has {int(lengths.min()):,} {kind} for some images and {int(lengths.max()):,} for others: "
                "give every image as many."
            )
        flat: NDArray[np.float32] = first.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        return flat.reshape(batch.num_rows, int(lengths[0]))


def _require_training_images(task: Task, found: NDArray[np.bool_], file_name: str) -> None:
    missing = task.train_rows[~found[task.train_rows]]
    if len(missing):
        named = ", ".join(repr(task.images.image_ids[row]) for row in missing[:NAMED])
        raise InvalidInputError(
            f"{file_name} says nothing of {len(missing):,} of the {len(task.train_rows):,} training images of task "
            f"{task.name!r} ({named}{', …' if len(missing) > NAMED else ''}): the student learns from what a teacher "
            "says of every one of them, labeled or not, so add these rows."
        )


def _class_names(
    asked: Sequence[str], columns: OutputColumns, pseudo_labels: NDArray[np.float32] | None, file_name: str
) -> tuple[str, ...]:
    if pseudo_labels is None:
        if asked:
            raise InvalidInputError(f"There are class names, but {file_name} has no pseudo-labels: leave them out.")
        return ()
    count = pseudo_labels.shape[1]
    if asked:
        names = checked_classes(asked)
        if len(names) != count:
            raise InvalidInputError(
                f"There are {len(names):,} class names, but {file_name} has {count:,} pseudo-labels for an image."
            )
        return names
    if count < 2:
        raise InvalidInputError(
            f"{file_name} has one pseudo-label for an image: write one probability for each class of the teacher."
        )
    if len(columns.pseudo_labels) == count:
        found = [PSEUDO_LABEL_NUMBER.fullmatch(name) for name in columns.pseudo_labels]
        return checked_classes([checked_text("class name", m["name"], LONGEST_CLASS) for m in found if m])
    return tuple(f"class {number}" for number in range(count))


def _probabilities(
    values: NDArray[np.float32] | None, rows: NDArray[np.int64], task: Task, file_name: str
) -> NDArray[np.float32]:
    """Pseudo-labels of `rows` that sum to 1, `[rows, Z]`; Z is 0 where there are none."""
    if values is None:
        return np.zeros((len(rows), 0), dtype=np.float32)
    found = values[rows]
    sums = found.sum(axis=1, dtype=np.float64)
    wrong = np.flatnonzero((found < 0).any(axis=1) | (np.abs(sums - 1) > SUM_TOLERANCE))
    if len(wrong):
        name, first = task.images.image_ids[rows[wrong[0]]], found[wrong[0]]
        problem = "are partly negative" if (first < 0).any() else f"sum to {_shown(sums[wrong[0]])} instead of 1"
        raise InvalidInputError(
            f"The pseudo-labels of {len(wrong):,} images in {file_name} are no probabilities; those of {name!r} "
            f"{problem}: write the softmax of the teacher's outputs."
        )
    probabilities: NDArray[np.float32] = (found / sums[:, None]).astype(np.float32)
    return probabilities


def _features(values: NDArray[np.float32], rows: NDArray[np.int64], task: Task, file_name: str) -> NDArray[np.float32]:
    """Features of `rows`, which differ between images and can be kept in half precision."""
    found = values[rows]
    largest = float(np.abs(found).max())
    if largest > LARGEST_HALF:
        raise InvalidInputError(
            f"{file_name} holds features as large as {largest:.3g}, and at most {LARGEST_HALF:,.0f} can be kept: "
            "divide them by one number, which changes no ranking."
        )
    if not np.ptp(found.astype(np.float16), axis=0).any():
        raise InvalidInputError(
            f"The features in {file_name} are the same for all {len(rows):,} images: they tell nothing apart."
        )
    return found


def _note(images: int, unmatched: int, columns: OutputColumns) -> str:
    parts = [f"Precomputed for {images:,} images."]
    if unmatched:
        parts.append(f"{unmatched:,} rows of the file named no image of the task and were left out.")
    if columns.ignored:
        names = ", ".join(repr(name[:40]) for name in columns.ignored[:8])
        parts.append(f"Columns left alone: {names}{', …' if len(columns.ignored) > 8 else ''}.")
    return " ".join(parts)


def _shown(number: float) -> str:
    return f"{number:.3g}" if math.isfinite(number) else "no number"
