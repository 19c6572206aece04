"""Numbers in sentences, the same in all of them: a no-break space before the sign of percent, a real minus."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

NO_BREAK = "\u00a0"
MINUS = "\u2212"
ALL_LABELS_INTERVALS = (
    "All labels are used, so intervals over seeds cover initialization and order only, not the choice of labels."
)


def percent(share: float, digits: int = 1) -> str:
    """A share 0..1 as percent: 0.615 -> "61.5 %". Halves go up, as in the browser's tables: (0.325, 0) -> "33 %"."""
    scale = 10**digits
    return f"{math.floor(100 * share * scale + 0.5) / scale:.{digits}f}{NO_BREAK}%"


def number(value: float, form: str) -> str:
    """A number in Python's format `form`, with a real minus; one that rounds to zero has no sign of less."""
    text = format(value, form)
    return text.replace("-", MINUS) if any(character in "123456789" for character in text) else text.replace("-", "")


def signed(value: float, digits: int) -> str:
    """A difference with its sign: (1.25, 1) -> "+1.3"; nothing before one that rounds to zero."""
    text = f"{value:+.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text[1:]


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign: 0.052 -> "+5.2"."""
    return signed(100 * difference, 1)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: (1, "seed") -> "1 seed", (3, "seed") -> "3 seeds"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(items: Sequence[str]) -> str:
    """Items in a sentence: "a", "a and b", "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def duration(seconds: float) -> str:
    """A length of time, rounded to what matters: 8 -> "8 s", 95 -> "1 min 35 s", 4000 -> "1 h 7 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def isolated(text: str) -> str:
    """A name from outside inside a sentence, so that a right-to-left one does not reorder what stands beside it."""
    return f"\u2068{text}\u2069"


def moment(text: str) -> str:
    """An ISO 8601 moment as "20 Nov 2026, 07:30 UTC"; a text that is none stays as it is."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{when.day} {when:%b %Y, %H:%M} {when.tzname() or ''}".strip()


def ago(text: str, now: datetime | None = None) -> str:
    """How long ago an ISO 8601 moment was: "just now", "5 min ago", "3 h ago", "2 days ago"; other text as it is."""
    try:
        minutes = ((now or datetime.now(UTC)) - datetime.fromisoformat(text)).total_seconds() / 60
    except (ValueError, TypeError):
        return text
    if minutes < 2:
        return "just now"
    if minutes < 120:
        return f"{minutes:.0f} min ago"
    return f"{minutes / 60:.0f} h ago" if minutes < 2 * 24 * 60 else f"{minutes / 60 / 24:.0f} days ago"


_COMPUTES = ("=", "+", "-", "@", "\t", "\r")  # how a cell begins that a spreadsheet may take for a formula


def spreadsheet_text(text: str) -> str:
    """A text as a cell of a table that a spreadsheet may open: what would be computed gets an apostrophe before it.

    As OWASP advises against CSV injection: "=1+1" -> "'=1+1". Others stay as they are.
    """
    return f"'{text}" if text.startswith(_COMPUTES) else text
