"""Import: in which encoding a table, or the names of files, are read, where that is not UTF-8."""

from __future__ import annotations

import streamlit as st

from app import state
from app.views.importing import brought
from engine.intake import ENCODINGS, ImportRequest, Preview, encoding_title

_TITLES = {"encoding": "Encoding of the table", "names-encoding": "Encoding of the file names"}


def draw(source: ImportRequest, found: Preview) -> None:
    """What was taken; a choice is in force at once. Nothing where all text is UTF-8."""
    if not found.encodings:
        return
    with st.container(horizontal=True):
        for key, name in found.encodings.items():
            st.selectbox(
                _TITLES[key],
                list(ENCODINGS),
                format_func=encoding_title,
                width=320,
                help="The text is not in UTF-8. If words look wrong below, choose another encoding.",
                **state.bound(f"import {key}", name, brought.answer(source, key)),
            )
