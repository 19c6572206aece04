"""The trash of Start: removed tasks, which can be put back until it is emptied."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from app.views.start.draft import StartDraft
from engine import tasks
from engine.errors import WorkbenchError


def draw() -> None:
    """The removed tasks; nothing where there are none."""
    draft = StartDraft.current()
    if draft.trash_problem:
        st.error(escape(draft.trash_problem), icon=":material/error:")
        draft.trash_problem = None
    removed = tasks.removed_tasks(state.workspace())
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
        tasks.restore_task(state.workspace(), identifier)
    except WorkbenchError as error:
        StartDraft.current().trash_problem = str(error)


def _empty() -> None:
    try:
        tasks.empty_trash(state.workspace())
    except WorkbenchError as error:
        StartDraft.current().trash_problem = str(error)
