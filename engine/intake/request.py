"""What an import was asked for: one record for the page, the command line and the job."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from engine.errors import InvalidInputError, UnknownNameError
from engine.files import as_utf8, expanded
from engine.images.reading import Reading, reading_from
from engine.images.views import RESIZES
from engine.intake.inventory import Columns
from engine.intake.layouts.torchvision_sets import PREFIX as TORCHVISION
from engine.review.findings import Decisions
from engine.review.geometry import check_size
from engine.review.splitting import TEST_SHARE
from engine.tasks.names import clean_text, task_name

TAR_SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2")
ARCHIVE_SUFFIXES = (".zip", *TAR_SUFFIXES)  # what is taken for an archive by its name
SINGLE_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")  # tables that come as one file
UPLOAD = "upload:"  # a source that was uploaded: "upload:" and its id


@dataclass(frozen=True)
class ImportRequest:
    """An import. Everything but source and title has a default that suits most."""

    source: str  # a path on this machine, an upload as `keep_upload` gives it, or "torchvision:<name>"
    title: str  # what the task is called on the pages, in any script
    name: str = ""  # what it is called in commands and folders; "" = made from the title
    images: str = ""  # folder, archive or upload of the images, where the source is a table that lies elsewhere
    columns: Columns = field(default_factory=Columns)
    classes: tuple[str, ...] = ()  # more classes than the labels name, to be labeled by hand
    reading: Reading | None = None  # None = as is usual for the source
    split: str = ""  # "given", "stratified", "by-group"; "" = the first of these that the source allows, groups first
    test_share: float = TEST_SHARE
    seed: int = 0
    resize: str = ""  # "squash", "crop", "pad"; "" = as advised
    student_size: int = 0  # pixels; 0 = as advised
    flip: bool | None = (
        None  # whether a mirrored image is still of its class; None = unless the source speaks against it
    )
    findings: Mapping[str, str] = field(default_factory=dict)  # decisions, finding -> choice
    in_place: bool | None = None  # None = where the folder lies in an allow-listed root
    answers: Mapping[str, str] = field(default_factory=dict)  # question -> interpretation, where nothing else says it
    strict: bool = False  # whether to refuse what would have to be guessed

    def __post_init__(self) -> None:
        """Refuse what cannot be imported, naming the field."""
        if not clean_text(self.title):
            raise InvalidInputError("The task has no name: write one, such as 'Leaves of 2026'.")
        if self.resize and self.resize not in RESIZES:
            raise InvalidInputError(f"{self.resize!r} is no geometry: choose squash, crop or pad.")
        if self.student_size:
            check_size(self.student_size)
        Decisions(self.findings, self.split, self.test_share, self.seed)

    @property
    def task(self) -> str:
        """The name of the task that this makes."""
        return self.name or task_name(self.title)

    @property
    def decisions(self) -> Decisions:
        """What was decided ahead."""
        return Decisions(dict(self.findings), self.split, self.test_share, self.seed)


def request_for(source: str, *, title: str = "", name: str = "", images: str = "", **wanted: Any) -> ImportRequest:
    """The request for a source as a user writes it: paths may be relative, title and name are made from the source if
    they are not given. wanted: other fields. Raises UnknownNameError for a field that there is not, InvalidInputError.
    """
    if not source:
        raise InvalidInputError("No source is named: name a folder, an archive or a table, or torchvision:<name>.")
    known = source.startswith(TORCHVISION)
    as_utf8(source)  # a name that is none would be refused once all images are read
    as_utf8(images)
    title = title or name or (source.removeprefix(TORCHVISION) if known else _stem(source))
    return ImportRequest(
        source=source if known else _absolute(source),
        title=title,
        name=name or task_name(title),
        images=_absolute(images) if images else "",
        **_of_their_types(wanted),
    )


def _of_their_types(wanted: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(ImportRequest)
    read = {}
    for name, value in wanted.items():
        if name not in hints:
            raise UnknownNameError("import option", name, hints)
        try:
            read[name] = msgspec.convert(value, hints[name])
        except msgspec.ValidationError as error:
            reason = str(error).replace("`object`", "named values").replace("`array`", "a list").replace("`", "")
            raise InvalidInputError(f"{name} is {reprlib.repr(value)}: {reason[0].lower()}{reason[1:]}.") from error
    return read


def _absolute(path: str) -> str:
    return str(expanded(path).absolute())


def _stem(source: str) -> str:
    path = Path(_absolute(source))
    if path.suffix.lower() in (".csv", ".tsv", ".jsonl") and path.parent.name:
        return path.parent.name  # a table is called labels.csv, whatever its images are
    return path.name.split(".")[0] or path.name


def request_as_json(request: ImportRequest) -> dict[str, Any]:
    """The JSON value of a request."""
    return {**asdict(request), "findings": dict(request.findings), "answers": dict(request.answers)}


def request_from(value: Mapping[str, Any]) -> ImportRequest:
    """The request in a JSON value. Raises InvalidInputError."""
    known = {item.name for item in fields(ImportRequest)}
    if unknown := sorted(set(value) - known):
        raise InvalidInputError(f"An import has no field {unknown[0]!r}: it was asked for by another version.")
    try:
        rest = dict(value)
        rest["columns"] = Columns(**(rest.get("columns") or {}))
        rest["classes"] = tuple(rest.get("classes") or ())
        reading = rest.get("reading")
        rest["reading"] = reading_from(reading) if reading is not None else None
        return ImportRequest(**rest)
    except TypeError as error:
        raise InvalidInputError(f"The import cannot be read: {error}.") from error


def may_flip(classes: tuple[str, ...], *, dicom: bool) -> bool:
    """Whether mirrored images are likely to be of their class still: not medical images, which tell left from
    right, nor letters and digits, nor classes that name a side.
    """
    signs = bool(classes) and all(len(name) == 1 or name.isdigit() for name in classes)
    sides = any(re.search(r"\b(left|right|links|rechts|gauche|droite)\b", name.casefold()) for name in classes)
    return not (dicom or signs or sides)


def with_name(request: ImportRequest) -> ImportRequest:
    """The same request with its task's name spelled out."""
    return replace(request, name=request.task)
