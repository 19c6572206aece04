"""Which labels a method may use."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Draw:
    """Some labels of each class, drawn at random.

    labels_per_class: 1 or more; a class that has fewer gives all it has. seed: equal seeds draw equal images, and a
    larger number of labels takes in what a smaller one draws.
    """

    labels_per_class: int = 5  # ours, of bundled tasks: the fewest with which every metric has an interval
    seed: int = 0
