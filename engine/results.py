"""Results: what a finished run found, as its result.json holds it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NotRequired, TypedDict

import msgspec

from engine.records import Count, Positive, Seconds, Share, read_record

RESULT = "result.json"


class CurvePoint(TypedDict):
    """A point of a run's curve. Accuracy over held-out images, losses in nats, seconds of training."""

    step: Count
    steps: Count
    images: Count  # student images with gradient so far
    seconds: Seconds
    losses: dict[str, float]
    accuracy: Share


class IntervalRecord(TypedDict):
    """An interval of an accuracy."""

    low: Share
    high: Share
    level: Share
    method: str


class StudentCost(TypedDict):
    """What the student is, and what it costs."""

    architecture: str
    size: Positive
    parameters: Count
    gflops: Annotated[float, msgspec.Meta(ge=0)]


class Result(TypedDict):
    """Everything that a run reports. Accuracies are shares of held-out images, 0 to 1; weights sum to 1."""

    task: str
    method: str
    title: str
    seed: Count
    accuracy: Share
    interval: IntervalRecord
    per_class_accuracy: NotRequired[list[Share | None]]
    test_images: Positive
    labeled_images: Count
    train_images: Count
    labels_per_class: Count
    metric: NotRequired[str | None]
    p: NotRequired[float | Literal["inf"] | None]
    similarities: dict[str, float]
    alpha: dict[str, Share]
    active_alpha: dict[str, Share]
    related_teachers: NotRequired[list[str]]
    effective_teachers: float | None
    ranking_possible: bool
    ranking_problem: str | None
    student: NotRequired[StudentCost]
    machine: str
    versions: NotRequired[dict[str, str]]
    finished: NotRequired[str]
    steps: Count
    images: Count
    seconds: Seconds  # of training
    prepare_seconds: Seconds
    evaluate_seconds: Seconds
    curve: list[CurvePoint]


def read_result(folder: Path) -> Result:
    """The result of the finished run in `folder`. Raises DamagedFileError if it is gone or damaged, StorageError."""
    way_out = f"restore it, or remove the folder {folder} and start the same run again"
    return read_record(folder / RESULT, Result, f"the result of run {folder.name}", way_out)
