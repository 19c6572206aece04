"""What Start remembers."""

from __future__ import annotations

from dataclasses import dataclass

from app.drafts import Draft


@dataclass
class StartDraft(Draft):
    """removing: the task whose removal is asked about. trash_problem: why the trash refused, said once."""

    removing: str | None = None
    trash_problem: str | None = None
