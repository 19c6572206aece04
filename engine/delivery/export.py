"""A finished run's student as a folder, or as one ZIP."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.delivery.format import Answers, Classify, FinishedStudent, Format, OnTask, Prepare
from engine.delivery.formats import DEFAULT, FORMATS
from engine.delivery.measuring import milliseconds, size_of
from engine.delivery.parity import nearly_as_accurate
from engine.delivery.task_images import TaskImages
from engine.errors import DamagedFileError, InvalidInputError, StorageError, UnknownNameError, WorkbenchError
from engine.files import in_words, replacing_folder, write_bytes, write_json
from engine.processors import usable_processors
from engine.records import as_value, write_record
from engine.results import RESULT, RunResult, read_result
from engine.review import open_task
from engine.student import RECORD, WEIGHTS, StudentRecord, read_student, verify_weights
from engine.wording import percent
from engine.workspace import Workspace

CHECK = "check.txt"  # the sentence about what a format was checked on
MOST_FILES = 500  # images that are read from files; ours: one after the other, as such a program does


@dataclass(frozen=True)
class Exported:
    """What was written, and the sentence about its check; "" where what is written is the student itself."""

    files: list[Path]
    check: str


def export_student(run_folder: Path, out: Path, form: str = DEFAULT, *, anyway: bool = False) -> Exported:
    """Write a finished run's student into the new folder `out` as `form`, with its record and its run's result, once
    it answers as the student does on images of its task.

    anyway: also where a less precise format loses more accuracy than it may. Raises InvalidInputError if the run has
    no student yet, `out` already exists or the check fails; UnknownNameError for a format that does not exist,
    UnavailableError where its package is missing, DamagedFileError, StorageError if the disk refuses.
    """
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    student = finished_student(run_folder)
    if out.exists():
        raise InvalidInputError(f"{out} exists already: name a folder that does not.")
    verify_weights(run_folder)
    with replacing_folder(out) as temporary:
        found = write_format(student, FORMATS[form], temporary, anyway=anyway)
    return Exported(sorted(path for path in out.rglob("*") if path.is_file()), found.sentence)


def write_format(student: FinishedStudent, form: Format, folder: Path, *, anyway: bool = False) -> CheckedExport:
    """Fill an empty folder with a student in one format, and say what came of its check. Raises as `export_student`."""
    write_record(folder / RECORD, {**as_value(student.record), **student.temperature.fields})
    write_json(folder / RESULT, as_value(student.result))
    form.write(student, folder)
    found = checked(student, form, folder, anyway=anyway)
    if found.sentence:
        write_bytes(folder / CHECK, f"{found.sentence}\n".encode())
    return found


def student_archive(run_folder: Path, form: str = DEFAULT) -> bytes:
    """What `export_student` writes, as one ZIP in memory. Weights hardly compress, so they are only stored.

    Raises as `export_student`.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "student"
        export_student(run_folder, folder, form)
        pack(folder, run_folder.name, packed)
    return packed.getvalue()


def pack(folder: Path, name: str, to: BinaryIO) -> None:
    """Write a folder's files as a ZIP, within a folder `name`."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{name}/{path.relative_to(folder)}")


def finished_student(run_folder: Path) -> FinishedStudent:
    """The student in the folder of a finished run, with the images of its task if that is still there.

    Raises InvalidInputError if the run has no student yet, DamagedFileError, StorageError.
    """
    if not (run_folder / WEIGHTS).exists() or not (run_folder / RESULT).exists():
        raise InvalidInputError(f"Run {run_folder.name!r} has no student yet: let it finish first.")
    record = read_student(run_folder)
    workspace = Workspace.of_job(run_folder)
    result = read_result(run_folder)
    images, without = _images(workspace, record, result)
    return FinishedStudent(workspace, run_folder / WEIGHTS, record, result, images, without)


def _images(workspace: Workspace, record: StudentRecord, result: RunResult) -> tuple[TaskImages | None, str]:
    """The images of a student's task, or a sentence that says why there are none."""
    try:
        task = open_task(workspace, record.task)
        if not len(task.train_rows) + len(task.test_rows):
            return None, f"the task {record.task!r} has none any more"
    except WorkbenchError as error:
        return None, str(error).rstrip(".")
    same = task.revision == record.task_revision
    return TaskImages(task, record.input_size, same, learned_all=result.accuracy is None), ""


@dataclass(frozen=True)
class CheckedExport:
    """What came of a check."""

    sentence: str  # "" where what was written is the student itself
    accuracy: float | None = None  # 0..1, of the held-out images that it was checked on; None where there are none
    milliseconds: float | None = None  # of one picture on one thread


def checked(student: FinishedStudent, form: Format, folder: Path, *, anyway: bool = False) -> CheckedExport:
    """What was written of a student into `folder`, beside what the student says in PyTorch.

    Raises InvalidInputError if it may not be offered, as the format's own check says.
    """
    if form.check is None or form.load is None:
        return CheckedExport("")
    images, on_task = student.images, student.on_task
    if images is None or on_task is None:
        if form.check is nearly_as_accurate and not anyway:
            raise InvalidInputError(
                f"{student.without_answers} As it computes less precisely than the student, it was not kept: ask for "
                "it with --anyway, or take another format."
            )
        return CheckedExport(student.without_answers)
    classify = form.load(folder, usable_processors())
    written = np.concatenate([classify(pixels) for pixels in images.pixels(on_task.rows)])
    sentences = [form.check(Answers(on_task.student, written, on_task.labels, on_task.noun, on_task.groups), anyway)]
    if form.prepare is not None:
        sentences.append(_from_files(images, on_task, form.prepare(folder), classify))
    taken = milliseconds(form.load(folder, 1), next(images.pixels(on_task.rows[:1])))
    sentences.append(f"{in_words(size_of(folder))}; {taken:.1f} ms a picture on one thread.")
    right = float((written.argmax(1) == on_task.labels).mean()) if images.held_out else None
    return CheckedExport(" ".join(sentences), right, taken)


def _from_files(images: TaskImages, on_task: OnTask, prepare: Prepare, classify: Classify) -> str:
    """The sentence about what a program that reads files itself makes of images, as the task keeps them; or about one
    that cannot be read any more, while its pixels are still here.
    """
    rows, own = on_task.rows[:MOST_FILES], on_task.student.argmax(1)
    read = zip(images.task.images.contents(rows), own, strict=False)
    try:
        same = [int(classify(prepare(content)[None]).argmax()) == said for (content, _), said in read]
    except (DamagedFileError, StorageError) as error:
        return f"Not checked from image files, as one of them cannot be read: {error}"
    return f"From image files it gives the same class on {percent(float(np.mean(same)))} of {len(rows)}."
