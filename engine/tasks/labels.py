"""Labels by hand, as new revisions of an own task.

A label by hand is only written down: what it means for findings, split and classes is reviewed when somebody needs to
know (`engine.review.decisions.settled`), once for many labels.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import BusyError, InvalidInputError
from engine.jobs import FileLock
from engine.tasks.names import clean_text
from engine.tasks.task import NO_LABEL, Task, load_task, write_revision, write_task


def is_own(task: Task) -> bool:
    """Whether a task was imported, so that it can be checked, decided upon and labeled."""
    return bool(task.record.given_labels)


def relabel(task: Task, labels: Mapping[int, str | None]) -> Task:
    """The task with some images labeled anew: row -> class name, or None for no label. Classes may be new.

    Classes, labels and split in use stay those of the last review until the task is `settled`, as `open_task` does.
    Raises InvalidInputError for a row or a class that cannot be; the task then stays as it was. To undo, label again
    with what `given_labels` said before.
    """
    with changing(task) as current:
        classes = list(current.record.given_classes)
        values = current.read_labels(current.record.given_labels, current.record.given_classes).copy()
        for row, name in labels.items():
            if not 0 <= row < len(values):
                raise InvalidInputError(f"Task {task.name!r} has no image number {row}: it has {len(values):,}.")
            text = clean_text(name) if name is not None else ""
            if name is not None and not text:
                raise InvalidInputError("A class needs a name: write one, or take the label away.")
            if text and text not in classes:
                classes.append(text)
            values[row] = classes.index(text) if text else NO_LABEL
        revision = write_labels(current.folder, current.images.image_ids, values)
        record = replace(current.record, given_labels=revision, given_classes=tuple(classes))
        write_task(current.folder, record)
        return load_task(current.workspace, current.name)


def given_labels(task: Task, rows: Sequence[int] | None = None) -> list[str | None]:
    """Labels of images (of all, if no rows are named) as they came or were set by hand, before decisions; None where
    there is none.
    """
    names, labels = task.record.given_classes, task.read_labels(task.record.given_labels, task.record.given_classes)
    wanted = labels if rows is None else labels[np.asarray(rows, dtype=np.int64)]
    return [None if label < 0 else names[label] for label in wanted.tolist()]


def given_label_numbers(task: Task) -> NDArray[np.int64]:
    """The same as indices into `task.record.given_classes`, `[images]`, -1 for none; of a bundled task, its labels."""
    return task.read_labels(task.record.given_labels, task.record.given_classes) if is_own(task) else task.labels


def write_labels(folder: Path, image_ids: Sequence[str], labels: NDArray[np.int64]) -> str:
    """Write labels as a revision into a task's folder; gives its name. labels: `[images]`, -1 for none."""
    return write_revision(folder / "labels", "label", image_ids, pa.array(labels, pa.int32()))


@contextmanager
def changing(task: Task) -> Iterator[Task]:
    """The task as it is on disk now, for one change at a time. Raises BusyError if another change takes too long."""
    if not is_own(task):
        raise InvalidInputError(f"Task {task.name!r} came with the program and stays as it is: import your own.")
    lock = FileLock(task.workspace, f"task-{task.name}")
    deadline = time.monotonic() + _PATIENCE
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise BusyError(f"Task {task.name!r} is being changed by somebody else: try again.")
        time.sleep(0.05)
    try:
        yield load_task(task.workspace, task.name)
    finally:
        lock.release()


_PATIENCE = 60.0  # s; a change of a million images takes less
