"""A task of one's own: its findings, and decisions and labels as new revisions of it.

A decision or a label never changes a file of images, labels or split in place: it writes a revision and then task.json,
in one atomic step. What came with the source stays, so that any decision can be taken back.

A label by hand is only written down: what it means for findings, split and classes is reviewed when somebody needs to
know (`settled`), once for many labels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.errors import BusyError, DamagedFileError, InvalidInputError
from engine.files import canonical_hash, storage_error
from engine.jobs import DeviceLock
from engine.tasks.check import review, split_methods
from engine.tasks.facts import FACTS_FILE, About, Facts, read_about, read_facts
from engine.tasks.findings import Decisions, Finding, Review
from engine.tasks.geometry import GeometryAdvice, advise, check_size
from engine.tasks.inventory import Inventory
from engine.tasks.names import clean_text
from engine.tasks.request import ImportRequest, may_flip
from engine.tasks.task import (
    NO_LABEL,
    ChoiceRecord,
    ReadingRecord,
    Task,
    TaskRecord,
    load_task,
    write_revision,
    write_task,
)
from engine.tasks.views import RESIZES

OWN = "own"  # how the collection of a task begins whose images no teacher knows


@dataclass(frozen=True)
class Checked:
    """What is known of an imported task: for the page that shows it."""

    about: About
    facts: Facts
    review: Review
    decisions: Decisions
    split_methods: tuple[str, ...]  # that these images allow, the default first
    advice: GeometryAdvice

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the check found, each with its choices and the one in force."""
        return self.review.findings

    @property
    def open_findings(self) -> tuple[Finding, ...]:
        """Problems and warnings that the user has neither fixed nor accepted yet."""
        return open_findings(self.review)


def open_findings(found: Review) -> tuple[Finding, ...]:
    """Problems and warnings of a review that the user has neither fixed nor accepted yet."""
    return tuple(f for f in found.findings if not f.decided and f.severity != "note")


def count_open(task: Task) -> int:
    """How many findings of the last review wait for a decision; 0 for a bundled task."""
    return int(task.record.decisions.get("open", 0))


def is_own(task: Task) -> bool:
    """Whether a task was imported, so that it can be checked, decided upon and labeled."""
    return bool(task.record.given_labels)


def checked(task: Task) -> Checked:
    """Findings, decisions and advice of an imported task. Raises InvalidInputError for a bundled one."""
    if not is_own(task):
        raise InvalidInputError(f"Task {task.name!r} came with the program: it was checked when it was made.")
    facts, about = _known(task)
    decisions = _decisions(task.record)
    found = _review(task, task.record, decisions)
    given = task.read_split(task.record.given_split)
    methods = split_methods(facts, given, task.read_labels(task.record.given_labels, task.record.given_classes))
    return Checked(about, facts, found, decisions, methods, advise(facts.widths, facts.heights))


def settled(task: Task) -> Task:
    """The task with classes, labels and split as they follow from its labels and decisions as they are on disk now.

    Raises InvalidInputError if nothing can be learned from these labels, BusyError, DamagedFileError or StorageError.
    """
    if task.is_settled:
        return task
    with _changing(task) as current:
        return current if current.is_settled else _revise(current, current.record, _decisions(current.record))


