"""What the section Trust remembers."""

from __future__ import annotations

from dataclasses import dataclass

from app.drafts import Draft
from engine.delivery import UNSURE


@dataclass
class TrustDraft(Draft):
    """unsure, threshold: in percent. coverage: of the prediction sets, a share. positive: name of the class that counts
    as the positive one; None for the second. miss, false_alarm: what each costs. ordered: whether the classes have an
    order.
    """

    unsure: int = round(100 * UNSURE)
    coverage: float = 0.9
    positive: str | None = None
    threshold: int = 50
    miss: float = 10.0  # ours: whoever looks for something rare mostly minds a miss more
    false_alarm: float = 1.0
    ordered: bool = False
