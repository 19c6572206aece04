"""What waited when the server was ended goes on when it starts again, whether or not somebody opens a page."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from app.visitor_cookie import is_demo
from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.workspace import Workspace


@asynccontextmanager
async def resumption(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """The life of the server, which begins with what is left over, in a thread beside it."""
    threading.Thread(target=begin, args=[Workspace.from_environment()], name="resumption", daemon=True).start()
    yield {}


def begin(workspace: Workspace) -> None:
    """What a server does before anybody comes: of a demo, clear away what nobody visits; then go on with what waits."""
    if is_demo():
        from app import visitors  # loads all of the engine

        visitors.keep_house(workspace)
    take_up(workspace)


def take_up(workspace: Workspace) -> None:
    """See to it that each job of a workspace that has not ended is done."""
    with suppress(WorkbenchError):  # a workspace that refuses says so on each page
        if waiting := unfinished(workspace):
            from app import queues  # loads all of the engine, which takes seconds: only where there is something to do

            for job in waiting:
                queues.queue_of(job)


def unfinished(workspace: Workspace) -> list[Job]:
    """The jobs of a workspace, and of all visitors of a demo, that are queued, or were begun and have not ended."""
    every = [job for root in workspace.queued_folders for job in jobs.list_jobs(root)]
    return [job for job in every if not jobs.status(job).terminal]
