"""Teachers looking at a task's labeled images ahead of a ranking, as a job of its own."""

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
from engine.runs.ranking import Progress, candidates
from engine.tasks import Task
from engine.teachers import TeacherRecord, get_teacher

KIND = "look"
START_SECONDS = 10.0  # of a look beside its networks, about: starting a process, loading the teachers
IDLE_PACE = 10.0  # G multiply-accumulates a second, about: of these small networks on two idle cores (ours)
LEAST_WORK = 10.0  # G multiply-accumulates of a look whose pace is kept: of less, most is each network's first batch


@dataclass(frozen=True)
class LookTime:
    """About how long a look takes. measured_at: when a look last went at this pace here; None for a mere guess."""

    seconds: float
    measured_at: str | None


@dataclass(frozen=True)
class _Pace:
    """How fast teachers looked at images here last: G multiply-accumulates a second, and when."""

    pace: Annotated[float, msgspec.Meta(gt=0)]
    measured_at: str  # UTC, ISO 8601


def missing_outputs(
    home: Path, task: Task, *, labels_per_class: int, seed: int, teachers: Sequence[str] | None = None
) -> int:
    """How many (image, teacher) pairs a ranking still lacks; with 0 it takes no network to rank."""
    rows = task.labeled_rows(labels_per_class, seed)
    allowed = [c.teacher for c in candidates(task, teachers) if c.allowed]
    return sum(len(FeatureStore(home, task, teacher).missing(rows, 0)) for teacher in allowed)


def request_look(
    home: Path, task: Task, *, labels_per_class: int, seed: int, device: str, teachers: Sequence[str] | None = None
) -> Job:
    """Queue the job that fills what `missing_outputs` counts. Asking twice gives the same job; one that ended early is
    queued again.
    """
    spec = {
        "task": task.name,
        "task_revision": task.revision,
        "labels_per_class": labels_per_class,
        "seed": seed,
        "teachers": {c.teacher.name: c.teacher.key for c in candidates(task, teachers) if c.allowed},
    }
    return request(home / "jobs", f"look-{task.name}", kind=KIND, spec=spec, device=device, lane=INTERACTIVE)


def estimate_look(home: Path, task: Task, *, labels_per_class: int, seed: int, device: str) -> LookTime:
    """About how long the look takes that fills what `missing_outputs` counts, as fast as the last one here went."""
    rows = task.labeled_rows(labels_per_class, seed)
    work = _work(home, task, [c.teacher for c in candidates(task) if c.allowed], rows)
    try:
        known = read_record(_pace_path(home, device), _Pace, "how fast teachers looked here", "remove it")
    except WorkbenchError:  # never measured, or damaged: the next look writes it anew
        return LookTime(START_SECONDS + work / IDLE_PACE, None)
    return LookTime(START_SECONDS + work / known.pace, known.measured_at)


def task_as_asked(job: Job) -> Task:
    """The task that a job names. Raises InvalidInputError if it is no longer the revision that was meant."""
    task = open_task(job.spec["task"], job.folder.parent.parent)
    if task.revision != job.spec["task_revision"]:
        raise InvalidInputError(f"Task {task.name!r} has changed since this was asked for: ask again.")
    return task


def telling(report: Reporter, units: Mapping[str, str] | None = None) -> Progress:
    """What the rooms below call with their progress: it reaches who watches the job, and stops the work when that was
    asked for. units: of a stage that does not count images times teachers.
    """

    def tell(done: int, total: int, stage: str) -> None:
        report.check_cancelled()
        report.progress(done, total, (units or {}).get(stage, "images × teachers"), stage)

    return tell


def execute_look(job: Job, report: Reporter) -> None:
    """What the worker does for a job of this kind."""
    home = job.folder.parent.parent
    report.progress(0, None, "", "Reading the task")
    task = task_as_asked(job)
    rows = task.labeled_rows(job.spec["labels_per_class"], job.spec["seed"])
    records = [get_teacher(name) for name in job.spec["teachers"]]
    work, tell = _work(home, task, records, rows), telling(report)
    begun: dict[str, float] = {}  # when each stage began

    def timed(done: int, total: int, stage: str) -> None:
        begun.setdefault(stage, time.monotonic())
        tell(done, total, stage)

    extract(home, task, records, rows, device=job.device, progress=timed)
    if looking := [moment for stage, moment in begun.items() if stage != LOADING]:
        keep_pace(home, job.device, work, time.monotonic() - min(looking))


def keep_pace(home: Path, device: str, work: float, seconds: float) -> None:
    """Note how fast teachers looked: `work` in G multiply-accumulates, without the time that loading them took. A look
    at a few images says nothing about one at many. Raises StorageError if the disk refuses.
    """
    if work >= LEAST_WORK:
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        write_record(_pace_path(home, device), _Pace(work / max(seconds, 1e-3), moment))


def _work(home: Path, task: Task, teachers: Sequence[TeacherRecord], rows: NDArray[np.int64]) -> float:
    """G multiply-accumulates of what teachers have not seen of these images."""
    lacking = ((teacher, len(FeatureStore(home, task, teacher).missing(rows, 0))) for teacher in teachers)
    return sum(count * teacher.gflops for teacher, count in lacking if teacher.has_network)


def _pace_path(home: Path, device: str) -> Path:
    return home / "speeds" / f"look-{canonical_hash([describe(device)], 10)}.json"
