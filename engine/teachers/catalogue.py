"""Which teachers there are."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from engine.errors import UnknownNameError
from engine.files import read_json
from engine.teachers.record import TeacherRecord, record_from

ASSETS = Path(__file__).resolve().parents[2] / "assets" / "teachers"


def teacher_names() -> list[str]:
    """Names of all teachers, sorted."""
    return sorted(path.stem for path in ASSETS.glob("*.json"))


@cache
def get_teacher(name: str) -> TeacherRecord:
    """The record of the teacher called `name`. Raises UnknownNameError or DamagedFileError."""
    if name not in teacher_names():
        raise UnknownNameError("teacher", name, teacher_names())
    path = ASSETS / f"{name}.json"
    return record_from(read_json(path), str(path))


def all_teachers() -> list[TeacherRecord]:
    """All records, by name."""
    return [get_teacher(name) for name in teacher_names()]
