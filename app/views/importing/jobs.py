"""Import: the imports that are under way, and those that ended while this session was open."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from app import queues, state
from app.components import page, waiting
from app.components.escaping import escape
from app.views.importing import brought
from app.views.importing.draft import ImportDraft
from engine import intake, jobs, tasks
from engine.errors import WorkbenchError
from engine.intake import IMPORT_KIND, ImportRequest
from engine.jobs import Job


def watch() -> bool:
    """Show imports under way, or that ended while this session was open; whether one of them is this session's own."""
    watched = ImportDraft.current().watched
    for job in jobs.list_jobs(state.workspace().jobs):
        if job.kind == IMPORT_KIND and not jobs.status(job).terminal and job.folder not in watched:
            watched.append(job.folder)
    mine = False
    for folder in tuple(watched):
        try:
            job = jobs.load(folder)
        except WorkbenchError:
            _forget(folder)
            continue
        mine = _draw_import(job) or mine
    return mine


def _draw_import(job: Job) -> bool:
    """One import; whether it is the one that this session waits for."""
    wanted, asked = intake.request_from(job.spec), ImportDraft.current().asked
    mine = job.folder == asked.folder
    ended = jobs.status(job).state
    if ended == "done":
        if mine or wanted.task not in tasks.task_names(state.workspace()):  # it may have been removed meanwhile
            _forget(job.folder)
        if mine:
            asked.clear()
            _open(wanted.task)
        elif wanted.task in tasks.task_names(state.workspace()):
            _draw_imported(job, wanted)
        return False
    st.subheader(escape(wanted.title), anchor=False)
    waiting.wait_for(job, f"Import of {escape(brought.source_words(wanted))}", lambda: _again(wanted))
    if ended in ("failed", "cancelled"):
        if st.button("Bring something else", key=f"forget {job.id}", icon=":material/arrow_back:"):
            _forget(job.folder)
            st.rerun()
    else:
        st.caption("This goes on when the page is closed; its address leads back to it.")
    return mine


def _draw_imported(job: Job, wanted: ImportRequest) -> None:
    """An import that ended; it is shown until its task was opened."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/check: **{escape(wanted.title)}** is imported.", width="content")
        if st.button("Open this task", key=f"open {job.id}"):
            _forget(job.folder)
            _open(wanted.task)


def _open(name: str) -> None:
    state.set_task(name)
    labeled = state.open_task(name).available_labels().any()
    state.set_part("check" if labeled else "label")
    page.go("task")


def _forget(folder: Path) -> None:
    draft = ImportDraft.current()
    draft.watched = [other for other in draft.watched if other != folder]


def _again(wanted: ImportRequest) -> Job:
    job = intake.request_import(state.workspace(), wanted)
    queues.queue(job.device)
    return job


def ask(wanted: ImportRequest) -> None:
    """Queue an import that this session waits for. Raises WorkbenchError."""
    draft = ImportDraft.current()
    job = draft.asked.ask(lambda: intake.request_import(state.workspace(), wanted))
    draft.watched.append(job.folder)
