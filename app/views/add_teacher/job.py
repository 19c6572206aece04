"""The job that adds a teacher, as its part of the page shows it: progress, cancel, what was wrong."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.components import page, waiting
from app.components.escaping import escape
from app.views.add_teacher.draft import AddTeacherDraft
from engine import jobs
from engine.jobs import Job
from engine.teachers import key_difference


def start(way: str, ask: Callable[[], Job]) -> None:
    """Queue the job of one way to add a teacher; a refusal is shown as a sentence."""
    with page.errors_as_sentences():
        AddTeacherDraft.current().slots[way].ask(ask)


def show(way: str, ask: Callable[[], Job] | None) -> None:
    """The job that this session started last on this way, if any. `ask` starts it anew."""
    slot = AddTeacherDraft.current().slots[way]
    job = slot.job()
    if job is None:
        return
    now = jobs.status(job)
    if now.state == "done":
        with st.container(border=True):
            st.markdown(":material/check_circle: Added. It is now ranked beside the others.")
            page.link("teachers", "See it on the Teachers page", ":material/school:")
        slot.clear()  # said once
        return
    if now.state in ("failed", "cancelled") and ask is None:
        with st.container(border=True):
            st.markdown(f":material/error: Not added: {escape(now.message or 'it was stopped')}")
    else:
        waiting.wait_for(job, "Adding the teacher", lambda: slot.ask(ask or (lambda: job)))
    if now.state == "failed" and (found := key_difference(job)):
        st.dataframe(
            found.rows(),
            hide_index=True,
            column_config={
                "tensor": "Tensor",
                "problem": "Problem",
                "file": "Shape in the file",
                "architecture": "Shape in the architecture",
            },
            alt="Tensors of the file that do not fit the architecture",
        )
