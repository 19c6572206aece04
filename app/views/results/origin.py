"""How the runs that Results shows were made: what they share, the command that repeats them, and revisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from app import state
from app.components import recorded, wording
from app.components.escaping import escape
from app.views.results.sources import Shown
from engine.runs import (
    Comparison,
    arithmetic_sentence,
    machine_of,
    repeating_command,
    starts_sentence,
    what_changed,
)
from engine.student import student_title
from engine.tasks import Task


def draw_notices(shown: Shown, task: Task) -> None:
    """What has to be known before a number is read: an older revision, runs that do not compare, recorded ones."""
    document = shown.document
    if changed := what_changed(document.get("shared", {}), task):
        st.warning(
            f"The task has changed since these runs: {wording.listed(changed)}. What is shown here is of the older "
            "revision; start a new comparison for the task as it is now.",
            icon=":material/history:",
        )
    if differs := wording.differs_sentence(document.get("differs", ())):
        st.warning(differs, icon=":material/warning:")
    if shown.recorded:
        with st.container(horizontal=True, vertical_alignment="center"):
            recorded.badge()
            st.caption(f"These runs came with the program. Start your own on Distill. {_sittings(shown)}".rstrip())


def _sittings(shown: Shown) -> str:
    """What has to be known of a recorded comparison whose methods were not all run at once."""
    return escape(str(shown.document.get("sittings", "")))


def draw_made(shown: Shown, task: Task, comparison: Comparison | None) -> None:
    """The expander "How this was made"."""
    more = st.expander("How this was made", icon=":material/history_edu:", on_change="rerun", key="results made")
    if not more.open:
        return
    document = shown.document
    with more:
        if shown.recorded:
            when = wording.moment(document.get("created", ""))
            st.markdown(f"Recorded {when} on {escape(machine_of(document))}.")
        elif comparison is not None:
            st.markdown(f"Begun {wording.moment(comparison.created)} on {escape(machine_of(document))}.")
        shared = wording.shared_sentence(_in_titles(document.get("shared", {}), task))
        said = (shared, starts_sentence(shown.results), arithmetic_sentence(shown.results))
        st.markdown(escape(" ".join(filter(None, said))))
        told = document.get("command") if comparison is None else repeating_command(state.workspace(), task, comparison)
        if told:
            st.markdown("The same from the command line:")
            st.code(told, language="bash", wrap_lines=True)


def _in_titles(shared: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What runs share, with titles in the place of names that only the program uses."""
    named = {"task": task.record.title, "student": student_title(str(shared.get("student", "")))}
    return {key: named.get(key, value) for key, value in shared.items()}
