"""Results: the student that goes to work, of one of the compared methods."""

from __future__ import annotations

import streamlit as st

from app.components import finishing
from app.views.results.sources import Shown
from engine.tasks import Task


def render(shown: Shown, task: Task, favorite: str) -> None:
    """The part. favorite: the method that is offered first."""
    st.subheader("Finish the student", anchor=False)
    finishing.draw(task, [mean.method for mean in shown.means], shown.id, favorite)
