"""The guided tour of a demo: five steps over the pages, on a task whose results were recorded, so that nobody waits."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

from app import state
from app.components import page
from engine.runs import RECORDED

TASK = "quickdraw"  # the bundled task with the most to show: recorded students of five seeds, and their predictions
_STEP = "tour step"  # in the session: which one is shown, from 0
_IN_URL = "tour"  # the same from 1, so that a reload, or a lecturer's link, shows it


@dataclass(frozen=True)
class TourStop:
    """A stop: the page, what it is called, and what to see and to do there."""

    page: str
    title: str
    text: str


STEPS = (
    TourStop(
        "task",
        "A few labels are all there is",
        "The student has to learn these drawings from five labeled ones of each class; of the others it sees the "
        "images alone. Change the number of labels, or the draw, and see which images are labeled.",
    ),
    TourStop(
        "teachers",
        "Which pretrained networks fit",
        "Each teacher was trained on something else, and knows nothing of this task. The ranking says, from the few "
        "labels, how well its features fit. Move *p* below: the weights go from equal shares to the nearest one alone.",
    ),
    TourStop(
        "features",
        "What a teacher sees",
        "Each point is an image, placed by a teacher's features. Compare the first teacher of the ranking with the "
        "last one: where a class forms a group, a few labels suffice to name it.",
    ),
    TourStop(
        "results",
        "What the students learned",
        "These students were trained before, with five seeds, and recorded. The first sentence says what won, and how "
        "surely. Look into *Errors* for the drawings that the best one gets wrong, and into *Trust* for when to ask a "
        "person.",
    ),
    TourStop(
        "distill",
        "Your turn",
        "Start a short comparison here: it trains on this machine, in turn with the other visitors, and goes on when "
        "you close the page. Or go back to Start and bring images of your own.",
    ),
)


def draw() -> None:
    """The step of this session's tour, with the way on and back; else the way in."""
    step = _step()
    if step is None:
        if st.button("Take the tour: five steps", icon=":material/tour:", key="tour begin"):
            _go(0)
        return
    here, st.query_params[_IN_URL] = STEPS[step], str(step + 1)
    with st.container(border=True, key="tour"):
        st.markdown(f":material/tour: **{step + 1} of {len(STEPS)}: {here.title}**")
        st.markdown(here.text)
        with st.container(horizontal=True):
            if step > 0 and st.button("Back", icon=":material/arrow_back:", key="tour back"):
                _go(step - 1)
            if step + 1 < len(STEPS) and st.button(
                f"Next: {STEPS[step + 1].title.lower()}", icon=":material/arrow_forward:", key="tour next"
            ):
                _go(step + 1)
            st.button("End the tour", type="tertiary", key="tour end", on_click=_end)


def _step() -> int | None:
    """The step that this session is at, or that its link names; None while there is no tour."""
    known, named = st.session_state.get(_STEP), st.query_params.get(_IN_URL, "")
    if known is None and named in [str(step + 1) for step in range(len(STEPS))]:
        known = st.session_state[_STEP] = int(named) - 1
    return known


def _go(step: int) -> None:
    st.session_state[_STEP] = step
    state.set_task(TASK)
    if STEPS[step].page == "results":
        state.set_comparison(RECORDED)
    page.go(STEPS[step].page)


def _end() -> None:
    st.session_state.pop(_STEP, None)
    st.query_params.pop(_IN_URL, None)
