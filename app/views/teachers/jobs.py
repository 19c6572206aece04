"""The Teachers page's jobs, each of which its user asks for: extracting the teachers' outputs for the labeled images,
and computing all metrics on draws of them.
"""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import cached, state
from app.components import recorded, waiting, wording
from app.components.labels import in_words
from app.drafts import task_key
from app.views.teachers.draft import TeachersDraft
from engine.jobs import Job
from engine.runs import (
    ExtractionTime,
    RecordedPanel,
    estimate_extraction,
    ranked_rows,
    request_extraction,
    request_panel,
)
from engine.tasks import Draw, Task

QUICK_PANEL = 1_000  # labeled images; up to here, a minute or two on two cores, intervals belong to what was asked for


def extract(task: Task, labels: int | None = None) -> None:
    """Offer the ranking, which lacks outputs of teachers; once it was asked for, show how far it is.

    labels: another number of labels per class than the chosen one.
    """
    draw, lacking = state.draw(labels), cached.missing(task, labels)

    def ask() -> Job:
        if labels is None:
            TeachersDraft.current().asked.add(_choice(task))
        return request_extraction(state.workspace(), task, draw, state.device())

    time = estimate_extraction(state.workspace(), task, draw, state.device())
    _run(
        f"extract {task_key(task)} {draw.labels_per_class} {draw.seed}",
        ask,
        "Extracting the teachers' outputs for the labeled images",
        f":material/visibility: Not ranked yet: {lacking:,} outputs (images × teachers) are to be extracted, once. "
        f"{_about(time)}",
        "Rank the teachers" if labels is None else f"Rank at {in_words(task, draw.labels_per_class)}",
    )


def resample(task: Task) -> None:
    """Offer all metrics with intervals, which the page lacks; show how far they are once the ranking was asked for."""
    draw = state.draw()
    images = len(ranked_rows(task, draw))
    _run(
        f"panel {task_key(task)} {draw.labels_per_class} {draw.seed}",
        lambda: request_panel(state.workspace(), task, draw, "cpu"),
        "How sure is this? Drawing half of the labels again and again",
        f":material/casino: How sure is this? Intervals and the agreement of all metrics on {images:,} images take "
        f"{'a minute or two' if images <= QUICK_PANEL else 'many minutes'}.",
        "Compute them",
        belongs=_choice(task) in TeachersDraft.current().asked and images <= QUICK_PANEL,
    )


def compute_here(task: Task, came: RecordedPanel) -> None:
    """Say that the ranking came with the program, and offer to compute it; then show how far that is."""
    draw = state.draw()
    slot = TeachersDraft.current().slots[f"panel {task_key(task)} {draw.labels_per_class} {draw.seed}"]

    def ask() -> Job:
        return slot.ask(lambda: request_panel(state.workspace(), task, draw, state.device()))

    job = slot.not_done()
    if job is not None:
        waiting.wait_for(job, "Extracting the teachers' outputs and computing all metrics with intervals", ask)
        return
    recorded.note(
        f"This ranking came with the program ({wording.moment(came.recorded)}), for these labels and teachers.",
        ask,
        "compute the ranking here",
    )


def _choice(task: Task) -> tuple[str, Draw]:
    """Which ranking this is: where this session asked for it, its intervals come with it."""
    return task.revision, state.draw()


def _about(time: ExtractionTime) -> str:
    how_long = wording.duration(time.seconds)
    if time.measured_at is None:
        return f"About **{how_long}** on an idle computer."
    return f"About **{how_long}**, at the pace of the last extraction here, {wording.ago(time.measured_at)}."


def _run(noted: str, request: Callable[[], Job], what: str, offer: str, label: str, *, belongs: bool = False) -> None:
    """Show the job that this session asked for under the name `noted`, or offer it; `belongs` says that it was asked
    for together with another one.
    """

    slot = TeachersDraft.current().slots[noted]
    job = slot.not_done()
    if job is None and belongs:
        job = slot.ask(request)
    if job is not None:
        waiting.wait_for(job, what, lambda: slot.ask(request))
        return
    with st.container(border=True):
        st.markdown(offer)
        if st.button(label, type="primary", icon=":material/play_arrow:", key=f"ask {noted}"):
            slot.ask(request)
            st.rerun()
