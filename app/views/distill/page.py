"""Distill: choose what to compare, start it, and watch it."""

from __future__ import annotations

import streamlit as st

from app import queues, state
from app.components import finishing, page, progress, queued, wording
from app.components.escaping import escape
from app.views.distill import form, waiting_line
from engine.errors import WorkbenchError
from engine.runs import RECORDED, Comparison, list_comparisons, load_comparison, read_runs, start
from engine.tasks import Task
from engine.workspace import Workspace

SEARCHED = 30  # newest comparisons that are searched for unfinished runs


def render() -> None:
    """Draw the page."""
    page.header("Distill", "Train students of the same size with several methods, on the same labels and budget.")
    task = page.required_task()
    workspace = state.workspace()
    current = _current(workspace, task)
    expander = st.expander(
        "Set up a comparison" if current is None else "Set up another comparison",
        expanded=current is None,
        icon=":material/tune:",
        key=f"distill-setup-{current.id if current else 'new'}",
        on_change="rerun",  # so that nothing in it is computed, or measured, while it is closed
    )
    if expander.open:
        with expander:
            _draw_setup(workspace, task)
    if current is not None:
        _draw_current(workspace, current)
    waiting_line.draw(workspace, watched=current is not None)
    _offer_unfinished(workspace, current)


def _current(workspace: Workspace, task: Task) -> Comparison | None:
    """The comparison that the URL names, if it is one of this task; one that is not there is a sentence."""
    chosen = state.comparison()
    if chosen in (None, RECORDED):
        return None
    try:
        found = load_comparison(workspace, chosen)
    except WorkbenchError as error:
        st.warning(escape(str(error)), icon=":material/link_off:")
        return None
    if found.task == task.name:
        return found
    st.info(
        f"The comparison in this address is of another task, {queued.task_title(found.task)}: choose it to see it.",
        icon=":material/link_off:",
    )
    return None


def _draw_setup(workspace: Workspace, task: Task) -> None:
    choice = form.ask()
    if not choice.methods:
        st.info("Choose at least one method.", icon=":material/info:")
        return
    try:
        specs = choice.specs(task)
        form.draw_plan(task, choice, specs, workspace)
    except WorkbenchError as error:
        if not len(task.test_rows) and task.available_labels().any():
            _without_a_test(task, choice)
        else:
            st.error(escape(str(error)), icon=":material/error:")
        return
    if st.button(f"Start {wording.count(len(specs), 'run')}", type="primary", icon=":material/play_arrow:"):
        comparison = start(workspace, specs, choice.device, choice.engine)
        state.set_comparison(comparison.id)
        st.rerun()


def _without_a_test(task: Task, choice: form.Choice) -> None:
    """Nothing can be compared, but a student can be trained."""
    st.warning(
        "No held-out image has a label, so no method can be compared with another. A student can be trained all the "
        "same; how often it is right is then not known.",
        icon=":material/rule:",
    )
    page.link("task", "Choose another split under Check", ":material/photo_library:")
    finishing.draw(task, choice.methods, **choice.training)


def _draw_current(workspace: Workspace, comparison: Comparison) -> None:
    st.subheader("Runs", anchor=False)
    st.caption(
        f"{wording.described(comparison)}. The runs go on when this page is closed; its address leads back to them."
    )
    for entry in read_runs(workspace, comparison).entries:
        if not entry.status.terminal:
            queues.queue_of(entry.job)
    progress.draw_runs(workspace, comparison)


def _offer_unfinished(workspace: Workspace, current: Comparison | None) -> None:
    """Comparisons with runs that have not ended, also those of other tasks."""
    others = [
        comparison
        for comparison in list_comparisons(workspace)[:SEARCHED]
        if (current is None or comparison.id != current.id)
        and not progress.is_settled(read_runs(workspace, comparison).entries)
    ]
    if not others:
        return
    st.subheader("Unfinished comparisons", anchor=False)
    for comparison in others:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{queued.task_title(comparison.task)}** · {wording.described(comparison)}", width="content")
            if st.button("Watch", key=f"watch-{comparison.id}", icon=":material/visibility:"):
                state.set_task(comparison.task)
                state.set_comparison(comparison.id)
                st.rerun()


if __name__ == "__main__":
    render()
