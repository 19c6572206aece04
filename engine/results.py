"""Results: what a finished run found, as its result.json holds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

import msgspec

from engine.records import Count, Positive, Seconds, Share, read_record, record_from

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
    accuracy: Share
    interval: IntervalRecord
    per_class_accuracy: tuple[Share | None, ...] = ()  # None for a class without a held-out image
    test_images: Positive
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


def way_out_of(folder: Path) -> str:
    """What to do about a damaged file in the folder of a run, for the sentence that says so."""
    return f"restore it, or remove the folder {folder} and start the same run again"


def read_result(folder: Path) -> RunResult:
    """The result of the finished run in `folder`. Raises DamagedFileError if it is gone or damaged, StorageError."""
    found = read_record(folder / RESULT, RunResult, f"the result of run {folder.name}", way_out_of(folder))
    return replace(found, run=folder.name)


def results_in(document: Mapping[str, Any], path: Path) -> list[RunResult]:
    """The results in a comparison's document, which lies in `path`. Raises DamagedFileError."""
    way_out = "make it again with `compare --json`"
    found = record_from(document.get("results", []), list[RunResult], path, "the results of a comparison", way_out)
    return [replace(result) for result in found]  # msgspec leaves out what it is not told: defaults
