"""Numbers as a person reads them: shares, durations, counts, moments. The same everywhere."""

from __future__ import annotations

from engine.runs import Comparison, differs_sentence, shared_sentence
from engine.wording import ago, count, duration, isolated, listed, moment, number, percent, points, signed

__all__ = [  # for whoever words something
    "ago",
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
    "signed",
]


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
