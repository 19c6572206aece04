"""All runs of a workspace, wherever they are, and one of them by the beginning of its name."""

from __future__ import annotations

from dataclasses import dataclass

from engine import jobs
from engine.errors import InvalidInputError, UnknownNameError
from engine.jobs import Job, Status, processes, works_in
from engine.runs.engines import where
from engine.workspace import Workspace


@dataclass(frozen=True)
class ListedRun:
    """A run as a list shows it. progress: of the present stage, 0 to 1; None while unknown. where: what it waits for or
    runs on.
    """

    run: str
    task: str
    method: str
    seed: int | None
    state: str
    progress: float | None
    stage: str
    where: str
    seconds_left: float | None


def listed_runs(workspace: Workspace) -> list[ListedRun]:
    """The runs of a workspace, the newest first; those whose folder is damaged are left out."""
    return [listed(job, jobs.status(job)) for job in jobs.list_jobs(workspace.runs)]


def listed(job: Job, now: Status) -> ListedRun:
    """One run as it is now."""
    seed = job.spec.get("seed")
    share = 1.0 if now.state == "done" else min(1.0, now.done / now.total) if now.total else None
    return ListedRun(
        run=job.id,
        task=str(job.spec.get("task", "")),
        method=str(job.spec.get("method", "")),
        seed=seed if isinstance(seed, int) else None,
        state=state_in_words(now),
        progress=share,
        stage=now.stage,
        where=_whereabouts(job, now),
        seconds_left=now.seconds_left,
    )


def state_in_words(now: Status) -> str:
    """The state as a list shows it: of a job that runs also that it is stuck, stopping, or waits for disk space."""
    if now.state != "running":
        return now.state
    return "stuck" if now.stuck else "stopping" if now.cancel_requested else "paused" if now.paused else "running"


def _whereabouts(job: Job, now: Status) -> str:
    """Where a job runs, or in whose queue it waits, such as "cpu", "cuda:1 of node7" or "SLURM job 41_3 of node7"."""
    lane = where(job) or (works_in(job, now) if now.state == "running" else job.lane)
    return lane if now.host in (None, processes.host()) else f"{lane} of {now.host}"


def run_named(workspace: Workspace, text: str) -> Job:
    """The run of this name, or the only one whose name begins so.

    Raises UnknownNameError, InvalidInputError if several do, DamagedFileError if what was asked for cannot be read.
    """
    known = [folder.name for folder in jobs.job_folders(workspace.runs)]
    found = [text] if text in known else [name for name in known if text and name.startswith(text)]
    if not found:
        raise UnknownNameError("run", text, known)
    if len(found) > 1:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise InvalidInputError(
            f"{len(found)} runs begin with {text!r}: {', '.join(found[:4])}{more}; write more of it."
        )
    return jobs.load(workspace.runs / found[0])
