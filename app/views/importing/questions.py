"""Import: what was guessed and is not nearly certain, each guess with its likeliest alternatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from app import state
from app.components import wording
from app.components.escaping import escape
from app.views.importing import brought
from engine.intake import ImportRequest
from engine.tasks import Question, undecided


def draw(source: ImportRequest, questions: Sequence[Question]) -> None:
    """The questions; a choice is in force at once. Nothing where nothing was guessed."""
    if not questions:
        return
    with st.container(border=True):
        waiting = len(undecided(questions))
        icon = ":material/help:" if waiting else ":material/check:"
        st.markdown(f"{icon} **Please check**")
        for question in questions:
            _ask(source, question)


def _ask(source: ImportRequest, question: Question) -> None:
    by_key = {one.key: one for one in question.interpretations}

    def put(key: str) -> None:
        brought.choose_interpretation(source, by_key[key])

    st.radio(
        escape(question.text),
        list(by_key),
        format_func=_titles(question),
        **state.bound(f"import question {question.key}", question.chosen, put),
    )


def _titles(question: Question) -> Callable[[str], str]:
    titles = {
        one.key: f"{escape(one.title)} ({wording.count(one.labeled_images, 'labeled image')})"
        for one in question.interpretations
    }
    return titles.__getitem__
