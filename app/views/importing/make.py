"""Import: the name of the task, and the button that makes it."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from app import state
from app.components.escaping import escape
from app.views.importing import brought, jobs
from engine import tasks
from engine.errors import WorkbenchError
from engine.intake import ImportRequest


def draw(wanted: ImportRequest, *, possible: bool) -> None:
    """Name and button, and why it cannot be pressed."""
    title = tasks.clean_text(_title(wanted.title))
    problem = "" if title else "Give the task a name."
    if title:
        wanted = replace(wanted, title=title)
        try:
            tasks.check_task_name(wanted.task, tasks.task_names(state.workspace()))
        except WorkbenchError as error:
            problem = str(error)
        else:
            if wanted.task != title:
                st.caption(f"Folders and commands call it {escape(wanted.task)}.")
    if problem:
        st.warning(escape(problem), icon=":material/edit:")
    impossible = bool(problem) or not possible
    if st.button("Make this task", type="primary", icon=":material/arrow_forward:", disabled=impossible):
        try:
            jobs.ask(wanted)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
        brought.forget()
        st.rerun()


def _title(proposed: str) -> str:
    return st.text_input(
        "Name of the task",
        value=_free(proposed),
        max_chars=200,
        key=f"import title {proposed}",
        width=480,
        help="As you want to see it, in any script.",
    )


def _free(title: str) -> str:
    """The title, with a number behind it where a task has its name already and a small number helps."""
    taken = tasks.task_names(state.workspace())
    numbered = [title, *(f"{title} {number}" for number in range(2, 100))]
    return next((found for found in numbered if tasks.task_name(found) not in taken), title)
