"""What Teachers remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from engine.tasks import Draw


@dataclass
class TeachersDraft(Draft):
    """chart: a new number makes a chart that knows of no click. clicked: teacher of the bar clicked last. asked:
    revision and draw of the rankings that were asked for. slots: by what was asked for.
    """

    chart: int = 0
    clicked: str | None = None
    asked: set[tuple[str, Draw]] = field(default_factory=set)
    slots: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
