"""Who still needs a task: what must end before the task may be removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine import jobs
from engine.jobs import Job
from engine.runs.execution import KIND
from engine.runs.queue import roots


@dataclass(frozen=True)
class TaskUsers:
    """Jobs of a task that have not ended, and how many of its runs are done."""

    unfinished: tuple[Job, ...]
    finished_runs: int


def users_of_task(home: Path, name: str) -> TaskUsers:
    """Jobs and runs that name the task. What they read of it is not there any more once it is removed."""
    named = [job for root in roots(home) for job in jobs.list_jobs(root) if job.spec.get("task") == name]
    states = [jobs.status(job) for job in named]
    unfinished = tuple(job for job, now in zip(named, states, strict=True) if not now.terminal)
    done = sum(job.kind == KIND and now.state == "done" for job, now in zip(named, states, strict=True))
    return TaskUsers(unfinished, done)
