"""Adding a teacher whose network may not be shared: a table of what it says of each image of one task.

The table is read by `engine.features.outputs_table`; here it becomes a teacher, if it fits the task.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError
from engine.features.outputs_table import (
    PSEUDO_LABEL_NUMBER,
    OutputColumns,
    composed,
    find_columns,
    open_table,
    read_table,
)
from engine.features.store import OUTPUTS, SHARD_IMAGES, FeatureStore
from engine.files import sha256
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
LARGEST_HALF = 65_504.0  # the largest number in half precision, in which features are kept
SUM_TOLERANCE = 0.01  # how far from 1 the probabilities of an image may sum: rounding to two digits, not logits
NAMED = 3  # how many examples a message gives


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
    table = open_table(path, file_name)
    columns = find_columns(table.schema_arrow, file_name, image_column)
    read = read_table(table, columns, _image_names(task), len(task.images), file_name, progress)
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


def _image_names(task: Task) -> dict[str, int]:
    """Row of each image by its id and, where that is unambiguous, by its file name, with and without its ending."""
    ids = [composed(image_id) for image_id in task.images.image_ids]
    rows = {image_id: row for row, image_id in enumerate(ids)}
    shorter: dict[str, int] = {}
    for row, image_id in enumerate(ids):
        path = PurePosixPath(image_id)
        for name in {str(path.with_suffix("")) if path.suffix else image_id, path.name, path.stem} - {image_id}:
            shorter[name] = row if name not in shorter else -1
    return {**{name: row for name, row in shorter.items() if row >= 0 and name not in rows}, **rows}


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
