"""Results, Take away: the student that goes to work, of one of the compared methods."""

from __future__ import annotations

import streamlit as st

from app.components import finishing
from app.views.results import students
from app.views.results.sources import Shown
from engine.tasks import Task


def render(shown: Shown, task: Task) -> None:
    """The part."""
    st.subheader("Finish the student", anchor=False)
    finishing.draw(task, students.methods(shown), shown.id)