def decide(
    task: Task,
    *,
    findings: Mapping[str, str | None] | None = None,
    split: str | None = None,
    test_share: float | None = None,
    seed: int | None = None,
    resize: str | None = None,
    student_size: int | None = None,
    flip: bool | None = None,
    title: str | None = None,
    summary: str | None = None,
) -> Task:
    """The task with decisions changed; what is None stays. `findings` maps a finding to a choice of it, or to None to
    take the decision back.

    Raises UnknownNameError for a choice that is not offered, InvalidInputError for what these images do not allow;
    the task then stays as it was.
    """
    with _changing(task) as current:
        before = _decisions(current.record)
        merged = {**before.findings, **(findings or {})}
        decisions = Decisions(
            findings={key: choice for key, choice in merged.items() if choice is not None},
            split=before.split if split is None else split,
            test_share=before.test_share if test_share is None else test_share,
            seed=before.seed if seed is None else seed,
        )
        if resize is not None and resize not in RESIZES:
            raise InvalidInputError(f"{resize!r} is no geometry: choose squash, crop or pad.")
        if title is not None and not clean_text(title):
            raise InvalidInputError("The task has no name: write one.")
        record = replace(
            current.record,
            resize=resize or current.record.resize,
            student_size=current.record.student_size if student_size is None else check_size(student_size),
            flip=current.record.flip if flip is None else flip,
            title=current.record.title if title is None else clean_text(title),
            summary=current.record.summary if summary is None else clean_text(summary),
        )
        return _revise(current, record, decisions)


def relabel(task: Task, labels: Mapping[int, str | None]) -> Task:
    """The task with some images labeled anew: row -> class name, or None for no label. Classes may be new.

    Classes, labels and split in use stay those of the last review until the task is `settled`, as `open_task` does.
    Raises InvalidInputError for a row or a class that cannot be; the task then stays as it was. To undo, label again
    with what `given_labels` said before.
    """
    with _changing(task) as current:
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
        revision = _write_labels(current.folder, current.images.image_ids, values)
        record = replace(current.record, given_labels=revision, given_classes=tuple(classes))
        write_task(current.folder, record)
        return load_task(current.folder)


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


@contextmanager
def _changing(task: Task) -> Iterator[Task]:
    """The task as it is on disk now, for one change at a time. Raises BusyError if another change takes too long."""
    if not is_own(task):
        raise InvalidInputError(f"Task {task.name!r} came with the program and stays as it is: import your own.")
    home = task.folder.parent.parent
    lock = DeviceLock(home, f"task-{task.name}")
    deadline = time.monotonic() + _PATIENCE
    while not lock.acquire():
        if time.monotonic() > deadline:
            raise BusyError(f"Task {task.name!r} is being changed by somebody else: try again.")
        time.sleep(0.05)
    try:
        yield load_task(task.folder)
    finally:
        lock.release()


_PATIENCE = 60.0  # s; a change of a million images takes less


def first_record(
    folder: Path,
    request: ImportRequest,
    inventory: Inventory,
    about: About,
    facts: Facts,
    image_ids: Sequence[str],
    classes: tuple[str, ...],
    labels: NDArray[np.int64],
    given: NDArray[np.str_],
    reading: ReadingRecord,
) -> None:
    """Write the first revisions and task.json of an imported task into a folder that has its other files.

    Decisions made ahead that match no finding are ignored, since the finding may have gone.
    """
    advice = advise(facts.widths, facts.heights)
    flip = may_flip(classes, dicom=about.dicom) if request.flip is None else request.flip
    record = TaskRecord(
        name=request.task,
        title=clean_text(request.title),
        summary=f"{len(image_ids):,} images of {len(classes):,} classes, read as {inventory.layout_title}.",
        collection=inventory.collection or f"{OWN}:{request.task}",
        parts=(),
        classes=classes,
        resize=request.resize or advice.resize,
        flip=flip,
        license=inventory.license or "your own images",
        source=about.source,
        split_rule="",
        given_labels=_write_labels(folder, image_ids, labels),
        given_split=write_revision(folder / "splits", "split", image_ids, pa.array(given.tolist(), pa.string())),
        given_classes=classes,
        student_size=request.student_size or advice.size,
        reading=reading,
    )
    found = review(facts, about, classes, labels, given, request.decisions)
    _write_review(folder, record, image_ids, found, request.decisions)


def _revise(task: Task, record: TaskRecord, decisions: Decisions) -> Task:
    found = _review(task, record, decisions)
    _write_review(task.folder, record, task.images.image_ids, found, decisions)
    return load_task(task.folder)


