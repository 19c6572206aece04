"""Results: the students' held-out accuracy side by side, what it rests on, and the student to take away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from app import state
from app.components import page, wording
from app.components.escaping import escape
from app.views.results import accuracy, errors, labels, origin, sources, students, take_away, trust
from app.views.results.judged import judged, paired
from app.views.results.sources import Shown, Source
from engine.delivery import FirstSentence, Judged, first_sentence
from engine.errors import WorkbenchError
from engine.results import RunResult
from engine.runs import Comparison, damaged_comparisons
from engine.tasks import Task
from engine.workspace import Workspace

POLL_SECONDS = 3.0  # between two refreshes for newly finished runs


@dataclass(frozen=True)
class Section:
    """A part of the page; one is shown at a time."""

    title: str
    render: Callable[[Shown, Task], None]


SECTIONS = {
    "accuracy": Section(":material/bar_chart: Accuracy", accuracy.render),
    "errors": Section(":material/grid_on: Errors", errors.render),
    "trust": Section(":material/verified_user: Trust", trust.render),
    "labels": Section(":material/label: Labels", labels.render),
    "take-away": Section(":material/download: Take away", take_away.render),
}
FIRST = "accuracy"  # what is shown unless the URL names another one


def render() -> None:
    """Draw the page."""
    page.header("Results", "How well each student does on images that nobody trained on: higher is better.")
    task = page.required_task()
    workspace = state.workspace()
    found = sources.sources(workspace, task.name)
    for problem in damaged_comparisons(workspace, task.name):
        st.error(escape(problem), icon=":material/error:")
    if not found:
        page.missing("No comparison of this task has been run yet.", "distill", "Start one on Distill")
        return
    source = _choose(found, task)
    shown = sources.load(workspace, source, task.name)
    origin.draw_notices(shown, task)
    for problem in shown.problems:
        st.error(escape(problem), icon=":material/error:")
    if source.comparison is not None and shown.unfinished:
        _watch(workspace, source.comparison, shown)
    if not shown.results:
        page.missing("No run of this comparison has finished yet.", "distill", "Watch it on Distill")
        return
    told = verdict_of(shown, task)
    st.markdown(told.winner)
    if told.beside:
        st.caption(told.beside)
    origin.draw_made(shown, task, source.comparison)
    SECTIONS[_choose_section()].render(shown, task)


def verdict_of(shown: Shown, task: Task) -> FirstSentence:
    """The first sentences, in Markdown, of a comparison with at least one result."""

    def asked(result: RunResult) -> Judged | None:
        try:
            chosen = students.kept(shown, task, result)
        except WorkbenchError:  # the sections say what is wrong with it; the sentence does without
            return None
        return None if chosen is None else judged(chosen)

    return first_sentence(shown, task, asked, escape, paired)


def _choose_section() -> str:
    chosen = st.segmented_control(
        "Section",
        list(SECTIONS),
        format_func=lambda key: SECTIONS[key].title,
        required=True,
        label_visibility="collapsed",
        **state.bound("results section", current if (current := state.section()) in SECTIONS else FIRST, _set_section),
    )
    return str(chosen)


def _set_section(key: str) -> None:
    state.set_section(None if key == FIRST else key)


def _choose(found: list[Source], task: Task) -> Source:
    by_id = {source.id: source for source in found}
    chosen = state.comparison()
    current = chosen if chosen in by_id else found[0].id
    if chosen is not None and chosen != current:
        st.warning(
            f"There is no comparison {escape(repr(chosen))} of the task {escape(task.record.title)}: this is "
            "the newest one that there is.",
            icon=":material/link_off:",
        )
    st.selectbox(
        "Comparison",
        list(by_id),
        format_func=lambda key: by_id[key].label,
        **state.bound("results-comparison", current, state.set_comparison),
    )
    return by_id[current]


def _watch(workspace: Workspace, comparison: Comparison, shown: Shown) -> None:
    """Say how many runs are still to come, and draw the page again when one has finished."""

    @st.fragment(run_every=POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        if sources.finished_runs(workspace, comparison) != len(shown.results):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/hourglass_top: {wording.count(shown.unfinished, 'run')} not done yet.", width="content"
            )
            page.link("distill", "See them on Distill")

    refresh()


if __name__ == "__main__":
    render()
