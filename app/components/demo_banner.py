"""What every page of a demo says first: whose is what, for how long, and what was done to the visitor's jobs."""

from __future__ import annotations

import streamlit as st

from app import state, visitors
from app.components import tour
from app.components.escaping import escape
from app.visitor_cookie import is_demo
from engine import scratches
from engine.settings import demo_settings


def draw() -> None:
    """The banner; nothing outside of a demo."""
    if not is_demo():
        return
    scratch = state.workspace()
    lasts = f"{demo_settings(scratch).minutes:g} minutes"
    st.info(
        "**This is a demo.** All visitors see the same examples. What you bring and make here is yours alone: nobody "
        f"else sees it, and it is cleared away {lasts} after your last visit. Bring nothing confidential.",
        icon=":material/groups:",
    )
    if not visitors.is_known_again():
        st.caption("Your browser keeps no cookie of this page, so a reload begins anew.")
    if visitors.was_cleared():
        st.warning(f"What you made was cleared away, since {lasts} passed without a visit.", icon=":material/timer:")
    if said := scratches.notice(scratch):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.warning(escape(said), icon=":material/block:")
            st.button("Understood", on_click=scratches.forget_notice, args=(scratch,), key="demo notice")
    tour.draw()
