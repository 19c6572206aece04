"""Results: the labels. Which of them are suspected to be wrong, and whether more of them would help."""

from __future__ import annotations

import streamlit as st

from app.views.results import more_labels, suspects
from app.views.results.sources import Shown
from engine.tasks import Task


def render(shown: Shown, task: Task) -> None:
    """The section."""
    st.subheader("Suspected wrong labels", anchor=False)
    suspects.draw(task)
    st.subheader("Would more labels help?", anchor=False)
    more_labels.draw(shown, task)
