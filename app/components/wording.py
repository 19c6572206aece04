"""Numbers as a person reads them: shares, durations, counts, moments. The same everywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from engine.runs import Comparison
from engine.wording import count, listed, number, percent, points

__all__ = ["count", "listed", "number", "percent", "points"]  # for whoever words something


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


def described(comparison: Comparison) -> str:
    """A comparison in a few words: when it was made and what it holds."""
    shared = comparison.shared
    parts = [moment(comparison.created), count(len(comparison.runs), "run")]
    if "images" in shared:
        parts.append(f"{shared['images']:,} student images each")
    if "all_labels" in shared:
        parts.append(f"all {count(shared['all_labels'], 'label')}")
    elif "labels_per_class" in shared:
        parts.append(f"{count(shared['labels_per_class'], 'label')} per class")
    return " · ".join(parts)


_SHARED = {  # in the order of the sentence
    "task": "task {}",
    "labels_per_class": "{} labels per class",
    "all_labels": "all {:,} labels",
    "images": "{:,} student images each",
    "student": "student {}",
    "size": "images of {0} × {0} pixels",
    "start": "start from {} weights",
    "device": "device {}",
    "task_revision": "task revision {}",
    "split": "split {}",
}
_NAMES = {
    "task": "the task",
    "task_revision": "the task's revision",
    "split": "the split",
    "labels_per_class": "the number of labels per class",
    "student": "the student's architecture",
    "start": "the student's first weights",
    "size": "the image size",
    "images": "the budget of student images",
    "device": "the device",
    "seeds": "the seeds",
}


def shared_sentence(shared: Mapping[str, Any]) -> str:
    """What the runs of a comparison share, in one sentence."""
    left_out = {"labels_per_class"} if "all_labels" in shared else set()
    parts = [form.format(shared[name]) for name, form in _SHARED.items() if name in shared and name not in left_out]
    if seeds := shared.get("seeds"):
        parts.insert(2, f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(str(seed) for seed in seeds)}")
    return f"These runs share: {', '.join(parts)}." if parts else "These runs share nothing that was written down."


def differs_sentence(differs: Sequence[str]) -> str | None:
    """What the runs of a comparison do not share, in one sentence; None if they share all that matters."""
    if not differs:
        return None
    names = listed([_NAMES.get(name, name.replace("_", " ")) for name in differs])
    return f"These runs do not share: {names}. Their numbers do not compare fairly."
