"""A finished student as a teacher of other tasks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.delivery.export import finished_student
from engine.delivery.finished import finished_run
from engine.delivery.format import FinishedStudent
from engine.errors import InvalidInputError, WorkbenchError
from engine.jobs import Job
from engine.student import WEIGHTS, verify_weights
from engine.teachers import (
    TeacherDescription,
    TeacherRecord,
    add_checkpoint,
    get_teacher,
    request_checkpoint,
    stage,
)
from engine.teachers.about import name_from
from engine.teachers.hub import Progress
from engine.workspace import Workspace

LETTERS_OF_RUN = 40  # the last ones, which tell runs apart; with "student-" no longer than a name may be


def add_as_teacher(workspace: Workspace, run: str, progress: Progress | None = None) -> TeacherRecord:
    """Add the student of a finished run to the teachers. Its collection is its task's, so that task stays closed to it;
    the collections of those who taught it count too, as what they know has come to it.

    Raises UnknownNameError; InvalidInputError if it has no student, if its task or one of its teachers is not here any
    more, or if it is a teacher already; DamagedFileError, StorageError.
    """
    student = _verified(workspace, run)
    about, network = described(student), _network(student)
    return add_checkpoint(workspace, student.weights, f"{run}.safetensors", about, progress=progress, **network)


def request_as_teacher(workspace: Workspace, run: str) -> Job:
    """Queue the same, of a copy of the student as it is now. Raises as `add_as_teacher`."""
    student = _verified(workspace, run)
    about, network = described(student), _network(student)
    with student.weights.open("rb") as file:
        return request_checkpoint(workspace, stage(workspace, file), f"{run}.safetensors", about, network)


def teacher_of(workspace: Workspace, run: str) -> TeacherRecord | None:
    """The teacher that the student of a run has become, if it has."""
    try:
        return get_teacher(workspace, _name(run))
    except WorkbenchError:  # there is none, or it is damaged, which the page Teachers says
        return None


def described(student: FinishedStudent) -> TeacherDescription:
    """What is known of it as a teacher. Raises InvalidInputError if it is not known what it may not teach."""
    if student.images is None:
        raise InvalidInputError(
            f"It is not known from which collection the images of this student come ({student.without_images}): add "
            f"its {WEIGHTS} with `python -m engine teachers add` and --collection."
        )
    task, result = student.images.task.record, student.result
    return TeacherDescription(
        title=f"{task.title}: {result.title}, seed {result.seed} ({result.run[-6:]})",
        name=_name(result.run),
        collection=task.collection,
        further_collections=tuple(dict.fromkeys(_learned_from(student))),
        license=student.record.license,
    )


def _learned_from(student: FinishedStudent) -> Iterator[str]:
    """The collections that its own teachers were trained on."""
    for name, share in student.result.active_alpha.items():
        if not share:
            continue
        try:
            teacher = get_teacher(student.workspace, name)
        except WorkbenchError as error:
            raise InvalidInputError(
                f"The teacher {name!r}, which taught this student, cannot be asked where its images came from, so it "
                f"is not known which tasks the student may teach ({error}) Add it with `python -m engine teachers add` "
                "and --collection."
            ) from error
        yield from (teacher.collection, *teacher.further_collections)


def _verified(workspace: Workspace, run: str) -> FinishedStudent:
    folder = finished_run(workspace, run)
    verify_weights(folder)
    return finished_student(folder)


def _network(student: FinishedStudent) -> dict[str, Any]:
    """Its weights as `add_checkpoint` takes them."""
    record = student.record
    return {
        "architecture": record.architecture,
        "classes": list(record.classes),
        "size": record.input_size,
        "mean": list(record.mean),
        "std": list(record.std),
    }


def _name(run: str) -> str:
    return name_from(f"student {run[-LETTERS_OF_RUN:]}")
