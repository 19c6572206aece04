"""About how long a job that is no run still takes, for those that wait behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine import maps
from engine.errors import WorkbenchError
from engine.features.extraction import LOADING
from engine.jobs import Job, Status
from engine.runs import extraction_job, speed
from engine.runs.ranking import ranked_rows
from engine.tasks import Draw, task_as_labeled
from engine.teachers import get_teacher
from engine.training import throughput
from engine.workspace import Workspace

LOADING_UMAP = 15.0  # s, about: it compiles itself (ours)
DRAWING_AN_IMAGE = 0.01  # s of a map for each of its images, about (ours)
DRAWING_ONE_OF_MANY = 0.0015  # s, from maps.SPECTRAL_BELOW images on: 100,000 took 145 s of a processor


def seconds_left(workspace: Workspace, job: Job, now: Status) -> float | None:
    """About how long a job that runs or waits still takes, in seconds; None while too little is known.

    Of imports, added teachers and intervals nothing is known before they count something; of runs, `known_speed` and
    `estimate_seconds` know more.
    """
    if now.state == "running" and now.seconds_left is not None and now.stage != LOADING:
        return now.seconds_left
    try:
        return _WHOLE[job.kind](workspace, job) if job.kind in _WHOLE else None
    except (WorkbenchError, LookupError, TypeError, ValueError):  # of a spec that cannot be read: it fails, soon
        return None


def _extraction(workspace: Workspace, job: Job) -> float:
    task = task_as_labeled(workspace, job.spec["task"])
    rows = ranked_rows(task, Draw(job.spec["labels_per_class"], job.spec["seed"]))
    teachers = [get_teacher(workspace, name) for name in job.spec["teachers"]]
    return extraction_job.time_of_outputs(workspace, task, teachers, rows, job.device).seconds


def _map(workspace: Workspace, job: Job) -> float:
    task = task_as_labeled(workspace, job.spec["task"])
    teachers = [get_teacher(workspace, name) for name in maps.asked_teachers(job.spec)]
    rows = maps.map_rows(task, whole=bool(job.spec.get("whole")))
    extracting = extraction_job.time_of_outputs(workspace, task, teachers, rows, job.device)
    return extracting.seconds + LOADING_UMAP + len(teachers) * drawing_seconds(len(rows))


def drawing_seconds(images: int) -> float:
    """About how long a map of so many images takes once their features are there."""
    return images * (DRAWING_AN_IMAGE if images < maps.SPECTRAL_BELOW else DRAWING_ONE_OF_MANY)


def _measurement(workspace: Workspace, job: Job) -> float:
    return speed.START_SECONDS + throughput.SECONDS * len(job.spec["recipes"])


_WHOLE: Mapping[str, Callable[[Workspace, Job], float]] = {
    extraction_job.KIND: _extraction,
    extraction_job.OLD_KIND: _extraction,
    maps.KIND: _map,
    speed.KIND: _measurement,
}
