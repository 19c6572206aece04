"""Results: the labels. Which may be wrong, whether more would help, what the student says where there is none."""

from __future__ import annotations

import streamlit as st

from app.views.results import more_labels, suspects, unlabeled
from app.views.results.sources import Shown
from engine.tasks import Task


def render(shown: Shown, task: Task) -> None:
    """The section."""
    st.subheader("Suspected wrong labels", anchor=False)
    suspects.draw(task)
    st.subheader("Would more labels help?", anchor=False)
    more_labels.draw(shown, task)
    st.subheader("Images without a label", anchor=False)
    unlabeled.draw(shown, task)
