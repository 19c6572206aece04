"""Features: the task's images as teachers see them, on maps; picked points show their images."""

from __future__ import annotations

import streamlit as st

from app import state
from app.components import page
from app.drafts import task_key
from app.views.features import live, overview, student
from app.views.features.draft import FeaturesDraft
from app.views.features.placed import placed_teachers

VIEWS = {"all": "All teachers", "one": "One or two", "student": "Student"}


def render() -> None:
    """The page."""
    task = page.required_task()
    page.header(
        "Features",
        "Each point is an image of the task, placed by a teacher's features: near points look alike to the teacher. "
        "A teacher that fits keeps the classes apart. What UMAP does not say: how far two groups lie from each other, "
        "and how large or dense a group is, mean nothing.",
    )
    placed = placed_teachers(task)
    if not placed:
        page.missing("No teacher may teach this task.", "start", "Choose another task")
        return
    view = _choose_view()
    if view == "all":
        overview.draw(task, placed)
    elif view == "student":
        student.draw(task, task_key(task))
    else:
        live.draw(task, placed, task_key(task))
    page.link("distill", "Next: distill a student")


def _choose_view() -> str:
    draft = FeaturesDraft.current()
    before = draft.view or ("one" if state.teacher() else "all")
    return str(
        st.segmented_control(
            "Maps",
            list(VIEWS),
            format_func=VIEWS.__getitem__,
            required=True,
            label_visibility="collapsed",
            **state.bound("map view", before, draft.put("view")),
        )
    )


if __name__ == "__main__":
    render()
