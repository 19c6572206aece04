"""What Distill remembers beside its form."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.drafts import Draft, JobSlot


@dataclass
class DistillDraft(Draft):
    """measurement: the job that measures how fast the student trains here."""

    measurement: JobSlot = field(default_factory=JobSlot)
