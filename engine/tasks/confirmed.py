"""Labels that somebody looked at and kept although something spoke against them: nobody is asked about them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.records import read_record, write_record
from engine.tasks.labels import changing
from engine.tasks.task import Task

FILE = "confirmed.json"  # in the task's folder


@dataclass(frozen=True)
class _Confirmed:
    labels: dict[str, str] = field(default_factory=dict)  # image id -> class that it was confirmed to be of


def confirmed_labels(task: Task) -> dict[str, str]:
    """The class that each confirmed image was confirmed to be of, by image id. Raises DamagedFileError."""
    path = task.folder / FILE
    if not path.exists():
        return {}
    way_out = "remove it, and the labels that were kept are asked about once more"
    return read_record(path, _Confirmed, f"the labels of task {task.name!r} that were kept", way_out).labels


def confirm(task: Task, labels: Mapping[str, str | None]) -> None:
    """Remember that images are of the class that their label says, by image id; None forgets it.

    Raises InvalidInputError for a bundled task, BusyError, DamagedFileError, StorageError.
    """
    with changing(task) as current:
        kept = {**confirmed_labels(current), **labels}
        found = {image: name for image, name in kept.items() if name is not None}
        write_record(current.folder / FILE, _Confirmed(found))
