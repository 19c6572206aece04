"""Add a teacher: a pretrained network, a checkpoint, or a table of what a network says; and those added before."""

from __future__ import annotations

import streamlit as st

from app import state
from app.components import page
from app.views.add_teacher import added, files, hub
from app.views.add_teacher.draft import AddTeacherDraft
from app.visitor_cookie import is_demo

WAYS = {
    "recommended": ("Recommended", hub.recommended_teachers),
    "search": ("Search timm", hub.search_timm),
    "checkpoint": ("Your checkpoint", files.checkpoint),
    "outputs": ("Features only", files.outputs),
    "added": ("Added so far", added.added),
}


def render() -> None:
    """The page."""
    page.header(
        "Add a teacher",
        "Any network may teach: one that others trained, one of yours, or one that may not leave its house and only "
        "says what it sees. What you add is ranked beside the others on the Teachers page.",
    )
    if is_demo():
        page.missing(
            "Adding a teacher is closed in this demo: its files would be read, or downloaded, on a server that all "
            "visitors share. In a workbench of your own you add networks of timm, checkpoints and tables of features.",
            "teachers",
            "See the teachers that are here",
        )
        return
    draft = AddTeacherDraft.current()
    way = st.segmented_control(
        "Way",
        list(WAYS),
        format_func=lambda key: WAYS[key][0],
        label_visibility="collapsed",
        required=True,
        **state.bound("add way", draft.way, draft.put("way")),
    )
    WAYS[way or "recommended"][1]()
    page.link("teachers", "Back to the ranking of all teachers", ":material/school:")


if __name__ == "__main__":
    render()
