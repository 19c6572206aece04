"""Task, the part "Check": how images become squares, and at what size the student sees them, on real images."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app import state
from app.components import images
from app.components.escaping import escape
from app.views.task.draft import TaskDraft
from engine import review
from engine.errors import WorkbenchError
from engine.review import STUDENT_SIZES, Checked, relative_cost
from engine.tasks import Task

RESIZES = {
    "crop": ("Crop", "The central square; what lies outside is lost."),
    "pad": ("Pad", "All of it, with white bars."),
    "squash": ("Squash", "All of it, distorted."),
}
PREVIEWED = 6  # images: of the shortest to the longest shape


def draw(task: Task, now: Checked) -> None:
    """The choice with its preview and its cost."""
    advice = now.advice
    st.subheader("Shape and size", anchor=False)
    st.caption(f"Networks see squares. {escape(advice.reason)} {_sides(*advice.short_sides)}")
    rows = _rows(now)
    size = task.record.student_size or advice.size
    with st.grid(3, min_column_width=230):
        for resize, (title, meaning) in RESIZES.items():
            with st.container(border=True, height="stretch"):
                chosen = resize == task.record.resize
                with st.container(horizontal=True, vertical_alignment="center"):
                    st.markdown(f"**{title}**", width="content")
                    if resize == advice.resize:
                        st.badge("Advised", color="gray")
                    if chosen:
                        st.badge("In use", icon=":material/check:", color="green")
                st.caption(meaning)
                _preview(task, rows, size, resize)
                if st.button(f"Use {title.lower()}", key=f"resize {resize}", disabled=chosen):
                    decide(task, resize=resize)
    _size(task, size, advice.size_reason)
    _flip(task)


def _sides(low: int, _: int, high: int) -> str:
    """How large the images are."""
    if low == high:
        return f"Nearly all shorter sides have {low:,} pixels."
    return f"Shorter sides have {low:,} to {high:,} pixels, in nine images of ten."


def _rows(now: Checked) -> NDArray[np.int64]:
    """Images of every shape, from the shortest to the longest."""
    facts = now.facts
    aspects = np.maximum(facts.widths, facts.heights) / np.maximum(1, np.minimum(facts.widths, facts.heights))
    taking_part = np.flatnonzero(now.review.splits == "train")
    order = taking_part[np.argsort(aspects[taking_part], kind="stable")]
    rows: NDArray[np.int64] = order[np.unique(np.linspace(0, len(order) - 1, min(PREVIEWED, len(order))).astype(int))]
    return rows


def _preview(task: Task, rows: NDArray[np.int64], size: int, resize: str) -> None:
    try:
        pixels = task.images.pixels([int(row) for row in rows], size, resize)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    shown = [
        images.Picture(Image.fromarray(image), f"{task.images.image_ids[row]} at {size} pixels, {resize}")
        for image, row in zip(pixels, rows, strict=True)
    ]
    images.pictures(shown, size=76)


def _size(task: Task, size: int, reason: str) -> None:
    def title(pixels: int) -> str:
        cost = relative_cost(pixels, size)
        same = "in use" if pixels == size else f"{cost:.2g} × the time"
        return f"{pixels} × {pixels} pixels ({same})"

    draft = TaskDraft.current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "The student sees images at",
            sorted({*STUDENT_SIZES, size}),
            format_func=title,
            width=320,
            help="Training and using the student take time in proportion to the area.",
            **state.bound("student size", size, draft.put("wanted_size")),
        )
        wanted, draft.wanted_size = draft.wanted_size, None
        if wanted and wanted != size:
            decide(task, student_size=wanted)
    st.caption(f"{escape(reason)} The pictures above are as the student sees them.")


def _flip(task: Task) -> None:
    draft = TaskDraft.current()
    st.toggle(
        "A mirrored image is still of its class",
        help="Training then mirrors images at random. Not for letters, nor where left and right differ.",
        **state.bound("task flip", task.record.flip, draft.put("wanted_flip")),
    )
    wanted, draft.wanted_flip = draft.wanted_flip, None
    if wanted is not None and wanted != task.record.flip:
        decide(task, flip=wanted)


def decide(task: Task, **decisions: Any) -> None:
    """Put decisions into force, and draw the page once more; what is refused is a sentence."""
    try:
        review.decide(task, **decisions)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    st.rerun()
