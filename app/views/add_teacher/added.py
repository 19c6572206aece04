"""The teachers that were added so far, each with what is known of it, and a way to remove it."""

from __future__ import annotations

import streamlit as st

from app import state
from app.components import origin, wording
from app.components.escaping import escape
from app.views.add_teacher.draft import AddTeacherDraft
from engine.errors import WorkbenchError
from engine.runs import remove_teacher
from engine.teachers import TeacherRecord, added_teachers, damaged_teachers, numbers_text


def added() -> None:
    """All of them."""
    draft = AddTeacherDraft.current()
    if draft.problem:
        st.error(escape(draft.problem), icon=":material/error:")
        draft.problem = None
    records, damaged = added_teachers(state.workspace()), damaged_teachers(state.workspace())
    if not records and not damaged:
        st.info("No teacher was added yet: choose one of the ways above.", icon=":material/info:")
    for name, sentence in damaged.items():
        with st.container(border=True):
            st.markdown(f":material/error: **{escape(name)}** cannot be used: {escape(sentence)}")
            _remove_button(name, name)
    for first in range(0, len(records), 2):
        for column, record in zip(st.columns(2), records[first : first + 2], strict=False):
            with column.container(border=True, height="stretch"):
                _record(record)


def _record(record: TeacherRecord) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{escape(record.title)}**", width="content")
        origin.badge(record)
        if not record.has_pseudo_labels:
            st.badge("No pseudo-labels", icon=":material/label_off:", color="orange")
    seen = ", ".join((record.collection, *record.further_collections))
    network = (
        f"{record.architecture} at {record.input_size} px, {wording.parameters(record.parameters)}, "
        f"{wording.gflops(record.gflops)}"
        if record.has_network
        else f"its network is not here; it speaks of task {record.weights.task} alone"
    )
    classes = f"{len(record.classes):,}" if record.classes else f"none: it is heard in {origin.by_features()} alone"
    facts = {
        "Name": record.name,
        "Classes": classes,
        "Learned from": seen,
        "Network": network,
        **_preparation(record),
        "License": record.license,
        "From": record.source,
        "Added": wording.moment(record.added),
    }
    if not record.has_network:
        facts["Note"] = record.accuracy_note
    st.markdown("  \n".join(f":gray[{name}:] {escape(value)}" for name, value in facts.items()))
    st.space("stretch")
    _remove_button(record.name, record.title)


def _preparation(record: TeacherRecord) -> dict[str, str]:
    """How the network gets its images and pools them, and what was decided when it was added."""
    if not record.has_network:
        return {}
    facts = {"Normalization": f"mean {numbers_text(record.mean)}, standard deviation {numbers_text(record.std)}"}
    if record.pooling:
        facts["Pooling"] = record.pooling
    if record.notes:
        facts["When added"] = " ".join(record.notes)
    return facts


def _remove_button(name: str, title: str) -> None:
    with st.popover("Remove", icon=":material/delete:", key=f"remove {name}"):
        st.markdown(f"Remove **{escape(title)}** with its files? What it said of images goes too.")
        st.button("Remove it for good", key=f"really remove {name}", on_click=_remove, args=(name,))


def _remove(name: str) -> None:
    try:
        remove_teacher(state.workspace(), name)
    except WorkbenchError as error:
        AddTeacherDraft.current().problem = str(error)
