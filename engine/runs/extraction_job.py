"""Features of a task's labeled images under every teacher, extracted ahead of a ranking, as a job of its own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.devices import describe
from engine.errors import InvalidInputError, WorkbenchError
from engine.features import FeatureStore, extract
from engine.features.extraction import LOADING
from engine.files import canonical_hash
from engine.jobs import INTERACTIVE, Job, Reporter, request
from engine.records import read_record, write_record
from engine.review import open_task
from engine.runs.ranking import Progress, allowed_teachers, ranked_rows
from engine.tasks import Draw, Task
from engine.teachers import TeacherRecord, get_teacher
from engine.workspace import Workspace

KIND = "extraction"
OLD_KIND = "look"  # in workspaces of version 0.1
START_SECONDS = 10.0  # of an extraction beside its networks, about: starting a process, loading the teachers
IDLE_PACE = 10.0  # G multiply-accumulates a second, about: of these small networks on two idle cores (ours)
LEAST_WORK = 10.0  # G multiply-accumulates of an extraction whose pace is kept: of less, most is the first batches


@dataclass(frozen=True)
class ExtractionTime:
    """About how long an extraction takes. measured_at: when one last went at this pace here; None for a mere guess."""

    seconds: float
    measured_at: str | None


@dataclass(frozen=True)
class _Pace:
    """How fast features were extracted here last: G multiply-accumulates a second, and when."""

    pace: Annotated[float, msgspec.Meta(gt=0)]
    measured_at: str  # UTC, ISO 8601


def missing_outputs(workspace: Workspace, task: Task, draw: Draw, teachers: Sequence[str] | None = None) -> int:
    """How many (image, teacher) pairs a ranking still lacks; with 0 it takes no network to rank."""
    rows = ranked_rows(task, draw)
    allowed = allowed_teachers(workspace, task, teachers)
    return sum(len(FeatureStore(workspace, task, teacher).missing(rows, 0)) for teacher in allowed)


def request_extraction(
    workspace: Workspace,
    task: Task,
    draw: Draw,
    device: str,
    teachers: Sequence[str] | None = None,
) -> Job:
    """Queue the job that fills what `missing_outputs` counts. Asking twice gives the same job; one that ended early is
    queued again.
    """
    spec = {
        "task": task.name,
        "task_revision": task.revision,
        "labels_per_class": draw.labels_per_class,
        "seed": draw.seed,
        "teachers": {teacher.name: teacher.key for teacher in allowed_teachers(workspace, task, teachers)},
    }
    return request(workspace.jobs, f"extraction-{task.name}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def estimate_extraction(workspace: Workspace, task: Task, draw: Draw, device: str) -> ExtractionTime:
    """About how long it takes to fill what `missing_outputs` counts, as fast as the last extraction here went."""
    teachers = allowed_teachers(workspace, task)
    return time_of_outputs(workspace, task, teachers, ranked_rows(task, draw), device)


def time_of_outputs(
    workspace: Workspace, task: Task, teachers: Sequence[TeacherRecord], rows: NDArray[np.int64], device: str
) -> ExtractionTime:
    """About how long a job takes that extracts what these images still lack under these teachers."""
    work = _work(workspace, task, teachers, rows)
    for path in (_pace_path(workspace, device), _pace_path(workspace, device, OLD_KIND)):
        try:
            known = read_record(path, _Pace, "how fast features were extracted here", "remove it")
        except WorkbenchError:  # never measured, or damaged: the next extraction writes it anew
            continue
        return ExtractionTime(START_SECONDS + work / known.pace, known.measured_at)
    return ExtractionTime(START_SECONDS + work / IDLE_PACE, None)


def task_as_asked(workspace: Workspace, job: Job) -> Task:
    """The task that a job names. Raises InvalidInputError if it is no longer the revision that was meant."""
    task = open_task(workspace, job.spec["task"])
    if task.revision != job.spec["task_revision"]:
        raise InvalidInputError(f"Task {task.name!r} has changed since this was asked for: ask again.")
    return task


def progress_to(report: Reporter, units: Mapping[str, str] | None = None) -> Progress:
    """What the rooms below call with their progress: it reaches who watches the job, and stops the work when that was
    asked for. units: of a stage that does not count images times teachers.
    """

    known = {LOADING: "teachers", **(units or {})}

    def progress(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, known.get(stage, "images × teachers"), stage)

    return progress


def execute_extraction(workspace: Workspace, job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    report.progress(0, None, "", "Reading the task")
    task = task_as_asked(workspace, job)
    rows = ranked_rows(task, Draw(job.spec["labels_per_class"], job.spec["seed"]))
    records = [get_teacher(workspace, name) for name in job.spec["teachers"]]
    work, progress = _work(workspace, task, records, rows), progress_to(report)
    begun: dict[str, float] = {}  # when each stage began

    def timed(done: int, total: int, stage: str) -> None:
        begun.setdefault(stage, time.monotonic())
        progress(done, total, stage)

    extract(workspace, task, records, rows, device=job.device, progress=timed)
    if extracting := [moment for stage, moment in begun.items() if stage != LOADING]:
        keep_pace(workspace, job.device, work, time.monotonic() - min(extracting))


def keep_pace(workspace: Workspace, device: str, work: float, seconds: float) -> None:
    """Note how fast features were extracted: `work` in G multiply-accumulates, without the time that loading teachers
    took. An extraction of few images says nothing about one of many. Raises StorageError if the disk refuses.
    """
    if work >= LEAST_WORK:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        write_record(_pace_path(workspace, device), _Pace(work / max(seconds, 1e-3), moment))


def _work(workspace: Workspace, task: Task, teachers: Sequence[TeacherRecord], rows: NDArray[np.int64]) -> float:
    """G multiply-accumulates of what these images still lack under these teachers."""
    lacking = ((teacher, len(FeatureStore(workspace, task, teacher).missing(rows, 0))) for teacher in teachers)
    return sum(count * teacher.gflops for teacher, count in lacking if teacher.has_network)


def _pace_path(workspace: Workspace, device: str, kind: str = KIND) -> Path:
    return workspace.speeds / f"{kind}-{canonical_hash([describe(device)], 10)}.json"
