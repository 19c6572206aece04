"""Writes what the lessons of the page Learn show where nothing was extracted yet: `python -m assets.build lessons`."""

from __future__ import annotations

from assets.build.tasks import OUT
from engine.features import extract
from engine.lessons.recorded_outputs import TASK, record_material, recorded_rows
from engine.review import open_task
from engine.runs import candidates
from engine.workspace import Workspace


def write_lesson_outputs() -> None:
    """Have the teachers look at a few images of one task, half a minute, and keep what they say in assets/lessons."""
    workspace = Workspace(OUT.parent / "lessons-workspace")
    task = open_task(workspace, TASK)
    teachers = [candidate.teacher for candidate in candidates(workspace, task) if candidate.allowed]
    extract(workspace, task, teachers, recorded_rows(task), device="cpu")
    print(record_material(workspace))
