"""About how long a job still takes, for whoever waits for it and for those that wait behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from engine import maps
from engine.errors import WorkbenchError
from engine.features.extraction import LOADING
from engine.jobs import Job, Status
from engine.runs import extraction_job, speed
from engine.runs.proposal import speed_at
from engine.runs.ranking import ranked_rows
from engine.runs.spec import KIND, run_spec_from
from engine.tasks import Draw, task_as_labeled
from engine.teachers import get_teacher
from engine.training import throughput
from engine.workspace import Workspace

LOADING_UMAP = 15.0  # s, about: it compiles itself (ours)
DRAWING_AN_IMAGE = 0.01  # s of a map for each of its images, about (ours)
DRAWING_ONE_OF_MANY = 0.0015  # s, from maps.SPECTRAL_BELOW images on: 100,000 took 145 s of a processor


def seconds_left(workspace: Workspace, job: Job, now: Status) -> float | None:
    """About how long a job that runs or waits still takes, in seconds; None while too little is known.

    Of imports, added teachers and intervals nothing is known before they count something.
    """
    if job.kind == KIND:
        return run_seconds_left(workspace, job, now)
    if now.state == "running" and now.seconds_left is not None and now.stage != LOADING:
        return now.seconds_left
    try:
        return _WHOLE[job.kind](workspace, job) if job.kind in _WHOLE else None
    except (WorkbenchError, LookupError, TypeError, ValueError):  # of a spec that cannot be read: it fails, soon
        return None


def run_seconds_left(workspace: Workspace, job: Job, now: Status) -> float | None:
    """About how long a run that runs or waits still takes, in seconds: from the first second on at the pace of earlier
    runs on this machine, or else as its student's cost is to theirs; once it trains, at its own pace. Its teachers'
    first pass over the images counts when it has begun. None for a spec that cannot be read, or one that is stuck.
    """
    if now.stuck or now.paused:
        return None
    if is_training(now) and now.seconds_left is not None:
        return now.seconds_left
    whole = _whole_run(workspace, job)
    preparing = now.seconds_left if now.state == "running" and now.stage != LOADING else None
    return None if whole is None else whole + (preparing or 0.0)


def seconds_until_free(found: Sequence[tuple[Job, Status]], lanes: int = 1) -> float | None:
    """About how long until one of so many lanes is through with these jobs, which run or wait, each lane taking the
    next one when it is free; None while too little is known. Each is of its own workspace: those of a demo's visitors
    wait for each other.
    """
    busy = [0.0] * lanes
    for job, now in found:
        part = seconds_left(Workspace.of_job(job.folder), job, now)
        if part is None:
            return None
        busy[busy.index(min(busy))] += part  # those that run come first, so each of them finds a lane of its own
    return min(busy)


def is_training(now: Status) -> bool:
    """Whether the student is trained at this moment, not prepared for."""
    return now.state == "running" and now.stage.startswith("Training")


def _whole_run(workspace: Workspace, job: Job) -> float | None:
    try:
        spec = run_spec_from(job.spec)
        known = speed.known_speed(workspace, spec.recipe, job.device)
        if known is not None:
            return speed.estimate_seconds(known, spec.train)
        classes = len(task_as_labeled(workspace, spec.task).classes)
        images_per_second, _ = speed_at(workspace, spec.recipe, spec.train.size, classes, job.device)
        return speed.seconds_at(images_per_second, spec.train.images)
    except WorkbenchError:
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
