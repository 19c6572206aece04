"""The card of a metric: what it computes, what it sees, and when not to believe it."""

from __future__ import annotations

import streamlit as st

from app.components.escaping import escape
from engine.similarity import METRICS


def button(key: str) -> None:
    """A button that opens the card of the metric `key`."""
    with st.popover(f"About {METRICS[key].title}", icon=":material/info:", key=f"card {key}"):
        draw(key)


def draw(key: str) -> None:
    """The card itself."""
    metric = METRICS[key]
    card = metric.card
    st.markdown(f"**{metric.title}** · {escape(metric.summary)}")
    st.latex(card.formula)
    needed = metric.labels_per_class
    facts = {
        "In the formula": card.symbols,
        "What it sees": card.sees,
        "Range": f"{metric.range}. Unit: {metric.unit}.",
        "When it misleads": card.misleads,
        "Needs": f"{needed} labels of a class or more" if needed > 1 else "one label" if needed else "no labels",
        "Cost grows as": metric.cost,
        "Reference": card.reference,
    }
    st.markdown("  \n".join(f":gray[{name}:] {escape(text)}" for name, text in facts.items()))
