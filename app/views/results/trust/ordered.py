"""Trust: classes that have an order, such as grades, where an error of one step is less than one of three."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components import exhibits, tables
from app.components.escaping import escape
from app.views.results.students import Chosen
from app.views.results.trust.draft import TrustDraft
from engine.delivery import Calibration, HeldOut
from engine.evaluation import accuracy, least_cost_classes, mean_cost, ordered_costs

MOST = 20  # classes that somebody would have put in an order
FORMS = {"Steps off, mean": ".2f", "Right, %": tables.PERCENT, "Right or one step off, %": tables.PERCENT}


def draw(found: Calibration, chosen: Chosen) -> None:
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
    exhibits.draw_table(
        step_table(held),
        FORMS,
        name=f"classes with an order {chosen.task.name} {chosen.title}",
        alt="How many steps the likeliest class and the middle one are off",
        key="trust ordered table",
    )
    st.caption(
        f"In the order in which the task has them: {escape(', '.join(held.classes))}. The middle one is the class with "
        "as much probability below it as above it; it is off by the fewest steps if the probabilities are true."
    )


def step_table(held: HeldOut) -> pd.DataFrame:
    """How far the likeliest class and the middle one are off, in steps of the order of the classes."""
    costs = ordered_costs(len(held.classes))
    named = {"the likeliest": held.predicted, "the middle one": least_cost_classes(held.calibrated, costs)}
    rows = [
        {
            "Class that is named": title,
            "Steps off, mean": mean_cost(decided, held.labels, costs),
            "Right, %": 100 * accuracy(decided, held.labels),
            "Right or one step off, %": 100 * float((np.abs(decided - held.labels) <= 1).mean()),
        }
        for title, decided in named.items()
    ]
    return pd.DataFrame(rows)
