"""What a page remembers while its session lives: one typed draft a page, and the jobs that a page waits for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import streamlit as st

from app import queues
from engine import jobs
from engine.errors import WorkbenchError
from engine.files import canonical_hash
from engine.jobs import Job
from engine.tasks import Task


class Draft:
    """A page's own choices that are in no URL. A page's draft is a data class of this kind, all of whose fields have
    defaults; it stands in the `draft.py` of the page's folder, since Streamlit runs `page.py` anew each time.
    """

    @classmethod
    def current(cls) -> Self:
        """This session's draft, made when first asked for."""
        found = st.session_state.get(cls.key())
        if not isinstance(found, cls):  # the class itself is another one after its file was edited
            found = st.session_state[cls.key()] = cls()
        return found

    @classmethod
    def key(cls) -> str:
        """Under which key of the session it lies."""
        return f"draft {cls.__name__}"

    def put(self, field: str) -> Callable[[Any], None]:
        """What a widget calls to keep its value in a field: `state.bound("map tool", draft.tool, draft.put("tool"))`.

        Raises AttributeError if there is no such field.
        """
        getattr(self, field)
        return lambda value: setattr(self, field, value)


@dataclass
class JobSlot:
    """The job that a page waits for. The job lives on disk; the slot knows its folder."""

    folder: Path | None = None

    def ask(self, request: Callable[[], Job]) -> Job:
        """Ask for a job, remember it, and see that somebody runs it. Raises what the request raises."""
        job = request()
        self.folder = job.folder
        queues.queue(job.device)
        return job

    def job(self) -> Job | None:
        """The job, however far it is; None while none was asked for, and once its folder is gone."""
        try:
            return jobs.load(self.folder) if self.folder else None
        except WorkbenchError:
            return None

    def not_done(self) -> Job | None:
        """The job unless it is done: a page that asks then lacks what the job had made, as it was removed since."""
        job = self.job()
        return None if job is None or jobs.status(job).state == "done" else job

    def clear(self) -> None:
        """Wait for nothing any more."""
        self.folder = None


@dataclass(frozen=True)
class _SeenTask:
    """A task as this session saw it last. content: hash of all its images and ids; checksums: of the images alone."""

    key: str
    content: str
    images: int
    checksums: str


def task_key(task: Task) -> str:
    """What drafts remember a task by, if what they remember is about its images or its own classes: another task that
    has the name now has another key, while a task that has only grown keeps its own. Raises DamagedFileError.
    """
    seen: dict[str, _SeenTask] = st.session_state.setdefault("tasks seen", {})
    last, content = seen.get(task.name), task.images.content_hash
    if last is None or last.content != content:
        checksums = task.images.checksums
        grown = last is not None and canonical_hash(checksums[: last.images]) == last.checksums
        key = last.key if last is not None and grown else f"{task.name} {content}"
        last = seen[task.name] = _SeenTask(key, content, len(checksums), canonical_hash(checksums))
    return last.key
