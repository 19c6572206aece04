"""What Add a teacher remembers."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot
from engine.teachers import TeacherDescription


@dataclass(frozen=True)
class Wanted:
    """A network that was asked for, so that it can be asked for again."""

    name: str
    about: TeacherDescription
    size: int | None


@dataclass
class AddTeacherDraft(Draft):
    """way: the one shown. wanted, slots: the network asked for and its job, by way. problem: said once."""

    way: str = "recommended"
    wanted: dict[str, Wanted] = field(default_factory=dict)
    slots: defaultdict[str, JobSlot] = field(default_factory=lambda: defaultdict(JobSlot))
    problem: str | None = None
