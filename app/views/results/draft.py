"""What Results remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from app.views.results.errors_view import ErrorsView
from engine.runs import Undo


@dataclass(frozen=True)
class Decided:
    """The last decisions about suspected labels: how many, and what takes them back."""

    undo: Undo
    count: int


@dataclass
class ResultsDraft(Draft):
    """replayed: id of the comparison that is replayed. began: when that began, in seconds since the epoch. student: the
    one that sections are about, by method and seed; other: the one that it is held against. slots: jobs that a section
    waits for, by what they make. decided: what was decided last about suspected labels, by
    `task_key`.
    """

    replayed: str | None = None
    began: float = 0.0
    student: str | None = None
    other: str | None = None
    slots: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    errors: ErrorsView = field(default_factory=ErrorsView)
    decided: dict[str, Decided] = field(default_factory=dict)
