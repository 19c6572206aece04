"""What Results remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from app.views.results.errors_view import ErrorsView


@dataclass
class ResultsDraft(Draft):
    """replayed: id of the comparison that is replayed. began: when that began, in seconds since the epoch. student: the
    one that sections are about, by method and seed; other: the one that it is held against. slots: jobs that a section
    waits for, by what they make.
    """

    replayed: str | None = None
    began: float = 0.0
    student: str | None = None
    other: str | None = None
    slots: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    errors: ErrorsView = field(default_factory=ErrorsView)
