"""What the collections that a teacher learned from close to it, said while they are typed."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from engine.runs import closed_tasks, known_collections

SHOWN = 20  # names that are known; what is closed is named in full


def say(collections: Sequence[str]) -> None:
    """The tasks here that `collections` close to a teacher; and what is known here, where they close none."""
    closed = [escape(name) for name in closed_tasks(state.workspace(), collections)]
    if closed:
        st.caption(f":material/lock: Closed to it: {wording.listed(closed)}.")
        return
    known = [escape(name) for name in known_collections(state.workspace())]
    more = [f"{len(known) - SHOWN:,} more"] if len(known) > SHOWN else []
    names = wording.listed([*known[:SHOWN], *more])
    st.caption(f"{'No task here is closed to it. ' if collections else ''}Collections that are known here: {names}.")
