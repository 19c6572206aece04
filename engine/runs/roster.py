"""All runs of a workspace, wherever they are, and one of them by the beginning of its name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import jobs
from engine.errors import InvalidInputError, UnknownNameError
from engine.jobs import Job, Status, processes, works_in
from engine.runs.engines import where
from engine.runs.estimates import seconds_left
from engine.runs.queue import cards_of, line, open_jobs
from engine.workspace import Workspace

NAMED = 1  # of the jobs that another waits for; the others are counted


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
    return [listed(workspace, job, jobs.status(job)) for job in jobs.list_jobs(workspace.runs)]


def listed(workspace: Workspace, job: Job, now: Status) -> ListedRun:
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
        seconds_left=seconds_left(workspace, job, now) if now.state == "running" else None,
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


@dataclass(frozen=True)
class WaitingJob:
    """A job of the queue. ahead: how many jobs come before it in its lane; waits_for: the first of them. begins_in,
    takes: about, in seconds; None while too little is known, and begins_in of a lane that is paused.
    """

    job: str
    kind: str
    state: str
    lane: str
    ahead: int
    waits_for: tuple[str, ...]
    begins_in: float | None
    takes: float | None


def waiting_jobs(workspace: Workspace) -> list[WaitingJob]:
    """All jobs that run or wait, with what each waits for; each lane is walked once."""
    found = open_jobs(workspace)
    takes = {job: seconds_left(workspace, job, now) for job, now in found}
    lines: dict[str, dict[Job, _Place]] = {}
    listed_jobs = []
    for job, now in found:
        if job.lane not in lines:
            lines[job.lane] = _places(workspace, job, takes)
        place = lines[job.lane].get(job, _NOWHERE) if now.state == "queued" else _NOWHERE
        begins_in = None if now.state == "queued" and jobs.is_held(workspace, job.lane) else place.begins_in
        words, lane = state_in_words(now), _whereabouts(job, now)
        listed_jobs.append(WaitingJob(job.id, job.kind, words, lane, place.ahead, place.first, begins_in, takes[job]))
    return listed_jobs


@dataclass(frozen=True)
class _Place:
    """A place in a line: how many jobs stand before it, the first of them, and in about how many seconds it begins."""

    ahead: int
    first: tuple[str, ...]
    begins_in: float | None


_NOWHERE = _Place(0, (), 0.0)


def _places(workspace: Workspace, job: Job, takes: Mapping[Job, float | None]) -> dict[Job, _Place]:
    """The places in the line of a job's lane; in a demo visitors' jobs stand there too."""
    busy: list[float] | None = [0.0] * cards_of(job)
    in_line = line(workspace, job)
    first = tuple(other.id for other, _ in in_line[:NAMED])
    found = {}
    for ahead, (other, now) in enumerate(in_line):
        found[other] = _Place(ahead, first[:ahead], min(busy) if busy else None)
        known = other in takes
        part = takes[other] if known else seconds_left(Workspace.of_job(other.folder), other, now)
        if part is None:
            busy = None  # from here on nobody knows
        elif busy:
            busy[busy.index(min(busy))] += part
    return found


def open_job_named(workspace: Workspace, text: str) -> Job:
    """The job that runs or waits and has this name, or alone begins so. Raises UnknownNameError, InvalidInputError."""
    known = {job.id: job for job, _ in open_jobs(workspace)}
    return known[_meant("job that runs or waits", text, list(known))]


def run_named(workspace: Workspace, text: str) -> Job:
    """The run of this name, or the only one whose name begins so.

    Raises UnknownNameError, InvalidInputError if several do, DamagedFileError if what was asked for cannot be read.
    """
    known = [folder.name for folder in jobs.job_folders(workspace.runs)]
    return jobs.load(workspace.runs / _meant("run", text, known))


def _meant(kind: str, text: str, known: list[str]) -> str:
    found = [text] if text in known else [name for name in known if text and name.startswith(text)]
    if not found:
        raise UnknownNameError(kind, text, known)
    if len(found) > 1:
        more = f" and {len(found) - 4} more" if len(found) > 4 else ""
        raise InvalidInputError(f"{text!r} begins {len(found)} names: {', '.join(found[:4])}{more}; write more of it.")
    return found[0]
