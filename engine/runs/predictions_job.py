"""What a finished student says of its task's images: kept by its run, or computed on demand.

A run keeps predictions of its test images. Those of training images whose class it was not told, and those of a run of
an earlier version, are a small job's work, and lie in the run's folder from then on.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from engine.devices import set_up
from engine.errors import InvalidInputError
from engine.jobs import INTERACTIVE, Job, Reporter, load, request
from engine.predictions import (
    PREDICTIONS,
    Predictions,
    joined,
    largest,
    predictions_from,
    read_predictions,
    write_predictions,
)
from engine.results import RESULT, way_out_of
from engine.review import open_task
from engine.runs.spec import RunSpec, spec_of
from engine.student import load_student, read_student
from engine.tasks import Task
from engine.tasks.pixel_file import open_pixels
from engine.training import predict
from engine.workspace import Workspace

KIND = "predictions"
UNLABELED = "predictions-unlabeled.parquet"
_FILES = {"test": PREDICTIONS, "unlabeled": UNLABELED}
AT_ONCE = 4096  # images, of which all probabilities are in memory

Which = Literal["test", "unlabeled"]


def predictions_path(workspace: Workspace, run: str, which: Which = "test") -> Path:
    """Where the predictions of a run lie, or will."""
    return workspace.runs / run / _FILES[which]


def predictions_of(workspace: Workspace, run: str, which: Which = "test") -> Predictions | None:
    """What the student of a finished run says of the task's test images, or of training images whose class it was not
    told; None where that was not kept, and `request_predictions` computes it. Raises DamagedFileError, StorageError.
    """
    folder = workspace.runs / run
    return read_predictions(
        predictions_path(workspace, run, which), f"remove it, and it is computed again; or {way_out_of(folder)}"
    )


def request_predictions(workspace: Workspace, run: str, which: Which, device: str) -> Job:
    """Queue the job that computes what `predictions_of` lacks. Asking twice gives the same job.

    Raises DamagedFileError, StorageError.
    """
    student = read_student(workspace.runs / run)
    spec = {"task": student.task, "run": run, "which": which}
    return request(workspace.jobs, f"{KIND}-{student.task}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def execute_predictions(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    report.progress(0, None, "", "Reading the task")
    run, which = str(job.spec["run"]), job.spec["which"]
    folder = workspace.runs / run
    if not (folder / RESULT).exists():
        raise InvalidInputError(f"Run {run!r} has no student yet: let it finish first.")
    task, student = open_task(workspace, job.spec["task"]), read_student(folder)
    same = student.task_revision == task.revision if which == "test" else student.classes == task.classes
    if not same:
        raise InvalidInputError(
            f"Task {task.name!r} has changed since run {run!r} was made, so its student cannot be asked about it as it "
            "is now: start a new run."
        )
    set_up(job.device, None)
    spec = spec_of(load(folder))
    task = replace(task, held_out=spec.held_out)  # what a student has learned from says nothing about it
    rows = task.test_rows if which == "test" else _without_label(task, spec)
    if not len(rows):
        wanted = "held-out image with a label" if which == "test" else "training image without a label"
        raise InvalidInputError(f"Task {task.name!r} has no {wanted}: there is nothing to ask this student about.")

    def progress(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, "images", stage)

    [images] = open_pixels(task, student.input_size, [rows], progress)
    network, parts = load_student(folder, job.device), list[Predictions]()
    for start in range(0, len(rows), AT_ONCE):
        progress(start, len(rows), "Asking the student")
        part = rows[start : start + AT_ONCE]
        found = predict(network, images[start : start + AT_ONCE]).numpy()
        parts.append(_predictions(task, part, found) if which == "test" else largest(_predictions(task, part, found)))
    write_predictions(predictions_path(workspace, run, which), joined(parts))


def test_predictions(task: Task, probabilities: NDArray[np.float32]) -> Predictions:
    """Those of a task's test images, `[test images, C]`, in the order of its test rows."""
    return _predictions(task, task.test_rows, probabilities)


def _predictions(task: Task, rows: NDArray[np.int64], probabilities: NDArray[np.float32]) -> Predictions:
    ids = task.images.image_ids
    return predictions_from([ids[row] for row in rows.tolist()], task.classes, task.labels[rows], probabilities)


def _without_label(task: Task, spec: RunSpec) -> NDArray[np.int64]:
    """Training rows whose class the student was not told. Labels and split may be others than when it learned: what it
    was told follows from those that it had.
    """
    then = replace(task, record=replace(task.record, labels=spec.labels_revision, split=spec.split_revision))
    return np.setdiff1d(task.train_rows, then.labeled_rows(spec.draw))
