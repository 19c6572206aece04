"""Results: what a finished run found, as its result.json holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from engine.errors import InvalidInputError
from engine.records import Count, Positive, Seconds, Share, read_record, record_from, remembered
from engine.wording import NO_BREAK, count, percent

RESULT = "result.json"


class CurvePoint(TypedDict):
    """A point of a run's curve. Accuracy over held-out images, losses in nats, seconds of training."""

    step: Count
    steps: Count
    images: Count  # student images with gradient so far
    seconds: Seconds
    losses: dict[str, float]
    accuracy: Share


@dataclass(frozen=True)
class IntervalRecord:
    """An interval of an accuracy."""

    low: Share
    high: Share
    level: Share
    method: str


@dataclass(frozen=True)
class ArithmeticRecord:
    """How a card computed; engine.training.arithmetic explains the fields."""

    precision: str
    channels_last: bool
    repeatable: bool


@dataclass(frozen=True)
class StudentCost:
    """What the student is, and what it costs."""

    architecture: str
    size: Positive
    parameters: Count
    gflops: Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class Quoted:
    """What a comparison says of a method, quoted for a student of it that learned from the held-out images as well."""

    comparison: str
    accuracy: Share  # mean over seeds
    interval: IntervalRecord
    seeds: Positive
    test_images: Positive
    labeled_images: Count  # that those runs learned from
    same_task: bool  # whether the task was the same revision


@dataclass(frozen=True)
class ConsensusRecord:
    """How often what a student learned of each image, in the task's own classes, is right.

    accuracy: of labeled images, each judged by a consensus that was not told its label. On a task that came with the
    program, also of the training images whose labels no method sees.
    """

    accuracy: Share
    interval: IntervalRecord
    images: Positive  # labeled ones that were judged
    folds: Positive  # parts of the labels, one of which was left out at a time
    unlabeled_accuracy: Share | None = None
    unlabeled_images: Count = 0


@dataclass(frozen=True, kw_only=True)
class RunResult:
    """Everything that a run reports. Accuracies are shares of held-out images, 0 to 1; weights sum to 1.

    Fields with a default were not always written.
    """

    run: str = ""  # its name
    task: str
    method: str
    title: str
    seed: Count
    accuracy: Share | None  # None for a student that learned from the held-out images as well
    interval: IntervalRecord | None
    quoted: Quoted | None = None  # what is known of how accurate such a student is
    per_class_accuracy: tuple[Share | None, ...] = ()  # None for a class without a held-out image
    test_images: Count
    labeled_images: Count
    train_images: Count
    labels_per_class: Count
    metric: str | None = None
    p: float | Literal["inf"] | None = None
    similarities: dict[str, float]
    alpha: dict[str, Share]  # before small weights were dropped
    active_alpha: dict[str, Share]
    related_teachers: tuple[str, ...] = ()  # those that saw other parts of the task's own collection
    effective_teachers: float | None
    ranking_possible: bool
    ranking_problem: str | None
    first_weights: dict[str, Share] = field(default_factory=dict)  # teachers whose average the student began as
    consensus: ConsensusRecord | None = None  # of a method whose student learns from one, where it could be judged
    student: StudentCost | None = None
    machine: str
    arithmetic: ArithmeticRecord | None = None  # on a card
    versions: dict[str, str] = field(default_factory=dict)
    finished: str = ""
    steps: Count
    images: Count
    seconds: Seconds  # of training
    prepare_seconds: Seconds
    evaluate_seconds: Seconds
    curve: list[CurvePoint]
    notes: tuple[str, ...] = ()  # what happened to how it trained, such as steps in parts for want of memory

    @property
    def held_out_accuracy(self) -> float:
        """The accuracy of a run that was tested, as all runs of comparisons are. Raises InvalidInputError."""
        if self.accuracy is None:
            raise InvalidInputError(f"Run {self.run!r} was not tested: {NOT_TESTED}.")
        return self.accuracy


NOT_TESTED = "it learned from all labels, those of held-out images included, so it has no held-out accuracy of its own"


def accuracy_sentence(result: RunResult) -> str:
    """How accurate a student is, as far as that is known, in one sentence or two."""
    if result.accuracy is not None:
        return f"{percent(result.accuracy)} of {count(result.test_images, 'held-out image')} right."
    quoted = result.quoted
    if quoted is None:
        return f"Not tested: {NOT_TESTED}. How often it is right is not known."
    older = "" if quoted.same_task else ", on an earlier revision of the task"
    return (
        f"Not tested: {NOT_TESTED}. The same method without them, with {count(quoted.labeled_images, 'label')}, was "
        f"right on {percent(quoted.accuracy)} of {count(quoted.test_images, 'held-out image')} (95{NO_BREAK}% interval "
        f"{percent(quoted.interval.low)} to {percent(quoted.interval.high)}, {count(quoted.seeds, 'seed')}{older})."
    )


def way_out_of(folder: Path) -> str:
    """What to do about a damaged file in the folder of a run, for the sentence that says so."""
    return f"restore it, or remove the folder {folder} and start the same run again"


def read_result(folder: Path) -> RunResult:
    """The result of the finished run in `folder`. Raises DamagedFileError if it is gone or damaged, StorageError."""
    return _read(folder / RESULT)


@remembered
def _read(path: Path) -> RunResult:
    folder = path.parent
    found = read_record(path, RunResult, f"the result of run {folder.name}", way_out_of(folder))
    return replace(found, run=folder.name)


def results_in(document: Mapping[str, Any], path: Path) -> list[RunResult]:
    """The results in a comparison's document, which lies in `path`. Raises DamagedFileError."""
    way_out = "make it again with `compare --json`"
    found = record_from(document.get("results", []), list[RunResult], path, "the results of a comparison", way_out)
    return [replace(result) for result in found]  # msgspec leaves out what it is not told: defaults
