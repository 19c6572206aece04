"""What came with the program, marked as such, with the way to compute it here instead."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st


def badge() -> None:
    """The mark of whatever was not computed on this machine."""
    st.badge("Recorded", icon=":material/inventory_2:", color="violet")


def note(text: str, compute: Callable[[], object], key: str) -> None:
    """The mark with one sentence about what is recorded, and the button that computes it here. key: of the button."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        badge()
        st.caption(text, width="content")
        if st.button("Compute it here", type="tertiary", icon=":material/refresh:", key=key):
            compute()
            st.rerun()
