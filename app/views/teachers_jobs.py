"""The Teachers page's jobs: teachers look at the labeled images, and all metrics are computed on draws of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app import state
from app.components import waiting
from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.runs.looking import request_look
from engine.runs.panel import request_panel
from engine.tasks import Task

AUTOMATIC_OUTPUTS = 50_000  # images times teachers; up to here, minutes on two cores, a look starts by itself
AUTOMATIC_IMAGES = 1_000  # labeled; up to here, a minute or two on two cores, intervals are computed by themselves


def look(task: Task, labels: int | None = None) -> None:
    """Ask for the teachers' outputs that a ranking lacks, and show how far that is.

    labels: another number of labels per class than the chosen one.
    """
    wanted, lacking = labels or state.labels_per_class(), state.missing(task, labels)
    _run(
        f"look {task.name} {wanted} {state.seed()}",
        lambda: request_look(state.home(), task, labels_per_class=wanted, seed=state.seed(), device=state.device()),
        "Teachers look at the labeled images",
        f":material/visibility: A ranking lacks {lacking:,} outputs (images × teachers). They are kept.",
        "Let the teachers look",
        starts_itself=labels is None and lacking <= AUTOMATIC_OUTPUTS,
    )


def resample(task: Task) -> None:
    """Ask for all metrics with intervals, which the page lacks, and show how far that is."""
    budget, seed = state.labels_per_class(), state.seed()
    images = len(task.labeled_rows(budget, seed))
    _run(
        f"panel {task.name} {budget} {seed}",
        lambda: request_panel(state.home(), task, labels_per_class=budget, seed=seed, device="cpu"),
        "How sure is this? Drawing half of the labels again and again",
        f":material/casino: Intervals and the agreement of all metrics on {images:,} images take minutes.",
        "Compute them",
        starts_itself=images <= AUTOMATIC_IMAGES,
    )


def _run(noted: str, request: Callable[[], Job], what: str, offer: str, label: str, *, starts_itself: bool) -> None:
    """Show the job that this session asked for under the name `noted`; start it, or offer to."""

    def ask() -> Job:
        job = request()
        state.set_note(noted, str(job.folder))
        state.queue(job.device)
        return job

    job = _noted_job(state.note(noted))
    if job is None and starts_itself:
        job = ask()
    if job is not None:
        waiting.wait_for(job, what, ask)
        return
    with st.container(border=True):
        st.markdown(offer)
        if st.button(label, type="primary", icon=":material/play_arrow:", key=f"ask {noted}"):
            ask()
            st.rerun()


def _noted_job(folder: str | None) -> Job | None:
    """The job that this session asked for before, unless it is gone, or done while its outcome is missing again."""
    if folder is None:
        return None
    try:
        job = jobs.load(Path(folder))
    except WorkbenchError:
        return None
    return None if jobs.status(job).state == "done" else job
