"""What Results remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from engine.runs import Undo


@dataclass(frozen=True)
class Decided:
    """The last decisions about suspected labels: how many, and what takes them back."""

    undo: Undo
    count: int


@dataclass
class ResultsDraft(Draft):
    """replayed: id of the comparison that is replayed. began: when that began, in seconds since the epoch. By task,
    suspects: the job that looks for wrong labels; decided: what was decided last about them.
    """

    replayed: str | None = None
    began: float = 0.0
    suspects: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    decided: dict[str, Decided] = field(default_factory=dict)
