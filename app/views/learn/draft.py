"""What Learn remembers."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.drafts import Draft


@dataclass
class LearnDraft(Draft):
    """lesson: key of the one that is open, empty for the first. subject: name of the task that it is about. values:
    what was chosen, by subject, lesson and name. written: what this page last put into the URL; anything else comes
    from the user. clicked: the bar that was clicked last.
    """

    lesson: str = ""
    subject: str = ""
    clicked: str = ""
    values: dict[tuple[str, str, str], str] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
