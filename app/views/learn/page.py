"""Learn: lessons of six or seven minutes each, which ask first and are computed from a task."""

from __future__ import annotations

from functools import partial

import pandas as pd
import streamlit as st

from app import state
from app.components import page
from app.views.learn import address, frame, subject
from app.views.learn.lessons import LESSONS
from engine.tasks import is_own


def render() -> None:
    """The page."""
    page.header(
        "Learn",
        "Short lessons of six or seven minutes. Each asks first, and then computes its answer from the task that you "
        "choose.",
    )
    names = {one.key: one.names for one in LESSONS}
    lesson = address.named_lesson(names)
    number = list(names).index(lesson)
    found = subject.find(LESSONS[number].lack)
    address.synchronize(names, lesson, found.material.task.name if found.material else "")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        subject.choose_task()
        _choose_lesson(lesson)
    _about(found)
    if found.material is None:
        return
    st.subheader(f"{number + 1}. {LESSONS[number].title}", anchor=False)
    st.markdown(LESSONS[number].promise)
    frame.draw(LESSONS[number], found.material)
    _turn(number)
    _lecture()


def _choose_lesson(lesson: str) -> None:
    titles = {one.key: f"{place}. {one.title}" for place, one in enumerate(LESSONS, start=1)}
    st.selectbox(
        "Lesson",
        list(titles),
        format_func=titles.__getitem__,
        width=420,
        **state.bound("lesson", lesson, address.open_lesson),
    )


def _about(found: subject.Subject) -> None:
    st.caption(found.about)
    if found.instead_of is not None:
        ranks = found.instead_of.available_labels().any()
        name, label = ("teachers", "Rank its teachers") if ranks else ("task", "Label its images")
        if ranks or is_own(found.instead_of):
            page.link(name, f"{label}, and the lessons are about it")


def _turn(number: int) -> None:
    """To the lessons before and after."""
    with st.container(horizontal=True, gap="medium"):
        for step, icon in ((-1, ":material/arrow_back:"), (1, ":material/arrow_forward:")):
            if 0 <= number + step < len(LESSONS):
                other = LESSONS[number + step]
                st.button(
                    f"{number + step + 1}. {other.title}",
                    icon=icon,
                    key=f"turn {step}",
                    on_click=partial(address.open_lesson, other.key),
                )


def _lecture() -> None:
    """How a lecture goes through the lessons."""
    box = st.expander("For lecturers: 45 minutes", icon=":material/co_present:", key="lecture", on_change="rerun")
    if not box.open:
        return
    with box:
        st.markdown(
            "Each lesson has a link to its state (*Link to this state*): prepare one for each step, answers hidden. "
            "Students open the same page on their own machines, or answer by raising hands."
        )
        st.table(
            pd.DataFrame(
                {
                    "Lesson": [f"{place}. {one.title}" for place, one in enumerate(LESSONS, start=1)],
                    "Minutes": [one.minutes for one in LESSONS],
                    "You click": [one.click for one in LESSONS],
                    "Students do": [one.themselves for one in LESSONS],
                }
            ),
            hide_index=True,
            alt="What happens in a lecture of 45 minutes, lesson by lesson",
        )


if __name__ == "__main__":
    render()
