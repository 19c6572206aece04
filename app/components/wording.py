"""Numbers as a person reads them: shares, durations, counts, moments. The same everywhere."""

from __future__ import annotations

from engine.runs import Comparison, differs_sentence, shared_sentence
from engine.wording import ago, count, duration, isolated, listed, moment, number, percent, points, signed

__all__ = [  # for whoever words something
    "GFLOPS",
    "PARAMETERS",
    "ago",
    "count",
    "described",
    "differs_sentence",
    "duration",
    "gflops",
    "isolated",
    "listed",
    "moment",
    "number",
    "parameters",
    "percent",
    "points",
    "shared_sentence",
    "signed",
]


PARAMETERS, GFLOPS = ",.2f", ",.3f"  # of a network: millions, and multiply-accumulates / 1e9 of one image


def parameters(number: int) -> str:
    """How many parameters a network has: 4_652_008 -> "4.65 M parameters"."""
    return f"{number / 1e6:{PARAMETERS}} M parameters"


def gflops(value: float) -> str:
    """What one image costs a network: 0.1069 -> "0.107 GFLOPs"."""
    return f"{value:{GFLOPS}} GFLOPs"


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
