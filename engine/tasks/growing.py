"""New images of an own task: its image table only grows, so that whatever is known of earlier rows stays true."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from engine.tasks.facts import Facts, read_facts, read_small, write_facts
from engine.tasks.image_table import IMAGES_FILE, extend_image_table
from engine.tasks.labels import changing, write_labels
from engine.tasks.names import clean_text
from engine.tasks.task import Task, load_task, write_revision, write_task


@dataclass(frozen=True)
class NewImage:
    """An image that a confined decoder has looked at."""

    name: str
    content: bytes  # as a task keeps it
    label: str
    width: int  # pixels, upright
    height: int
    small: bytes  # RGB copy of a few pixels
    flat: bool  # whether it shows nothing
    steps: tuple[str, ...]  # what was done to make it RGB
    group: str = ""  # what must not be on both sides of a split, such as a patient; "" = none


def add_images(task: Task, images: Sequence[NewImage]) -> Task:
    """The task with more labeled images, which are trained on unless their group is tested on. Whichever moment it is
    stopped at, the task is whole.

    Likeness to earlier images is not looked for. Raises InvalidInputError for a task that came with the program,
    BusyError, DamagedFileError, StorageError.
    """
    with changing(task) as current:
        record, before = current.record, len(current.images)
        ids = [*current.images.image_ids, *_unused(current.images.image_ids, [image.name for image in images])]
        classes = list(dict.fromkeys([*record.given_classes, *(image.label for image in images)]))
        old = current.read_labels(record.given_labels, record.given_classes)
        labels = np.concatenate([old, [classes.index(image.label) for image in images]]).astype(np.int64)
        given = current.read_split(record.given_split)
        facts = read_facts(current.folder)
        sides = _sides(given, None if facts is None else facts.groups, images)
        splits = pa.array([*given.tolist(), *sides], pa.string())
        if facts is not None:  # what knows too many images is cut to those that are there
            _write_facts(current.folder, ids, before, facts, images)
        extend_image_table(current.folder / IMAGES_FILE, _rows(ids[before:], images))
        record = replace(
            record,
            given_labels=write_labels(current.folder, ids, labels),
            given_classes=tuple(classes),
            given_split=write_revision(current.folder / "splits", "split", ids, splits),
        )
        write_task(current.folder, record)
        return load_task(current.workspace, current.name)


def _unused(taken: Sequence[str], names: Sequence[str]) -> Iterator[str]:
    """The names, or others beside them where they are taken."""
    used = set(taken)
    for name in names:
        found, number = name, 2
        while found in used:
            found, number = f"{name} ({number})", number + 1
        used.add(found)
        yield found


def _sides(given: NDArray[np.str_], groups: NDArray[np.str_] | None, images: Sequence[NewImage]) -> list[str]:
    """The side of each new image: that of its group where this is on one alone, else training; "" where the source said
    nothing, so that sides are drawn, by groups where there are any.
    """
    if not (given != "").any():
        return [""] * len(images)
    known = {clean_text(image.group) for image in images} - {""} if groups is not None else set()
    tested = {group for group in known if {*given[groups == group].tolist()} - {""} == {"test"}}
    return ["test" if clean_text(image.group) in tested else "train" for image in images]


def _write_facts(folder: Path, ids: Sequence[str], before: int, facts: Facts, images: Sequence[NewImage]) -> None:
    small = read_small(folder)
    rows = np.arange(before, len(ids), dtype=np.int64)  # each is the first of its kind
    grown = Facts(
        widths=np.append(facts.widths, np.array([image.width for image in images], np.int32)),
        heights=np.append(facts.heights, np.array([image.height for image in images], np.int32)),
        groups=np.append(facts.groups, np.array([clean_text(image.group) for image in images], dtype=np.str_)),
        same=np.append(facts.same, rows),
        alike=np.append(facts.alike, rows),
        flat=np.append(facts.flat, np.array([image.flat for image in images], np.bool_)),
        steps=[*facts.steps, *(image.steps for image in images)],
    )
    if small is not None:
        small = np.concatenate([small, np.stack([np.frombuffer(image.small, np.uint8) for image in images])])
    write_facts(folder, ids, grown, small)


def _rows(ids: Sequence[str], images: Sequence[NewImage]) -> list[dict[str, object]]:
    return [
        {
            "image_id": name,
            "sha256": hashlib.sha256(image.content).hexdigest(),
            "bytes": image.content,
            "path": None,
            "size": None,
            "modified": None,
        }
        for name, image in zip(ids, images, strict=True)
    ]
