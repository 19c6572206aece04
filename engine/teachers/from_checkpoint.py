"""Adding a checkpoint of one's own: the weights of a timm architecture, compared name by name before they are used."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from engine.errors import WorkbenchError
from engine.jobs import IMPORT, Job, Reporter, read_events, request
from engine.teachers.about import (
    TeacherDescription,
    checked_classes,
    checked_normalization,
    checked_size,
    completed,
    description_from,
)
from engine.teachers.catalogue import check_free
from engine.teachers.checkpoint import read_tensors
from engine.teachers.configured import Configured, pooling_arguments, timm_configuration
from engine.teachers.fitting import KeyDiff, MismatchError, as_event, fit, from_event
from engine.teachers.hub import Progress, silent
from engine.teachers.install import checked_record, install_network, job_progress, with_upload
from engine.teachers.model import build
from engine.teachers.record import TeacherRecord
from engine.workspace import Workspace

KIND = "add-checkpoint"
DIFF_EVENT = "diff"


def request_checkpoint(
    workspace: Workspace, upload: str, file_name: str, about: TeacherDescription, network: Mapping[str, Any]
) -> Job:
    """Queue the adding of a checkpoint that was put into the workspace by `stage`. `network` holds the arguments
    architecture and classes of `add_checkpoint`, and those of its others that the user chose.
    """
    spec = {"upload": upload, "file_name": file_name, "about": asdict(about), "network": dict(network)}
    return request(workspace.jobs, "add-teacher", kind=KIND, spec=spec, device="cpu", lane=IMPORT)


def execute_checkpoint(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind. A difference of names is also left as an event."""
    spec = job.spec

    def add(path: Path) -> None:
        add_checkpoint(
            workspace,
            path,
            spec["file_name"],
            description_from(spec["about"]),
            progress=job_progress(report),
            **spec["network"],
        )

    try:
        with_upload(workspace, spec["upload"], spec["file_name"], add)
    except MismatchError as error:
        report.event(kind=DIFF_EVENT, **as_event(error.diff))
        raise


def key_difference(job: Job) -> KeyDiff | None:
    """How the file of a job that adds a checkpoint differs from its architecture; None where nobody found that."""
    try:
        found = [event for event in read_events(job).events if event.get("kind") == DIFF_EVENT]
    except WorkbenchError:
        return None
    return from_event(found[-1]) if found else None


def add_checkpoint(
    workspace: Workspace,
    path: Path,
    file_name: str,
    about: TeacherDescription,
    *,
    architecture: str,
    classes: Sequence[str],
    size: int | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    pooling: str | None = None,
    prefix: str = "",
    ignore: Sequence[str] = (),
    progress: Progress | None = None,
) -> TeacherRecord:
    """Add a checkpoint of one's own: the weights of a timm `architecture` as safetensors, .pt or .pth.

    `classes`: names of the network's outputs, in order; none to use its features alone. `size` in pixels; `mean` and
    `std` of its normalization, for pixels in 0..1; `pooling`, one of `POOLINGS`: what is not said is as timm configures
    the architecture, and the record's notes say so. `prefix` and `ignore` as in `fit`. Raises MismatchError with the
    difference, InvalidInputError, UnknownNameError, DamagedFileError; then nothing is kept.
    """
    progress = progress or silent
    about = completed(about, title=Path(file_name).stem)
    check_free(workspace, about.name, about.title)
    names = checked_classes(classes)
    own = timm_configuration(architecture)
    notes = _as_configured(architecture, own, size, mean, std, pooling)
    size = checked_size(own.size if size is None else size)
    mean, std = checked_normalization(own.mean if mean is None else mean, own.std if std is None else std)
    arguments = {**own.size_arguments(size), **pooling_arguments(architecture, pooling)}
    progress(0, 3, "steps", "Reading the file")
    tensors = read_tensors(path, file_name)
    progress(1, 3, "steps", "Comparing it with the architecture")
    model = build(architecture, len(names), arguments)
    if "fc_norm.weight" in model.state_dict() and "global_pool" in arguments and _normalizes_places(tensors):
        arguments["fc_norm"] = False
        model = build(architecture, len(names), arguments)
    heads = () if names else own.heads
    found = fit(tensors, model, file_name, architecture, heads=heads, prefix=prefix, ignore=ignore)
    model.load_state_dict(found.state, strict=True)
    record = checked_record(
        about,
        model,
        architecture=architecture,
        classes=names,
        size=size,
        mean=mean,
        std=std,
        arguments=arguments,
        origin="checkpoint",
        source=file_name,
        command=_command(file_name, architecture, size, mean, std, pooling, prefix, ignore),
        progress=progress,
        notes=(*found.notes, *notes),
    )
    return install_network(workspace, record, model)


def _normalizes_places(tensors: Mapping[str, Any]) -> bool:
    """Whether a transformer's last normalization stands before its pooling, as in networks trained with a class token;
    timm moves it behind the pooling when it is told to pool in another way.
    """
    names = {name.rpartition(".")[0].rpartition(".")[2] for name in tensors if name.count(".") and "block" not in name}
    return "norm" in names and "fc_norm" not in names


def _as_configured(
    architecture: str,
    own: Configured,
    size: int | None,
    mean: Sequence[float] | None,
    std: Sequence[float] | None,
    pooling: str | None,
) -> list[str]:
    """A sentence on what was not said and so is as timm configures the architecture."""
    facts = [
        f"input size {own.size} px" if size is None else "",
        f"mean {numbers_text(own.mean)}" if mean is None else "",
        f"standard deviation {numbers_text(own.std)}" if std is None else "",
        f"pooling {own.pooling}" if pooling is None and own.pooling else "",
    ]
    told = ", ".join(fact for fact in facts if fact)
    return [f"As timm configures {architecture}, since nothing else was said: {told}."] if told else []


def numbers_text(numbers: Sequence[float]) -> str:
    """Mean or standard deviation as a person writes it: "0.485, 0.456, 0.406"."""
    return ", ".join(f"{number:.5g}" for number in numbers)


def _command(
    file_name: str,
    architecture: str,
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    pooling: str | None,
    prefix: str,
    ignore: Sequence[str],
) -> str:
    """The command that adds the same again, but for its classes and words."""
    parts = ["python -m engine teachers add", shlex.quote(file_name), "--architecture", architecture]
    parts += ["--size", str(size), f"--mean={','.join(map(str, mean))}", f"--std={','.join(map(str, std))}"]
    parts += ["--pooling", pooling] if pooling else []
    parts += ["--prefix", shlex.quote(prefix)] if prefix else []
    parts += ["--ignore", shlex.quote(",".join(ignore))] if ignore else []
    return " ".join(parts)
