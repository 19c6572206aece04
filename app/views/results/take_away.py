"""Results, Take away: the student as files for elsewhere."""

from __future__ import annotations

import streamlit as st

from app import state
from app.views.results import finish, students
from app.views.results.sources import Shown
from engine.delivery import student_archive
from engine.tasks import Task


def render(shown: Shown, task: Task) -> None:
    """The section."""
    _as_files(shown)
    finish.render(shown, task)


def _as_files(shown: Shown) -> None:
    if shown.recorded:
        st.info(
            "The students of a recorded comparison do not come with the program: start your own on Distill.",
            icon=":material/info:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = students.select(shown, students.of_all_seeds(shown)).run
        st.download_button(
            "Download (ZIP)",
            lambda: student_archive(state.workspace().runs / run),
            f"{run}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
        )
    st.caption(
        "Holds the weights (safetensors), the classes and the preprocessing, the result, and how to load it with timm. "
        "No teacher is needed any more."
    )
