"""One job that a page waits for, such as an extraction or a map: live until it has ended, with cancel and a new try."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import queues, state
from app.components import page, queued
from app.components.escaping import escape
from app.components.progress import progress_text
from engine import jobs, runs
from engine.errors import WorkbenchError
from engine.jobs import Job, Status

POLL_SECONDS = 0.7  # between two refreshes while something can still change


def wait_for(job: Job, what: str, again: Callable[[], Job], half_way: Callable[[], object] = lambda: None) -> None:
    """Show how far `job` is; when it ends the whole page is drawn once more. `what` says what it does, as a phrase.

    `again` asks for the job anew, for the button that a failed or cancelled one gets. The page is also drawn once more
    whenever `half_way` gives something else than before: the page has then more to show already.
    """
    settled, before = jobs.status(job).terminal, half_way()

    @st.fragment(run_every=None if settled else POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        now = jobs.status(job)
        _draw(job, now, what, again)
        if not settled and (now.terminal or half_way() != before):
            st.rerun()

    refresh()


def _draw(job: Job, now: Status, what: str, again: Callable[[], Job]) -> None:
    with st.container(border=True, key=f"waiting {job.id}"):
        if now.state in ("failed", "cancelled"):
            st.markdown(f":material/error: {what}: {escape(now.message or 'it was stopped')}")
            if st.button("Try again", icon=":material/restart_alt:", key=f"again {job.id}"):
                again()
                st.rerun()
            return
        if now.state == "done":
            st.markdown(f":material/check: {what}: done.")
            return
        if now.stuck:
            st.markdown(f":material/warning: {what}: no sign of life for more than a minute, though its process lives.")
            if st.button("End it", icon=":material/dangerous:", key=f"end {job.id}"):
                _try(jobs.end_now, job)
            return
        share = min(1.0, now.done / now.total) if now.total else 0.0
        st.progress(share, text=f"{what} · {_where(job, now)}")
        if st.button("Cancel", icon=":material/close:", key=f"cancel {job.id}", disabled=now.cancel_requested):
            _try(jobs.request_cancel, job)


def _try(act: Callable[[Job], object], job: Job) -> None:
    try:
        act(job)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")


def _where(job: Job, now: Status) -> str:
    if now.cancel_requested:
        return "stopping"
    if now.state == "running":
        return progress_text(now)
    queues.queue(job.device)  # somebody must drain it
    return queued.waits_for(job, runs.line(state.workspace(), job))
