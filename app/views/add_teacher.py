"""Add a teacher: a pretrained network, a checkpoint, or a table of what a network says; and those added before."""

from __future__ import annotations

import streamlit as st

from app import state
from app.components import page
from app.views import add_teacher_added, add_teacher_files, add_teacher_hub

WAYS = {
    "recommended": ("Recommended", add_teacher_hub.recommended_teachers),
    "search": ("Search timm", add_teacher_hub.search_timm),
    "checkpoint": ("Your checkpoint", add_teacher_files.checkpoint),
    "outputs": ("Features only", add_teacher_files.outputs),
    "added": ("Added so far", add_teacher_added.added),
}


def render() -> None:
    """The page."""
    page.header(
        "Add a teacher",
        "Any network may teach: one that others trained, one of yours, or one that may not leave its house and only "
        "tells what it sees. What you add is ranked beside the others on the Teachers page.",
    )
    way = st.segmented_control(
        "Way",
        list(WAYS),
        format_func=lambda key: WAYS[key][0],
        label_visibility="collapsed",
        required=True,
        **state.bound("add way", state.note("add.way", "recommended"), lambda key: state.set_note("add.way", key)),
    )
    WAYS[way or "recommended"][1]()
    page.link("teachers", "Back to the ranking of all teachers", ":material/school:")


if __name__ == "__main__":
    render()
