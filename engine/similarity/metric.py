"""What a similarity metric is: one record with all that the workbench knows of it, in the file of its family.

A new metric is a file here with such records in its `METRICS`, and its name in the list of `registry`. Nothing
else knows a metric by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from engine.evaluation.arrays import FloatArray
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.points import Classes, Points

Input: TypeAlias = Literal["features", "labels", "pseudo_labels", "features2", "record"]


class Described(Protocol):
    """What a metric may read of a teacher's record."""

    @property
    def name(self) -> str:
        """The teacher's own name, unlike any other's."""

    @property
    def training_images(self) -> int | None:
        """How many images it learned from; None where that is not known."""

    @property
    def parameters(self) -> int:
        """How many it has; 0 where that is not known."""


@dataclass(frozen=True)
class Card:
    """What a reader should know of a metric before trusting it; range, unit and rule are in the metric itself."""

    formula: str  # LaTeX
    symbols: str  # what the formula's letters are
    sees: str  # what in the arrays moves it
    misleads: str  # when not to believe it
    reference: str  # authors, year, title, place


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What there is to know about a similarity metric, and how it is computed: `of_outputs` or `of_record`.

    Of every metric higher is better. One on arrays has its interval from draws of half the labels, as long as half of
    them are `labels_per_class`; one on the record has none, since no label moves it.
    """

    key: str
    title: str  # as on screen
    summary: str  # one sentence in plain words
    range: str  # in words, with the direction
    unit: str
    rule: Literal["clip", "minmax"]  # how weights make it non-negative
    cost: str  # order of growth in n images, d dimensions, C classes, Z classes of the teacher
    reference: str
    card: Card
    needs: tuple[Input, ...] = ("features", "labels")  # all of these; "record" is the teacher's record, no array
    needs_one_of: tuple[Input, ...] = ()  # and the first of these that is given, as the second argument
    labels_per_class: int = 1  # in at least one class; 0 for no use of labels, and no part in mean ranks
    scale: float = 1.0  # 100 where the value is a share or a correlation times 100
    of_outputs: Callable[[LabeledOutputs], float] | None = None
    of_record: Callable[[Described, int], float | None] | None = None  # with the seed; None where the record lacks it
    unknown: str = ""  # the sentence where a record lacks what `of_record` reads
    turn: int = 99  # when threads that share one teacher's metrics begin it: the dearest first, and those that wait for
    # the same intermediate result apart from each other


def on_features(function: Callable[[Points, Classes], float]) -> Callable[[LabeledOutputs], float]:
    """`of_outputs` of a metric that compares features with labels."""
    return lambda outputs: function(outputs.points, outputs.classes)


def on_pseudo_labels(function: Callable[[FloatArray, Classes], float]) -> Callable[[LabeledOutputs], float]:
    """`of_outputs` of a metric that compares pseudo-labels with labels."""
    return lambda outputs: function(outputs.theta, outputs.classes)
