"""Who still needs a task: what must end before the task may be removed, and removing it when it has."""

from __future__ import annotations

from dataclasses import dataclass

from engine import jobs, tasks
from engine.errors import InvalidInputError
from engine.jobs import Job
from engine.runs.spec import KIND
from engine.workspace import Workspace


@dataclass(frozen=True)
class TaskUsers:
    """Jobs of a task that have not ended, and how many of its runs are done."""

    unfinished: tuple[Job, ...]
    finished_runs: int


def users_of_task(workspace: Workspace, name: str) -> TaskUsers:
    """Jobs and runs that name the task. What they read of it is not there any more once it is removed."""
    named = [job for root in workspace.job_folders for job in jobs.list_jobs(root) if job.spec.get("task") == name]
    states = [jobs.status(job) for job in named]
    unfinished = tuple(job for job, now in zip(named, states, strict=True) if not now.terminal)
    done = sum(job.kind == KIND and now.state == "done" for job, now in zip(named, states, strict=True))
    return TaskUsers(unfinished, done)


def remove_task(workspace: Workspace, name: str) -> str:
    """Move an own task to the trash once nothing needs it; gives its id there.

    Raises InvalidInputError while a job of it has not ended, and as `engine.tasks.remove_task`.
    """
    if users := users_of_task(workspace, name).unfinished:
        raise InvalidInputError(
            f"{len(users)} job{'s' if len(users) > 1 else ''} of the task {name!r} ha{'ve' if len(users) > 1 else 's'} "
            f"not ended, such as {users[0].id}: wait, or cancel {'them' if len(users) > 1 else 'it'} first."
        )
    return tasks.remove_task(workspace, name)
