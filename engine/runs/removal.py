"""Removing a teacher that a user added, unless a run needs it."""

from __future__ import annotations

from engine.errors import InvalidInputError
from engine.jobs import list_jobs, status
from engine.teachers import catalogue
from engine.workspace import Workspace


def runs_that_name(workspace: Workspace, teacher: str) -> list[str]:
    """Names of the runs whose spec names a teacher, whether or not they have ended, sorted."""
    named = [job.id for job in list_jobs(workspace.runs) if teacher in (job.spec.get("teachers") or {})]
    return sorted(named)


def remove_teacher(workspace: Workspace, name: str) -> None:
    """Remove an added teacher for good, with its weights and what it said of images.

    Raises InvalidInputError if it comes with the program, or if runs name it: without it nobody could make them again,
    and those that wait or stopped could not go on. Raises UnknownNameError, StorageError.
    """
    if runs := runs_that_name(workspace, name):
        open_runs = [job.id for job in list_jobs(workspace.runs) if job.id in runs and not status(job).terminal]
        waiting = f", {len(open_runs)} of them not ended yet" if open_runs else ""
        raise InvalidInputError(
            f"The teacher {name!r} takes part in {len(runs)} run{'s' if len(runs) > 1 else ''}{waiting}, such as "
            f"{runs[0]}, and stays with {'them' if len(runs) > 1 else 'it'}: delete "
            f"{'each' if len(runs) > 1 else 'that run'} with `python -m engine runs delete` first."
        )
    catalogue.remove_teacher(workspace, name)
