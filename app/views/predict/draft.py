"""What Predict remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from engine.delivery import UNSURE


@dataclass
class LabelsToSend:
    """Labels that a person gave to the images of one job, by file. wanted: those that wait to be sent; sent: those that
    the task has got. round: a new number makes a grid that knows of no label. grid: the one that is shown, by its key;
    begun: the labels that its images began with, by place; waiting: places that waited to be sent then. before: the key
    of the grid that was sent, in which a label may have been given meanwhile.
    """

    wanted: dict[str, str] = field(default_factory=dict)
    sent: dict[str, str] = field(default_factory=dict)
    round: int = 0
    grid: str = ""
    begun: dict[int, str | None] = field(default_factory=dict)
    waiting: list[int] = field(default_factory=list)
    before: str = ""


@dataclass
class PredictDraft(Draft):
    """student, beside, chosen: run, other run and job by task. corrections: by `task_key` and job. round: a new number
    makes empty uploaders. The rest is how the answers are shown; sheet counts from 1.
    """

    way: str = "files"
    round: int = 0
    student: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    asked: JobSlot = field(default_factory=JobSlot)
    view: str = "images"
    unsure: float = UNSURE
    only: str = "all"
    order: str = "source"
    classes: list[str] = field(default_factory=list)
    sheet: int = 1
    corrections: defaultdict[tuple[str, str], LabelsToSend] = field(default_factory=lambda: defaultdict(LabelsToSend))
    sent: str = ""  # what became of the last corrections, said once
