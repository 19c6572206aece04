"""What Task and its parts remember."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot

NEW = "New: the most informative"  # the images that "Label" offers at first


@dataclass(frozen=True)
class LabelingBatch:
    """Images in the grid of "Label". passed: all rows shown so far. teacher: who chose them; "" if none did."""

    shown: str
    rows: tuple[int, ...]
    passed: tuple[int, ...]
    teacher: str


@dataclass
class Labeling:
    """Of one task in "Label". classes: those added here. shown: which images. choosing: the teacher's job."""

    classes: list[str] = field(default_factory=list)
    shown: str = NEW
    batch: LabelingBatch | None = None
    choosing: JobSlot = field(default_factory=JobSlot)


@dataclass
class TaskDraft(Draft):
    """sheets: page of the contact sheet, by task. words: what its classes are searched for, by task. labeling: by
    `task_key`. wanted_…: what a widget of "Check" was just set to, taken up once.
    """

    sheets: dict[str, int] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    labeling: defaultdict[str, Labeling] = field(default_factory=lambda: defaultdict(Labeling))
    wanted_split: str | None = None
    wanted_share: float | None = None
    wanted_size: int | None = None
    wanted_flip: bool | None = None
