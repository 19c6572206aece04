"""Import: whether images of a folder of the server are read where they lie, or copied into the workspace."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.views.importing import brought
from engine.intake import UPLOAD, ImportRequest, Preview

PLACES = {
    "in-place": (
        "Read them where they lie",
        "Takes no space. The files must stay as they are: one that is changed, moved or deleted later is noticed, and "
        "whatever needs it stops with a sentence that names it.",
    ),
    "copy": (
        "Copy them into the workspace",
        "Takes as much space again. The task is then whole, whatever becomes of the folder.",
    ),
}


def draw(source: ImportRequest, found: Preview) -> bool | None:
    """The choice, where there is one: True for in place, False for copies, None where the source leaves none."""
    if source.source.startswith(UPLOAD):
        return None  # what was dropped is in the workspace already
    if not found.in_place:
        st.caption(":material/content_copy: Images of an archive, or inside of a table, are copied into the workspace.")
        return None
    seen = [sample for sample in found.samples if sample.image is not None]
    converted = sum(sample.converted for sample in seen)
    if seen and converted == len(seen):
        st.caption(
            ":material/content_copy: These images have to be converted, so the workspace gets a copy of each as PNG; "
            "the folder is not needed afterwards."
        )
        return None
    chosen = brought.choices(source)
    place = st.radio(
        "Where will the images of the task lie?",
        list(PLACES),
        format_func=lambda key: PLACES[key][0],
        captions=[consequence for _, consequence in PLACES.values()],
        **state.bound("import place", chosen.place, partial(setattr, chosen, "place")),
    )
    if converted and place == "in-place":
        st.caption("Those that have to be converted (TIFF, DICOM, more than 8 bits) are copied as PNG all the same.")
    return bool(place != "copy")
