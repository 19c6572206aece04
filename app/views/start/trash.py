"""The trash of Start: removed tasks, which can be put back until it is emptied."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from engine import tasks
from engine.errors import WorkbenchError

PROBLEM = "start.trash problem"


def draw() -> None:
    """The removed tasks; nothing where there are none."""
    if problem := state.note(PROBLEM):
        st.error(escape(problem), icon=":material/error:")
        state.set_note(PROBLEM, None)
    removed = tasks.removed_tasks(state.home())
    if not removed:
        return
    title = f"Trash: {wording.count(len(removed), 'removed task')}"
    trash = st.expander(title, on_change="rerun", key="trash", icon=":material/delete:")
    if not trash.open:
        return
    with trash:
        for entry in removed:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{escape(entry.title)}**, removed {wording.moment(entry.removed)}", width="content")
                st.space("stretch")
                st.button("Put back", key=f"restore {entry.id}", on_click=partial(_restore, entry.id))
        with st.popover("Empty the trash", icon=":material/delete_forever:"):
            st.markdown("Their images, labels and decisions are deleted. Your files, runs and students stay.")
            st.button("Delete all for good", type="primary", key="empty trash", on_click=_empty)


def _restore(identifier: str) -> None:
    try:
        tasks.restore_task(state.home(), identifier)
    except WorkbenchError as error:
        state.set_note(PROBLEM, str(error))


def _empty() -> None:
    try:
        tasks.empty_trash(state.home())
    except WorkbenchError as error:
        state.set_note(PROBLEM, str(error))
