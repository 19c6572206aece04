"""The trash of Start: removed tasks and runs, which can be put back until it is emptied."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from app.views.start.draft import StartDraft
from engine import runs
from engine.errors import WorkbenchError
from engine.files import in_words


def draw() -> None:
    """The removed tasks and runs, and their size; nothing where there are none."""
    draft = StartDraft.current()
    if draft.trash_problem:
        st.error(escape(draft.trash_problem), icon=":material/error:")
        draft.trash_problem = None
    removed = runs.discards(state.workspace())
    if not removed:
        return
    counts = {kind: sum(one.kind == kind for one in removed) for kind in ("task", "run")}
    size = in_words(sum(one.size for one in removed))
    said = [wording.count(number, f"removed {kind}") for kind, number in counts.items() if number]
    title = f"Trash: {wording.listed(said)}, {size}"
    trash = st.expander(title, on_change="rerun", key="trash", icon=":material/delete:")
    if not trash.open:
        return
    with trash:
        for entry in removed:
            with st.container(horizontal=True, vertical_alignment="center"):
                what = f"**{escape(entry.title)}**, {entry.kind}, {in_words(entry.size)}"
                st.markdown(f"{what}, removed {wording.moment(entry.removed)}", width="content")
                st.space("stretch")
                st.button("Put back", key=f"restore {entry.id}", on_click=partial(_restore, entry.id))
        with st.popover("Empty the trash", icon=":material/delete_forever:"):
            st.markdown(
                f"That frees {size}. Images, labels and decisions of removed tasks are deleted, and results and "
                "students of removed runs. Your own files stay."
            )
            st.button("Delete all for good", key="empty trash", on_click=_empty)


def _restore(identifier: str) -> None:
    try:
        runs.restore(state.workspace(), identifier)
    except WorkbenchError as error:
        StartDraft.current().trash_problem = str(error)


def _empty() -> None:
    try:
        runs.delete(state.workspace(), runs.discards(state.workspace()))
    except WorkbenchError as error:
        StartDraft.current().trash_problem = str(error)
