"""How long a run will take: from how fast such a student trained last, in a run or in a measurement of two seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import torch

from engine import jobs
from engine.devices import describe, kind
from engine.errors import WorkbenchError
from engine.files import canonical_hash
from engine.jobs import INTERACTIVE, Job, Reporter, request
from engine.methods import Recipe
from engine.methods.made_up import MadeUp
from engine.records import as_value, read_record, write_record
from engine.runs.quickest import quickest
from engine.runs.spec import recipe_from
from engine.training import TrainSpec
from engine.training.throughput import images_per_second
from engine.workspace import Workspace

KIND = "speed"
START_SECONDS = 10.0  # of a run beside its steps, about: starting a process, reading images, writing the student
EVALUATION_SHARE = 0.15  # of the training time, about: the points of the curve
SHORTEST = 2.0  # s of training: a shorter run says less than a measurement


@dataclass(frozen=True)
class Speed:
    """How fast such a student trained here last. It holds for as busy as the machine was: it is shown with its age."""

    images_per_second: Annotated[float, msgspec.Meta(gt=0)]  # student images with gradient
    machine: str
    measured_at: str  # UTC, ISO 8601
    in_a_run: bool = False  # over a whole run; otherwise over two seconds


def known_speed(workspace: Workspace, recipe: Recipe, device: str) -> Speed | None:
    """The latest of such a student on this device, or None if there is none."""
    try:
        return read_record(_path(workspace, recipe, device), Speed, "a measured speed", "remove it")
    except WorkbenchError:  # it is measured again
        return None


def keep_speed(workspace: Workspace, recipe: Recipe, device: str, images: int, seconds: float) -> None:
    """Note how fast a run trained, in the place of what was known before: estimates follow what really happens.

    Raises StorageError if the disk refuses.
    """
    if seconds >= SHORTEST:
        _keep(workspace, recipe, device, images / seconds, in_a_run=True)


def request_speed(workspace: Workspace, recipes: Sequence[Recipe], device: str) -> Job:
    """Queue the measurement of each of `recipes`; about two seconds each."""
    threads = torch.get_num_threads() if device == "cpu" else None
    spec = {"recipes": [as_value(recipe) for recipe in recipes], "threads": threads}
    return request(workspace.jobs, "speed", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def end_measurements(workspace: Workspace, device: str) -> None:
    """Let measurements on a device end that wait or run: runs were started, and their own speed will be known."""
    for job in jobs.list_jobs(workspace.jobs):
        if job.kind == KIND and kind(job.device) == kind(device) and not jobs.status(job).terminal:
            jobs.request_cancel(job)


def execute_speed(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    recipes = [recipe_from(value) for value in job.spec.get("recipes", ())]
    for i, recipe in enumerate(recipes):
        report.check_cancelled()
        report.progress(i, len(recipes), "methods", "Measuring how fast the student trains here")
        threads: int | None = job.spec["threads"]
        objective = recipe.settings.prepare(MadeUp(threads))
        check = report.check_cancelled
        way = quickest(workspace, recipe.train, job.device, check)
        found = images_per_second(recipe.train, objective, job.device, threads, check=check, arithmetic=way)
        _keep(workspace, recipe, job.device, found, in_a_run=False)
    report.progress(len(recipes), len(recipes), "methods", "Measured")


def estimate_seconds(speed: Speed, spec: TrainSpec) -> float:
    """About how long a run takes, in seconds, without its teachers' first pass over the images."""
    return seconds_at(speed.images_per_second, spec.steps * spec.images_per_step)


def seconds_at(images_per_second: float, images: int) -> float:
    """The same at a rate, for a budget of so many images."""
    return START_SECONDS + (1 + EVALUATION_SHARE) * images / images_per_second


def _keep(workspace: Workspace, recipe: Recipe, device: str, images_a_second: float, *, in_a_run: bool) -> None:
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    write_record(_path(workspace, recipe, device), Speed(images_a_second, describe(device), moment, in_a_run))


def _path(workspace: Workspace, recipe: Recipe, device: str) -> Path:
    """One file for each shape of a step; the length of the run and the rates do not matter."""
    spec, settings = recipe.train, recipe.settings
    shape = [type(settings).__name__, *settings.pace, spec.architecture, spec.size, spec.labeled_batch]
    shape += [spec.unlabeled_batch, spec.batch_norm, spec.precision, describe(device)]
    return workspace.speeds / f"{canonical_hash(shape)}.json"
