"""A finished run's student as a folder, or as one ZIP."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from pathlib import Path

from engine.delivery.format import FinishedStudent
from engine.delivery.formats import DEFAULT, FORMATS
from engine.errors import InvalidInputError, UnknownNameError
from engine.files import replacing_folder, write_json
from engine.records import as_value
from engine.results import RESULT, read_result
from engine.student import RECORD, WEIGHTS, read_student, verify_weights


def export_student(run_folder: Path, out: Path, form: str = DEFAULT) -> list[Path]:
    """Write a finished run's student into the new folder `out` as `form`, with its record and its run's result.

    Raises InvalidInputError if the run has no student yet or `out` already exists, UnknownNameError for a format that
    does not exist, DamagedFileError, StorageError if the disk refuses.
    """
    if form not in FORMATS:
        raise UnknownNameError("format", form, FORMATS)
    if not (run_folder / WEIGHTS).exists() or not (run_folder / RESULT).exists():
        raise InvalidInputError(f"Run {run_folder.name!r} has no student yet: let it finish first.")
    if out.exists():
        raise InvalidInputError(f"{out} exists already: name a folder that does not.")
    student = FinishedStudent(run_folder / WEIGHTS, read_student(run_folder), read_result(run_folder))
    verify_weights(run_folder)
    with replacing_folder(out) as temporary:
        shutil.copyfile(run_folder / RECORD, temporary / RECORD)
        write_json(temporary / RESULT, as_value(student.result))
        FORMATS[form].write(student, temporary)
    return sorted(out.iterdir())


def student_archive(run_folder: Path, form: str = DEFAULT) -> bytes:
    """What `export_student` writes, as one ZIP in memory. Weights hardly compress, so they are only stored.

    Raises as `export_student`.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in export_student(run_folder, Path(folder) / "student", form):
            archive.write(path, f"{run_folder.name}/{path.name}")
    return packed.getvalue()
