"""Adding a checkpoint of one's own: the weights of a timm architecture, compared name by name before they are used."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import timm

from engine.jobs import Job, Reporter, request
from engine.teachers.about import About, about_from, checked_classes, checked_normalization, checked_size, completed
from engine.teachers.catalogue import check_free
from engine.teachers.checkpoint import MismatchError, as_event, diff, read_weights, refuse_whole_numbers
from engine.teachers.hub import Progress, silent
from engine.teachers.install import QUEUE, checked_record, install_network, job_progress, with_upload
from engine.teachers.model import build, check_architecture
from engine.teachers.record import TeacherRecord

KIND = "add-checkpoint"
DIFF_EVENT = "diff"


def request_checkpoint(home: Path, upload: Path, file_name: str, about: About, network: Mapping[str, Any]) -> Job:
    """Queue the adding of a checkpoint that was put into the workspace by `stage`. `network` holds the arguments
    architecture, classes, size, mean and std of `add_checkpoint`.
    """
    spec = {"upload": upload.name, "file_name": file_name, "about": asdict(about), "network": dict(network)}
    return request(home / "jobs", "add-teacher", kind=KIND, spec=spec, device=QUEUE)


def execute_checkpoint(job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind. A difference of names is also left as an event."""
    spec, network = job.spec, job.spec["network"]

    def add(path: Path) -> None:
        add_checkpoint(
            path,
            spec["file_name"],
            about_from(spec["about"]),
            architecture=network["architecture"],
            classes=network["classes"],
            size=network["size"],
            mean=network["mean"],
            std=network["std"],
            progress=job_progress(report),
        )

    try:
        with_upload(spec["upload"], spec["file_name"], add)
    except MismatchError as error:
        report.event(kind=DIFF_EVENT, **as_event(error.diff))
        raise


def add_checkpoint(
    path: Path,
    file_name: str,
    about: About,
    *,
    architecture: str,
    classes: Sequence[str],
    size: int,
    mean: Sequence[float],
    std: Sequence[float],
    progress: Progress | None = None,
) -> TeacherRecord:
    """Add a checkpoint of one's own: the state dict of a timm `architecture` as safetensors, .pt or .pth.

    `classes`: names of the network's outputs, in order; none to use its features alone. `size` in pixels; `mean` and
    `std` of its normalization, for pixels in 0..1. Raises MismatchError with the difference, InvalidInputError,
    UnknownNameError, DamagedFileError; then nothing is kept.
    """
    tell = progress or silent
    about = completed(about, title=Path(file_name).stem)
    check_free(about.name, about.title)
    names, size = checked_classes(classes), checked_size(size)
    mean, std = checked_normalization(mean, std)
    check_architecture(architecture)
    config = timm.get_pretrained_cfg(architecture)
    arguments = {"img_size": size} if config and config.fixed_input_size and size != config.input_size[-1] else {}
    tell(0, 3, "steps", "Reading the file")
    state = read_weights(path, file_name)
    tell(1, 3, "steps", "Comparing it with the architecture")
    model = build(architecture, len(names), arguments)
    if not names and config and config.classifier:
        heads = [config.classifier] if isinstance(config.classifier, str) else list(config.classifier)
        state = {key: value for key, value in state.items() if not key.startswith(tuple(f"{h}." for h in heads))}
    if found := diff(model, state):
        raise MismatchError(file_name, architecture, found)
    refuse_whole_numbers(model, state, file_name)
    model.load_state_dict(state, strict=True)
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
        command=f"python -m engine teachers add {shlex.quote(file_name)} --architecture {architecture}",
        tell=tell,
    )
    return install_network(record, model)
