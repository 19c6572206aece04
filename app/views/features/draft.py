"""What Features remembers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np
from numpy.typing import NDArray

from app.drafts import Draft, JobSlot


@dataclass(frozen=True)
class Picked:
    """The picked images of a task, as rows. task: its `task_key`. given: those that the page picked itself, in their
    order, as of `stamp`.
    """

    task: str = ""
    rows: tuple[int, ...] = ()
    given: tuple[int, ...] = ()
    stamp: int = 0

    def on(self, rows: NDArray[np.int64]) -> Picked:
        """Those of them that a map of `rows` shows; it may be another one than that on which they were picked."""
        kept, given = np.isin(self.rows, rows), np.isin(self.given, rows)
        return replace(self, rows=tuple(compress(self.rows, kept)), given=tuple(compress(self.given, given)))


@dataclass(frozen=True)
class Relabeled:
    """Labels that were given on a map. task: its `task_key`. before: what the images had, by row."""

    task: str
    before: Mapping[int, str | None]


@dataclass
class FeaturesDraft(Draft):
    """view: which part of the page. kind: of the map. by: what its colors say. run: the student they may be of. moment:
    which of its maps. pair:
    the teachers that are compared, by task. beside: the teacher of the second map, by task. classes: highlighted names,
    by task. slots: the job that draws, by revision and teacher; whole: the one that draws all images; jobs: others, by
    what they do. relabeled: what can be undone.
    """

    view: str | None = None
    kind: str = "umap"
    by: str = "class"
    run: str | None = None
    moment: str = "after"
    pair: dict[str, tuple[str, str]] = field(default_factory=dict)
    beside: dict[str, str | None] = field(default_factory=dict)
    classes: dict[str, list[str]] = field(default_factory=dict)
    slots: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    whole: defaultdict[tuple[str, str], JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    jobs: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    picked: Picked = Picked()
    relabeled: list[Relabeled] = field(default_factory=list)

    def picked_of(self, task: str) -> Picked:
        """What is picked of a task, by its `task_key`; nothing of another one's."""
        if self.picked.task != task:
            self.picked = Picked(task, stamp=self.picked.stamp + 1)
        return self.picked

    def pick(self, task: str, rows: tuple[int, ...]) -> None:
        """Pick images of a task, by its `task_key`, in the order in which they are to be shown."""
        self.picked = Picked(task, tuple(sorted(rows)), rows, self.picked.stamp + 1)
