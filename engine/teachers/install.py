"""The last step of every way to add a teacher: its folder appears whole, or not at all, and never over another's."""

from __future__ import annotations

import re
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from safetensors.torch import save_file
from torch import nn

from engine.errors import InvalidInputError, UnavailableError
from engine.files import make_folder, remove_temporary, replacing, replacing_folder, sha256
from engine.jobs import Reporter
from engine.records import write_record
from engine.teachers.about import TeacherDescription
from engine.teachers.catalogue import RECORD, check_free, get_teacher, teacher_folder
from engine.teachers.configured import pooling_of
from engine.teachers.hub import Progress
from engine.teachers.model import Network, cost, trial
from engine.teachers.record import TeacherRecord, WeightSource
from engine.tensors import refusals_as_errors
from engine.workspace import Workspace

WEIGHTS = "weights.safetensors"
_STAGED = re.compile(r"[0-9a-f]{32}")  # the name of an upload that a teacher is made of
OLD_UPLOAD = 86_400  # s after which an upload that nobody took, or a teacher that was never finished, is removed
GFLOPS_NOTE = "multiply-accumulates / 1e9 of one image at input_size, convolutions and linear layers, as timm counts"
NOT_KNOWN = "Nobody has said how well it does on images of its own collection."


def install(workspace: Workspace, name: str, fill: Callable[[Path], TeacherRecord]) -> TeacherRecord:
    """Make the folder of the teacher `name` in one step: `fill` writes into it and gives the record.

    Raises InvalidInputError if the name is taken, also by somebody who was faster; StorageError.
    """
    check_free(workspace, name)
    folder = teacher_folder(workspace, name)
    remove_temporary(folder.parent, older_than=OLD_UPLOAD)  # of one that was killed half-way
    with replacing_folder(folder) as temporary:
        record = fill(temporary)
        check_free(workspace, name, record.title)
        write_record(temporary / RECORD, record)
    if get_teacher(workspace, name) != record:
        raise InvalidInputError(f"There is a teacher named {name!r} already: choose another name, or remove it first.")
    return record


def install_network(workspace: Workspace, record: TeacherRecord, model: nn.Module) -> TeacherRecord:
    """Put a network's weights and its record into the workspace. Raises as `install`."""

    def fill(folder: Path) -> TeacherRecord:
        state = {name: value.detach().contiguous().clone() for name, value in model.state_dict().items()}
        with refusals_as_errors(folder / WEIGHTS, sum(value.nbytes for value in state.values())):
            save_file(state, folder / WEIGHTS)
        weights = WeightSource("added", sha256(folder / WEIGHTS), file=WEIGHTS)
        return TeacherRecord(**{**vars(record), "weights": weights})

    return install(workspace, record.name, fill)


def new_record(about: TeacherDescription, **fields: Any) -> TeacherRecord:
    """The record of a teacher of which nobody has said how it was trained."""
    unknown = {
        "parts": (),
        "resize": "unknown",
        "training_images": None,
        "held_out_images": None,
        "held_out_accuracy": None,
        "accuracy_source": "unknown",
        "accuracy_note": NOT_KNOWN,
        "seed": None,
        "added": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return TeacherRecord(
        **{
            **unknown,
            "name": about.name,
            "title": about.title,
            "collection": about.collection,
            "further_collections": about.further_collections,
            "license": about.license,
            **fields,
        }
    )


def checked_record(
    about: TeacherDescription,
    model: nn.Module,
    *,
    architecture: str,
    classes: tuple[str, ...],
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    arguments: Mapping[str, Any],
    origin: str,
    source: str,
    command: str,
    progress: Progress,
    notes: Sequence[str] = (),
) -> TeacherRecord:
    """The record of a network that has proved on two made-up images that the workbench can use it."""
    progress(2, 3, "steps", "Trying it on two images")
    trial(Network(model, tuple(mean), tuple(std)), size)
    parameters, gflops = cost(architecture, len(classes), size, arguments)
    progress(3, 3, "steps", "Keeping it")
    return new_record(
        about,
        architecture=architecture,
        classes=classes,
        input_size=size,
        mean=tuple(mean),
        std=tuple(std),
        init="published" if origin == "timm" else "unknown",
        parameters=parameters,
        gflops=round(gflops, 4),
        gflops_note=GFLOPS_NOTE,
        command=command,
        weights=WeightSource("added", ""),
        origin=origin,
        model_args=tuple(sorted(arguments.items())),
        source=source,
        pooling=pooling_of(model),
        notes=tuple(notes),
    )


def stage(workspace: Workspace, content: BinaryIO) -> str:
    """Keep an upload in the workspace until its job takes it, and give the name under which. Raises StorageError,
    UnavailableError for a visitor of a demo.
    """
    workspace.refuse_visitors("Adding a teacher", "use the teachers that are here")  # its file is read unconfined
    folder = make_folder(workspace.uploads)
    remove_temporary(folder, older_than=OLD_UPLOAD)
    for old in filter(lambda path: _STAGED.fullmatch(path.name), folder.iterdir()):  # those of imports lie there too
        with suppress(OSError):  # somebody else may be faster
            if time.time() - old.stat().st_mtime > OLD_UPLOAD:
                old.unlink()
    path = folder / uuid.uuid4().hex
    with replacing(path) as temporary, temporary.open("wb") as file:
        shutil.copyfileobj(content, file)
    return path.name


def with_upload(workspace: Workspace, upload: str, file_name: str, use: Callable[[Path], None]) -> None:
    """Use a staged upload and remove it, whatever comes of it but a stopped machine. Raises what `use` raises, or
    UnavailableError if it is gone.
    """
    path = workspace.uploads / Path(upload).name
    if not path.is_file():
        raise UnavailableError(f"The upload {file_name!r} is not there any more: upload it again.")
    try:
        use(path)
    except Exception:
        path.unlink(missing_ok=True)
        raise
    path.unlink(missing_ok=True)


def job_progress(report: Reporter) -> Progress:
    """Progress of adding as a job tells it; raises CancelledError when the user asked to stop."""

    def progress(done: int, total: int | None, unit: str, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, unit, stage)

    return progress
