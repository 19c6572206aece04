"""Teachers: all of them ranked by similarity to the task, their weights, and who may not teach it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import streamlit as st

from app import state
from app.components import page, waiting, wording
from app.views import teachers_ranking, teachers_weights
from engine import jobs
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.runs import Candidate, Ranking, candidates
from engine.runs.looking import request_look
from engine.similarity import METRICS
from engine.tasks import Task

AUTOMATIC = 50_000  # images times teachers; up to here, minutes on two cores, a look starts by itself


def render() -> None:
    """The page."""
    task = page.required_task()
    page.header(
        "Teachers",
        "A teacher is a network that was trained on other images. The more similar the task is to what it knows, the "
        "more it can teach the student.",
    )
    _choose_metric(task)
    everyone = candidates(task)
    ranking = state.ranking(task)
    if ranking is None:
        _look(task)
        st.subheader("All teachers", anchor=False)
        teachers_ranking.record_table([(c.teacher, c.relation, None, None) for c in everyone if c.allowed])
        _excluded([candidate for candidate in everyone if not candidate.allowed])
        return
    relations = {candidate.teacher.name: candidate.relation for candidate in everyone}
    _no_ranking(ranking)
    st.subheader("Similarity to the task", anchor=False)
    teachers_ranking.draw(task, ranking, relations)
    st.subheader("Weights", anchor=False)
    teachers_weights.draw(ranking, relations)
    _excluded(ranking.excluded)
    with st.container(horizontal=True, gap="medium"):
        page.link("add_teacher", "Add a teacher", ":material/add_circle:")
        page.link("features", "See the images as a teacher does", ":material/scatter_plot:")
        page.link("distill", "Next: distill a student")


def _choose_metric(task: Task) -> None:
    budget = state.labels_per_class()
    looking = [key for key, metric in METRICS.items() if "record" not in metric.needs]

    def name(key: str) -> str:
        needed = METRICS[key].labels_per_class
        return METRICS[key].title + (f" (needs {needed} labels per class)" if needed > budget else "")

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Similarity metric",
            looking,
            format_func=name,
            width=320,
            **state.bound("metric", state.metric(), state.set_metric),
        )
        page.link(
            "task",
            f"{wording.count(len(task.labeled_rows(budget, state.seed())), 'labeled image')}: {budget} per class, "
            f"draw {state.seed()}. Change",
            ":material/edit:",
        )
    chosen = METRICS[state.metric()]
    st.caption(
        page.escape(f"{chosen.summary} Range: {chosen.range}. Unit: {chosen.unit}. Reference: {chosen.reference}.")
    )


def _look(task: Task) -> None:
    """Ask for the teachers' outputs that a ranking lacks, and show how far that is."""
    lacking = state.missing(task)
    noted = f"look {task.name} {state.labels_per_class()} {state.seed()}"

    def ask() -> Job:
        job = request_look(
            state.home(),
            task,
            labels_per_class=state.labels_per_class(),
            seed=state.seed(),
            device=state.device(),
        )
        state.set_note(noted, str(job.folder))
        state.queue(job.device)
        return job

    job = _noted_job(state.note(noted))
    if job is None and lacking <= AUTOMATIC:
        job = ask()
    if job is not None:
        waiting.wait_for(job, "Teachers look at the labeled images", ask)
        return
    with st.container(border=True):
        st.markdown(f":material/visibility: A ranking lacks {lacking:,} outputs (images × teachers). They are kept.")
        if st.button("Let the teachers look", type="primary", icon=":material/play_arrow:"):
            ask()
            st.rerun()


def _noted_job(folder: str | None) -> Job | None:
    """The job that this session asked for before, unless it is gone, or done while outputs are missing again."""
    if folder is None:
        return None
    try:
        job = jobs.load(Path(folder))
    except WorkbenchError:
        return None
    return None if jobs.status(job).state == "done" else job


def _no_ranking(ranking: Ranking) -> None:
    if ranking.problem is not None:
        st.info(
            f"No ranking possible: {page.escape(ranking.problem)} Until then all teachers get equal shares.",
            icon=":material/info:",
        )
    elif not ranking.possible:
        st.info(
            "No ranking possible: by this metric no teacher is more similar to the task than chance. All teachers get "
            "equal shares.",
            icon=":material/info:",
        )


def _excluded(excluded: Sequence[Candidate]) -> None:
    if not excluded:
        return
    st.subheader("May not teach this task", anchor=False)
    rows = [
        {
            "Teacher": candidate.teacher.title,
            "Reason": candidate.reason
            or f"It learned from the collection {_collection(candidate)}, and the task's images come from there "
            "too: what it knows of them would leak into the result.",
        }
        for candidate in excluded
    ]
    st.table(pd.DataFrame(rows), hide_index=True, alt="Teachers that are excluded from this task, with the reason")


def _collection(candidate: Candidate) -> str:
    parts = candidate.teacher.parts
    return candidate.teacher.collection + (f" ({', '.join(parts)})" if parts else " (all of it)")


if __name__ == "__main__":
    render()
