"""What an export format is, and what it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from engine.results import RunResult
from engine.student import StudentRecord


@dataclass(frozen=True)
class FinishedStudent:
    """A finished run's student, verified."""

    weights: Path  # safetensors, under timm's names
    record: StudentRecord
    result: RunResult


@dataclass(frozen=True)
class Format:
    """One way to write a student down."""

    key: str  # on the command line
    title: str
    write: Callable[[FinishedStudent, Path], None]  # puts its files into a folder, beside student.json and result.json
