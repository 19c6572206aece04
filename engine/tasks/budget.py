"""How many labels of each class are used where nobody says otherwise, and what "all" comes to."""

from __future__ import annotations

from typing import Literal, TypeAlias

from engine.tasks.draw import Draw
from engine.tasks.labels import is_own
from engine.tasks.task import Task

ALL: Literal["all"] = "all"
Budget: TypeAlias = int | Literal["all"]  # labels per class


def all_labels(task: Task) -> int:
    """The number of labels per class that leaves no label of a training image unused; 1 or more."""
    return max(1, int(task.available_labels().max(initial=0)))


def labels_per_class(task: Task, wanted: Budget | None = None) -> int:
    """The number of labels per class that is meant by `wanted`; None for what is usual.

    Whoever labeled images wants them used: of an own task all labels are usual. A bundled task has far more labels than
    a method is shown, since it is there to see what few of them are worth: `Draw` has that number.
    """
    if wanted is None:
        wanted = ALL if is_own(task) else Draw.labels_per_class
    return all_labels(task) if wanted == ALL else int(wanted)


def usual_draw(task: Task) -> Draw:
    """The draw of labels that is used where nobody says otherwise."""
    return Draw(labels_per_class(task))
