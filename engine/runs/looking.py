"""Teachers looking at a task's labeled images ahead of a ranking, as a job of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.errors import InvalidInputError
from engine.features import FeatureStore, extract
from engine.jobs import Job, Reporter, request
from engine.runs.ranking import Progress, candidates
from engine.tasks import Task, open_task
from engine.teachers import get_teacher

KIND = "look"


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
    return request(home / "jobs", f"look-{task.name}", kind=KIND, spec=spec, device=device)


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
    task = task_as_asked(job)
    rows = task.labeled_rows(job.spec["labels_per_class"], job.spec["seed"])
    records = [get_teacher(name) for name in job.spec["teachers"]]
    extract(home, task, records, rows, device=job.device, progress=telling(report))
