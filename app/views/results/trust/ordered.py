"""Trust: classes that have an order, such as grades, where an error of one step is less than one of three."""

from __future__ import annotations

import numpy as np
import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from app.views.results.trust.draft import TrustDraft
from engine.delivery import Calibration
from engine.evaluation import accuracy, least_cost_classes, mean_cost, ordered_costs

MOST = 20  # classes that somebody would have put in an order


def draw(found: Calibration) -> None:
    """The question whether the classes have an order, and if so, how many steps errors are."""
    held = found.held_out
    if len(held.classes) > MOST:
        return
    draft = TrustDraft.current()
    st.subheader("Classes with an order", anchor=False)
    if not st.toggle(
        "These classes are grades or stages", **state.bound("trust ordered", draft.ordered, draft.put("ordered"))
    ):
        st.caption(
            "For grades or stages an error of one step is less than one of three, and the class to name is then "
            "another one: the middle of the probabilities, not the largest."
        )
        return
    costs = ordered_costs(len(held.classes))
    middle = least_cost_classes(held.calibrated, costs)
    with st.container(horizontal=True):
        for title, decided in (("The likeliest class", held.predicted), ("The middle one", middle)):
            steps, off = mean_cost(decided, held.labels, costs), np.abs(decided - held.labels)
            st.metric(f"{title}: steps off on average", f"{steps:.2f}", border=True)
            st.metric(
                f"{title}: right, or one step off",
                f"{wording.percent(accuracy(decided, held.labels))}, {wording.percent(float((off <= 1).mean()))}",
                border=True,
            )
    st.caption(
        f"In the order in which the task has them: {escape(', '.join(held.classes))}. The middle one is the class with "
        "as much probability below it as above it; it is off by the fewest steps if the probabilities are true."
    )
