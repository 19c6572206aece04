"""The section from above: the student, what all figures rest on, and one part after the other."""

from __future__ import annotations

import streamlit as st

from app import cached
from app.components.escaping import escape
from app.views.results import students
from app.views.results.sources import Shown
from app.views.results.trust import ordered, prediction_sets, reliability, two_classes, unsure
from engine.delivery import Calibration, basis_sentence
from engine.tasks import Task


def render(shown: Shown, task: Task) -> None:
    """The section."""
    chosen = students.choose(shown, task)
    if chosen is None:
        return
    if not (chosen.predictions.labels >= 0).any():
        st.info(
            "There is no held-out image whose class is known, so nothing is known of how far this student can be "
            "trusted: label some test images, and start a new comparison.",
            icon=":material/info:",
        )
        return
    found = cached.calibration(task, chosen.predictions)
    _draw_basis(found)
    reliability.draw(found, chosen)
    unsure.draw(found, chosen)
    if found.reason is None:
        prediction_sets.draw(found, chosen)
    if len(found.held_out.classes) == 2:
        two_classes.draw(found, chosen)
    elif len(found.held_out.classes) > 2:
        ordered.draw(found, chosen)


def _draw_basis(found: Calibration) -> None:
    if found.reason is not None:
        st.info(escape(basis_sentence(found)), icon=":material/info:")
    else:
        st.caption(basis_sentence(found))
