"""What Results remembers."""

from __future__ import annotations

from dataclasses import dataclass

from app.drafts import Draft


@dataclass
class ResultsDraft(Draft):
    """replayed: id of the comparison that is replayed. began: when that began, in seconds since the epoch."""

    replayed: str | None = None
    began: float = 0.0
