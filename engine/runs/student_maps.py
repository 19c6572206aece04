"""A finished student's maps of the training images, before it was trained and after, and what it took over from each
teacher: the share of a teacher's nearest neighbors that are nearest neighbors to the student as well.

All of it is kept with the run, and goes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.devices import set_up
from engine.errors import DamagedFileError, InvalidInputError
from engine.features import FeatureStore
from engine.jobs import INTERACTIVE, Job, Reporter, load, request
from engine.maps import EPOCHS, Map, map_rows, umap_coordinates
from engine.neighborhoods import KeptNeighbors, kept_neighbors
from engine.records import read_record, write_record
from engine.results import RESULT, read_result
from engine.review import open_task
from engine.runs.ranking import allowed_teachers
from engine.runs.spec import spec_of
from engine.runs.starting import first_weights
from engine.similarity.linear_algebra import unit_rows
from engine.student import load_student, read_student
from engine.tasks import Task
from engine.tasks.pixel_file import open_pixels
from engine.teachers import Network
from engine.tensors import read_tensors, write_tensors
from engine.training.student_network import build_student
from engine.workspace import Workspace

KIND = "student-maps"
PLACES, TAKEN_OVER = "maps.safetensors", "inherited.json"
ASKING, COMPARING = "Asking the student", "Comparing neighbors"  # stages
BATCH = 64  # images at once
_FILE = ("what a student took over from its teachers", "draw its maps again")


@dataclass(frozen=True)
class Inherited:
    """How many of a teacher's neighbors a student keeps, before its training and after."""

    teacher: str
    before: KeptNeighbors
    after: KeptNeighbors


@dataclass(frozen=True)
class _Record:
    run: str
    found: tuple[Inherited, ...]


@dataclass(frozen=True)
class StudentMaps:
    """Two maps of the same images, and what was taken over from each teacher whose features of them were there."""

    before: Map
    after: Map
    inherited: tuple[Inherited, ...]


def request_student_maps(workspace: Workspace, run: str, device: str) -> Job:
    """Queue the job that draws the maps of a finished run's student. Asking twice gives the same job.

    Raises DamagedFileError, StorageError.
    """
    spec = {"task": read_student(workspace.runs / run).task, "run": run}
    return request(workspace.jobs, f"{KIND}-{spec['task']}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def maps_of_student(workspace: Workspace, run: str) -> StudentMaps | None:
    """What `request_student_maps` left with the run; None while there is nothing, or where it is damaged: it is made
    again. Raises StorageError.
    """
    folder = workspace.runs / run
    if not (folder / PLACES).exists() or not (folder / TAKEN_OVER).exists():
        return None
    try:
        stored = read_tensors(folder / PLACES, "numpy")
        rows = stored["rows"].astype(np.int64)
        before, after = (Map("umap", rows, stored[name]) for name in ("before", "after"))
        if not all(m.coordinates.shape == (len(rows), 2) and np.isfinite(m.coordinates).all() for m in (before, after)):
            raise DamagedFileError(f"{folder / PLACES} is damaged: it holds no maps.")
        return StudentMaps(before, after, read_record(folder / TAKEN_OVER, _Record, *_FILE).found)
    except (DamagedFileError, KeyError):
        (folder / PLACES).unlink(missing_ok=True)
        return None


def execute_student_maps(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    report.progress(0, None, "", "Reading the task")
    run, task = str(job.spec["run"]), open_task(workspace, job.spec["task"])
    folder = workspace.runs / run
    if not (folder / RESULT).exists():
        raise InvalidInputError(f"Run {run!r} has no student yet: let it finish first.")
    set_up(job.device, None)
    rows = map_rows(task)
    if len(rows) < 3:
        raise InvalidInputError(f"Task {task.name!r} has {len(rows)} training images: a map takes three.")
    before, after = _features(task, folder, rows, job.device, report)
    maps = {name: _drawn(features, report) for name, features in (("before", before), ("after", after))}
    found = _inherited(workspace, task, rows, before, after, report)
    write_tensors(folder / PLACES, {"rows": rows.astype(np.int32), **maps})
    write_record(folder / TAKEN_OVER, _Record(run, found))


def _features(
    task: Task, folder: Path, rows: NDArray[np.int64], device: str, report: Reporter
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The student's features `[rows, D]` with the weights that it began with, and with those that it ended with."""
    spec, record = spec_of(load(folder)), read_student(folder)
    start, _ = first_weights(task.workspace, spec, read_result(folder).active_alpha)
    first = build_student(spec.train, record.num_classes, {}, spec.seed, start).network.to(device).eval()
    networks = {"before": first, "after": load_student(folder, device)}

    def progress(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, "images", stage)

    [images] = open_pixels(task, record.input_size, [rows], progress)
    parts: Mapping[str, list[NDArray[np.float32]]] = {name: [] for name in networks}
    with torch.inference_mode():
        for begin in range(0, len(rows), BATCH):
            progress(begin, len(rows), ASKING)
            pixels = images[begin : begin + BATCH].to(device)
            for name, network in networks.items():
                parts[name].append(_of(network, pixels))
    return np.concatenate(parts["before"]), np.concatenate(parts["after"])


def _of(network: Network, pixels: torch.Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = network.features(pixels).float().cpu().numpy()
    return found


def _drawn(features: NDArray[np.float32], report: Reporter) -> NDArray[np.float32]:
    def progress(done: int, total: int | None, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, "epochs", EPOCHS)

    return umap_coordinates(unit_rows(features), progress)


def _inherited(
    workspace: Workspace,
    task: Task,
    rows: NDArray[np.int64],
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    report: Reporter,
) -> tuple[Inherited, ...]:
    """For each teacher whose features of these images are in the cache."""
    stores = [FeatureStore(workspace, task, teacher) for teacher in allowed_teachers(workspace, task)]
    able = [store for store in stores if not len(store.missing(rows, 0))]
    found = []
    for place, store in enumerate(able):
        report.check_cancelled()
        report.progress(place, len(able), "teachers", COMPARING)
        features = store.read_features(rows)
        kept = (kept_neighbors(features, own) for own in (before, after))
        found.append(Inherited(store.teacher.name, *kept))
    return tuple(found)
