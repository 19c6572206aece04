"""Numbers as a person reads them: shares, durations, counts, moments. The same everywhere."""

from __future__ import annotations

from datetime import UTC, datetime

from engine.runs import Comparison, differs_sentence, shared_sentence
from engine.wording import count, duration, isolated, listed, moment, number, percent, points

__all__ = [  # for whoever words something
    "count",
    "differs_sentence",
    "duration",
    "isolated",
    "listed",
    "moment",
    "number",
    "percent",
    "points",
    "shared_sentence",
]


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
