"""Predictions that a person corrected, sent back to the task as labels: a new revision of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.errors import InvalidInputError
from engine.images import reading_from
from engine.images.decoder import Decoders, Looked
from engine.intake import find_pictures
from engine.intake.inventory import Item
from engine.intake.parts import group_of
from engine.review.duplicates import shows_nothing
from engine.settings import import_settings
from engine.tasks import NewImage, Task, add_images, is_own, relabel
from engine.tasks.names import clean_identifier, clean_text
from engine.workspace import Workspace


@dataclass
class SentBack:
    """What became of corrections. relabeled: images that the task had already; added: images that are new in it; left:
    files that could not be read, so that their labels were not taken.
    """

    task: Task
    relabeled: int = 0
    added: int = 0
    left: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)  # why others were not taken, a sentence each


def send_back(workspace: Workspace, task: Task, source: str, labels: Mapping[str, str], images: str = "") -> SentBack:
    """Label images of a source in a task: those that it has, by content, and the others as new images to train on, but
    for those of a patient whose images the source's own split tests on: these test as well. Where sides are drawn, they
    are drawn anew, as after any label, with a patient's images on one side.

    labels: class by file, as predictions name it; classes may be new. images: where those of a table lie, if elsewhere.
    Raises InvalidInputError for a task that came with the program or a class without a name, WorkbenchError with what
    is wrong with the source.
    """
    if not is_own(task):
        raise InvalidInputError(f"Task {task.name!r} came with the program and stays as it is: import your own.")
    wanted = {file: clean_text(label) for file, label in labels.items()}
    if not all(wanted.values()):
        raise InvalidInputError("A class needs a name: write one for each image that is corrected.")
    back, known, new = SentBack(task), dict[int, str | None](), dict[str, NewImage]()
    rows_of = _rows_by_content(task)
    for item, content, seen in _looked_at(workspace, (source, images), wanted, back):
        stored = seen.stored if seen.stored is not None else content
        checksum, label = hashlib.sha256(stored).hexdigest(), wanted[clean_identifier(item.name)]
        if checksum in rows_of:
            known |= dict.fromkeys(rows_of[checksum], label)
            continue
        flat = bool(shows_nothing(np.frombuffer(seen.small, np.uint8)[None])[0])
        new[checksum] = NewImage(
            name=clean_identifier(item.name),
            content=stored,
            label=label,
            width=seen.width,
            height=seen.height,
            small=seen.small,
            flat=flat,
            steps=seen.steps,
            group=group_of(item, seen),
        )
    if new:
        back.task, back.added = add_images(back.task, list(new.values())), len(new)
    if known:
        back.task, back.relabeled = relabel(back.task, known), len(known)
    return back


def _rows_by_content(task: Task) -> dict[str, list[int]]:
    """The rows of each image file of a task, by its checksum: copies keep one label."""
    rows: dict[str, list[int]] = {}
    for row, checksum in enumerate(task.images.checksums):
        rows.setdefault(checksum, []).append(row)
    return rows


def _looked_at(
    workspace: Workspace, source: tuple[str, str], wanted: Mapping[str, str], back: SentBack
) -> list[tuple[Item, bytes, Looked]]:
    """What an import would make of the images that are wanted; what cannot be read becomes a problem."""
    settings = import_settings(workspace)
    with Decoders(settings) as decoders:
        decoders.start()
        inventory = find_pictures(workspace, source[0], settings, source[1])
        try:
            items = [item for item in inventory.items if clean_identifier(item.name) in wanted]
            gone = sorted(set(wanted) - {clean_identifier(item.name) for item in items})
            back.left.update(gone)
            back.problems += [f"{name} is not there any more: bring it again." for name in gone]
            reading = reading_from(back.task.record.reading)
            looked = decoders.look_at(items, lambda item: (inventory.read(item), clean_identifier(item.name)), reading)
            found = []
            for item, content, seen in looked:
                if isinstance(seen, Looked):
                    found.append((item, content, seen))
                else:
                    back.left.add(clean_identifier(item.name))
                    back.problems.append(str(seen))
            return found
        finally:
            inventory.close()
