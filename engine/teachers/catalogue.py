"""Which teachers there are: those that come with the program, and those that a user added to the workspace."""

from __future__ import annotations

import re
import shutil
import uuid
from functools import cache, lru_cache
from pathlib import Path

from torch import nn

from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.files import TEMPORARY_PREFIX, storage_error
from engine.installation import bundled
from engine.quotas import is_lent
from engine.records import damaged, read_record
from engine.teachers.record import TeacherRecord
from engine.workspace import Workspace

ASSETS = bundled("teachers")
RECORD = "record.json"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")


def teacher_names(workspace: Workspace) -> list[str]:
    """Names of all teachers, sorted; of the added ones, those whose record can be read."""
    return sorted([*bundled_names(), *(record.name for record in added_teachers(workspace))])


def bundled_names() -> list[str]:
    """Names of the teachers that come with the program, sorted."""
    return sorted(path.stem for path in ASSETS.glob("*.json"))


def get_teacher(workspace: Workspace, name: str) -> TeacherRecord:
    """The record of the teacher called `name`. Raises UnknownNameError or DamagedFileError."""
    if name in bundled_names():
        return bundled_teacher(name)
    if name in _added_names(workspace):
        return _added(workspace, name)
    raise UnknownNameError("teacher", name, teacher_names(workspace))


def all_teachers(workspace: Workspace) -> list[TeacherRecord]:
    """All records, by name; of the added ones, those that can be read. Raises DamagedFileError for a bundled one."""
    records = [*map(bundled_teacher, bundled_names()), *added_teachers(workspace)]
    return sorted(records, key=lambda record: record.name)


def added_teachers(workspace: Workspace) -> list[TeacherRecord]:
    """The records of those that a user added, by name."""
    return [record for name in _added_names(workspace) if (record := _readable(workspace, name)) is not None]


def damaged_teachers(workspace: Workspace) -> dict[str, str]:
    """What is wrong with each added teacher whose record cannot be read, by name. No other function names them."""
    found = {}
    for name in _added_names(workspace):
        try:
            _added(workspace, name)
        except WorkbenchError as error:
            found[name] = str(error)
    return found


def teacher_folder(workspace: Workspace, name: str) -> Path:
    """Where an added teacher lies, or is to lie. Raises InvalidInputError for a name that is no plain one."""
    check_name(name)
    return workspace.teachers / name


def check_name(name: str) -> None:
    """Raises InvalidInputError unless `name` can name a teacher: small letters, digits and dashes, at most 60.

    It names a folder, and a head of the student while it learns, for which some words are taken.
    """
    if not NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name[:80]!r} cannot name a teacher: use at most 60 small letters (a to z), digits and dashes, and begin "
            "and end with a letter or digit. The title may be any text."
        )
    if hasattr(nn.ModuleDict, name):
        raise InvalidInputError(f"{name!r} cannot name a teacher, because the program uses this word: choose another.")


def check_free(workspace: Workspace, name: str, title: str = "") -> None:
    """Raises InvalidInputError if there is a teacher of that name or title already, or as `check_name`."""
    folder = teacher_folder(workspace, name)
    if name in bundled_names() or folder.exists():
        raise InvalidInputError(f"There is a teacher named {name!r} already: choose another name, or remove it first.")
    if title and any(title.casefold() == record.title.casefold() for record in all_teachers(workspace)):
        raise InvalidInputError(
            f"There is a teacher titled {title!r} already: choose another title, so that they can be told apart."
        )


def remove_teacher(workspace: Workspace, name: str) -> None:
    """Remove an added teacher, its weights, and what it said of images, for good.

    Whoever calls this knows that no run needs it. Raises InvalidInputError for one that comes with the program,
    UnknownNameError, StorageError.
    """
    if name in bundled_names():
        raise InvalidInputError(f"The teacher {name!r} comes with the program and cannot be removed.")
    if name not in (names := _added_names(workspace)):
        raise UnknownNameError("added teacher", name, names)
    if is_lent(workspace.teachers / name):
        raise InvalidInputError(f"The teacher {name!r} belongs to the demo and stays: remove those that you added.")
    record = _readable(workspace, name)
    folder = teacher_folder(workspace, name)
    doomed = folder.parent / f"{TEMPORARY_PREFIX}{uuid.uuid4().hex[:12]}-{name}"
    try:
        folder.rename(doomed)  # one step: it is there, or it is not
    except OSError as error:
        raise storage_error(error, folder) from error
    shutil.rmtree(doomed, ignore_errors=True)
    if record is not None:
        for outputs in workspace.features.glob(f"*/{name}-{record.key}-*"):
            shutil.rmtree(outputs, ignore_errors=True)


def _added_names(workspace: Workspace) -> list[str]:
    """Folders of the workspace that hold a teacher; what never was finished is none."""
    folder = workspace.teachers
    found = (path.parent.name for path in folder.glob(f"*/{RECORD}")) if folder.is_dir() else ()
    taken = set(bundled_names())
    return sorted(name for name in found if NAME.fullmatch(name) and name not in taken)


@cache
def bundled_teacher(name: str) -> TeacherRecord:
    """The record of a teacher that comes with the program. Raises DamagedFileError."""
    path = ASSETS / f"{name}.json"
    return read_record(path, TeacherRecord, f"the teacher {name!r}", "restore it from the repository")


def _added(workspace: Workspace, name: str) -> TeacherRecord:
    path = workspace.teachers / name / RECORD
    try:
        changed = path.stat()
    except OSError as error:
        raise storage_error(error, path) from error
    return _read_added(path, changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=256)
def _read_added(path: Path, _changed: int, _size: int) -> TeacherRecord:
    what, way_out = f"the teacher {path.parent.name!r}", "restore it, or remove this teacher and add it again"
    record = read_record(path, TeacherRecord, what, way_out)
    if record.name != path.parent.name:
        raise damaged(path, what, f"it is the record of {record.name!r}", "give its folder that name again")
    return record


def _readable(workspace: Workspace, name: str) -> TeacherRecord | None:
    try:
        return _added(workspace, name)
    except WorkbenchError:
        return None