def _review(task: Task, record: TaskRecord, decisions: Decisions) -> Review:
    """The review of a revision; the last ones are remembered, as whoever decides looks at the findings next."""
    key = (
        *_stamps(task),
        record.given_labels,
        record.given_split,
        record.given_classes,
        canonical_hash(asdict(decisions)),
    )
    with _REMEMBERING:
        if key not in _REVIEWS:
            labels = task.read_labels(record.given_labels, record.given_classes)
            given = task.read_split(record.given_split)
            while len(_REVIEWS) >= _REMEMBERED:
                del _REVIEWS[next(iter(_REVIEWS))]
            _REVIEWS[key] = review(*_known(task), record.given_classes, labels, given, decisions)
        return _REVIEWS[key]


_REMEMBERED = 4  # reviews; one of a million images takes some 30 MB
_REVIEWS: dict[tuple[object, ...], Review] = {}
_REMEMBERING = threading.Lock()


def _known(task: Task) -> tuple[Facts, About]:
    """What the import noted of the images, which never changes. Raises DamagedFileError."""
    facts, about = _known_in(task.folder, *_stamps(task))
    if len(facts.widths) != len(task.images):
        raise DamagedFileError(
            f"{task.folder / FACTS_FILE} is damaged: it knows {len(facts.widths):,} of the {len(task.images):,} images "
            f"of task {task.name!r}. Restore it, or import the images again."
        )
    return facts, about


@lru_cache(maxsize=4)
def _known_in(folder: Path, *stamps: object) -> tuple[Facts, About]:
    facts, about = read_facts(folder), read_about(folder)
    if facts is None or about is None:
        raise DamagedFileError(f"{folder} lacks what the import noted of its images: import them again.")
    return facts, about


def _stamps(task: Task) -> tuple[object, ...]:
    """What tells a task's import from every other one, also one that took its name later."""
    path = task.folder / FACTS_FILE
    try:
        about = path.stat()
    except OSError as error:
        raise storage_error(error, path) from error
    return str(path), about.st_ino, about.st_mtime_ns, about.st_size


def _write_review(
    folder: Path, record: TaskRecord, image_ids: Sequence[str], found: Review, decisions: Decisions
) -> None:
    by_key: dict[str, ChoiceRecord] = {
        f.key: {"choice": f.choice, "by": "user" if f.decided else "default"} for f in found.findings
    }
    # A decision about a finding that is not there now is kept: it may come back with other labels.
    absent: dict[str, ChoiceRecord] = {
        k: {"choice": c, "by": "user"} for k, c in decisions.findings.items() if k not in by_key
    }
    revised = replace(
        record,
        reviewed=record.given_labels,
        classes=found.classes,
        split_rule=found.split_rule,
        labels=_write_labels(folder, image_ids, found.labels),
        split=write_revision(folder / "splits", "split", image_ids, pa.array(found.splits.tolist(), pa.string())),
        decisions={
            "findings": {**by_key, **absent},
            "open": len(open_findings(found)),
            "split": decisions.split,
            "split_in_use": found.split_method,
            "test_share": decisions.test_share,
            "seed": decisions.seed,
        },
    )
    write_task(folder, revised)


def _write_labels(folder: Path, image_ids: Sequence[str], labels: NDArray[np.int64]) -> str:
    return write_revision(folder / "labels", "label", image_ids, pa.array(labels, pa.int32()))


def _decisions(record: TaskRecord) -> Decisions:
    value = record.decisions
    entries = value.get("findings", {}).items()
    findings = {key: entry["choice"] for key, entry in entries if entry["by"] == "user" or (key, entry) == _MERGED}
    return Decisions(
        findings, value.get("split", ""), value.get("test_share", Decisions.test_share), value.get("seed", 0)
    )


# Version 0.1 made classes of two spellings one where nobody had said anything: such a task keeps its classes.
_MERGED = ("class-names", {"choice": "merge", "by": "default"})
