"""One record per teacher: what it is, what it saw, what it costs, where its weights come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from engine.errors import DamagedFileError
from engine.files import canonical_hash


@dataclass(frozen=True)
class WeightSource:
    """Where a teacher's weights lie, and the checksum that they must have."""

    source: str  # "bundled": a file of this project; "package": a file inside an installed Python package
    sha256: str
    file: str = ""  # bundled: name in assets/teachers
    package: str = ""  # package: name of the import package
    module_file: str = ""  # package: path inside it


@dataclass(frozen=True)
class TeacherRecord:
    """A source model. Every field is shown on the Teachers page."""

    name: str
    title: str
    architecture: str  # timm's name
    classes: tuple[str, ...]  # the teacher's own classes, in the order of its outputs
    collection: str  # where its training images come from
    parts: tuple[str, ...]  # which parts of the collection it saw; empty = all of it
    input_size: int  # pixels, square: the size at which it is run here
    mean: tuple[float, float, float]  # of the normalization, for pixels in 0..1
    std: tuple[float, float, float]
    resize: str  # how its training images became square
    init: str  # "imagenet" or "random" start of its training; "published" = trained by others
    training_images: int
    held_out_images: int | None  # None where the publisher does not say
    held_out_accuracy: float  # 0..1, top-1
    accuracy_source: str  # "measured" by this project's scripts, or "published"
    accuracy_note: str
    parameters: int  # with its own classification head
    gflops: float  # multiply-accumulates / 1e9 of one image at input_size, as timm counts
    gflops_note: str
    license: str
    seed: int | None
    command: str  # what made it
    weights: WeightSource

    @property
    def key(self) -> str:
        """Names this teacher's outputs in the feature cache: a hash of weights and transform."""
        return canonical_hash(
            [self.weights.sha256, self.architecture, self.input_size, list(self.mean), list(self.std)], length=10
        )


def record_from(value: Mapping[str, Any], where: str) -> TeacherRecord:
    """The record in a JSON value. Raises DamagedFileError that names missing or unknown fields and `where`."""
    known = {field.name for field in fields(TeacherRecord)}
    if wrong := sorted(known ^ set(value)):
        raise DamagedFileError(f"{where} is not a teacher record: check its fields {', '.join(wrong)}.")
    try:
        lists = {name: tuple(value[name]) for name in ("classes", "parts", "mean", "std")}
        return TeacherRecord(**{**value, **lists, "weights": WeightSource(**value["weights"])})
    except TypeError as error:
        raise DamagedFileError(f"{where} is not a teacher record ({error}): restore it.") from error


def as_json(record: TeacherRecord) -> dict[str, Any]:
    """The JSON value of a record, as `record_from` reads it."""
    return asdict(record)


def relation(teacher: TeacherRecord, collection: str, parts: tuple[str, ...]) -> str:
    """How a teacher's training images relate to a task's: "other" collection, "disjoint" parts of the same collection
    (allowed, and said so), or the "same" images (refused: what it knows of them would be leakage).
    """
    if teacher.collection != collection:
        return "other"
    if teacher.parts and parts and not set(teacher.parts) & set(parts):
        return "disjoint"
    return "same"
