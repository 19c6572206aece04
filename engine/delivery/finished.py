"""The runs that have a student."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import jobs
from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.results import RESULT, RunResult, read_result
from engine.runs import KIND
from engine.student import RECORD, WEIGHTS, StudentRecord, read_student
from engine.workspace import Workspace


def finished_run(workspace: Workspace, run: str) -> Path:
    """The folder of a run that has a student. Raises UnknownNameError, InvalidInputError."""
    known = [job.id for job in jobs.list_jobs(workspace.runs)]
    if run not in known:
        raise UnknownNameError("run", run, known)
    folder = workspace.runs / run
    if not _has_student(folder):
        raise InvalidInputError(f"Run {run!r} has no student yet: let it finish first.")
    return folder


@dataclass(frozen=True)
class TaskStudent:
    """A run that has a student: what it found, and what its student is."""

    result: RunResult
    student: StudentRecord

    @property
    def run(self) -> str:
        """Its name."""
        return self.result.run

    def looks_like(self, other: TaskStudent) -> bool:
        """Whether the students of both look at the same pixels and say the same classes."""
        mine, theirs = self.student, other.student
        return (mine.input_size, mine.resize, mine.classes) == (theirs.input_size, theirs.resize, theirs.classes)


def students_of_task(workspace: Workspace, task: str) -> list[TaskStudent]:
    """A task's runs that have a student, the newest first; damaged ones are left out, as Results says of them."""
    found = []
    for job in jobs.list_jobs(workspace.runs):
        if job.kind == KIND and job.spec.get("task") == task and _has_student(job.folder):
            try:
                found.append(TaskStudent(read_result(job.folder), read_student(job.folder)))
            except WorkbenchError:
                continue
    return found


def _has_student(folder: Path) -> bool:
    return all((folder / name).exists() for name in (WEIGHTS, RECORD, RESULT))
