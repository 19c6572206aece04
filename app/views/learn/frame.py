"""What every lesson has: its question first, its formula and code, a question at the end, its link and notebook."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.components import exhibits, page
from app.views.learn import address
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import CheckQuestion, Lesson
from engine.lessons import LessonMaterial, excerpt, notebook

SHOWN = "show"  # whether the answer was asked for
ANSWER = "answer"  # to the question at the end
OF_ALL = (SHOWN, ANSWER)


def reveal(choices: LessonChoices, label: str, *, ready: bool = True) -> bool:
    """Whether the answer is shown. Until it was asked for there is a button `label`, which works once it is `ready`."""
    if choices.get(SHOWN) and ready:
        return True
    st.button(
        label,
        type="primary",
        icon=":material/visibility:",
        disabled=not ready,
        key=f"show {choices.lesson}",
        on_click=partial(choices.put, SHOWN, 1),
    )
    return False


def again(choices: LessonChoices, label: str, *forget: str) -> None:
    """A button that hides the answer, and forgets what was chosen under the names `forget`."""

    def begin() -> None:
        for name in (SHOWN, *forget):
            choices.put(name, None)

    st.button(label, icon=":material/restart_alt:", type="tertiary", key=f"again {choices.lesson}", on_click=begin)


@st.fragment
@page.guarded
def draw(lesson: Lesson, material: LessonMaterial) -> None:
    """A whole lesson; choosing in it redraws only this part of the page."""
    choices = LessonChoices(lesson.key)
    lesson.render(material, choices)
    st.divider()
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**The formula**")
        for formula in lesson.formulas:
            st.latex(formula)
        st.caption(lesson.symbols)
    with right:
        _question(lesson.question, choices)
    _code(lesson)
    _take_away(lesson, material, choices)


def _code(lesson: Lesson) -> None:
    box = st.expander("The lines that compute it", icon=":material/code:", key=f"code {lesson.key}", on_change="rerun")
    if not box.open:
        return
    with box:
        for found in map(excerpt, lesson.code):
            st.caption(f"`{found.path}`, from line {found.line}")
            st.code(found.text, language="python")


def _question(question: CheckQuestion, choices: LessonChoices) -> None:
    st.markdown("**Check yourself**")
    numbers = range(len(question.answers))
    chosen = choices.whole(ANSWER, numbers, -1)
    st.radio(
        question.text,
        numbers,
        format_func=lambda number: question.answers[number].text,
        **state.bound(f"answer {choices.lesson}", chosen if chosen >= 0 else None, partial(choices.put, ANSWER)),
    )
    if chosen < 0:
        return
    answer = question.answers[chosen]
    if answer.right:
        st.success(answer.feedback, icon=":material/check:")
    else:
        st.warning(answer.feedback, icon=":material/close:")


def _take_away(lesson: Lesson, material: LessonMaterial, choices: LessonChoices) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.download_button(
            "Notebook",
            lambda: notebook(
                lesson.key,
                material.task.name,
                None if material.recorded else material.draw,
                **lesson.notebook(material, choices),
            ),
            f"{exhibits.file_name(f'{lesson.key} {material.task.name}')}.ipynb",
            "application/x-ipynb+json",
            icon=":material/download:",
            on_click="ignore",
            key=f"notebook {lesson.key}",
            help="The same numbers with `import engine`, for Jupyter.",
        )
        with st.popover("Link to this state", icon=":material/link:", key=f"link {lesson.key}"):
            st.caption("Opens the lesson as it is now, answers included. So does the address of this page.")
            st.code(address.link(material.task.name, lesson.key, lesson.names), language=None, wrap_lines=True)
