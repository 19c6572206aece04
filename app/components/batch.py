"""Several queued runs that a page waits for: how many have ended, how far the running one is, a button to cancel, and
why some failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app import queues
from app.components import page
from app.components.escaping import escape
from app.components.progress import progress_text
from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.runs import Entry

POLL_SECONDS = 1.5


def watch(batch: Sequence[Job]) -> None:
    """How far the runs are; whenever one ends the whole page is drawn once more."""
    states = [jobs.status(job) for job in batch]
    before = sum(status.terminal for status in states)
    for device in {job.device for job, status in zip(batch, states, strict=True) if not status.terminal}:
        queues.queue(device)  # somebody must drain it

    @st.fragment(run_every=POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        now = [(job, jobs.status(job)) for job in batch]
        ended = sum(status.terminal for _, status in now)
        running = next((status for _, status in now if status.state == "running"), None)
        detail = f" · {progress_text(running)}" if running else ""
        with st.container(border=True):
            st.progress(ended / len(now), text=f"{ended} of {len(now)} runs have ended{detail}")
            if st.button("Cancel the rest", icon=":material/close:", key=f"cancel the rest of {batch[0].id}"):
                for job, status in now:
                    if not status.terminal:
                        _cancel(job)
        if ended != before:
            st.rerun()

    refresh()


def say_problems(entries: Sequence[Entry], name: Callable[[Entry], str]) -> None:
    """Why runs have no result: those that failed, by their reason, and those whose result cannot be read.

    name: what a run is called here, as plain text.
    """
    failed: dict[str, list[str]] = {}
    for entry in entries:
        if entry.problem:
            st.error(escape(entry.problem), icon=":material/error:")
        elif entry.status.state == "failed":
            failed.setdefault(entry.status.message or "No reason was kept.", []).append(
                f"{name(entry)}, seed {entry.spec.seed}"
            )
    for reason, names in failed.items():
        st.error(f"Failed: {escape('; '.join(names))}. {escape(reason)}", icon=":material/error:")


def _cancel(job: Job) -> None:
    try:
        jobs.request_cancel(job)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
