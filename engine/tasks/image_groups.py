"""Which images of a task share what makes them alike, such as a patient or a site."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.tasks.facts import read_groups
from engine.tasks.task import Task


def groups_of(task: Task, image_ids: Sequence[str]) -> NDArray[np.int64] | None:
    """The group of each of some images as a number, `[n]`, -1 for none, or for an image that the task has no more.

    None where no image of the task has a group. Raises DamagedFileError.
    """
    groups = read_groups(task.folder)
    if groups is None:
        return None
    rows = {image: row for row, image in enumerate(task.images.image_ids[: len(groups)])}
    return np.array([groups[rows[image]] if image in rows else -1 for image in image_ids], dtype=np.int64)
