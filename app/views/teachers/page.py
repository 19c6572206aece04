"""Teachers: all of them ranked by similarity to the task, their weights, and who may not teach it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import cached, state
from app.components import labels, page, tables
from app.components.escaping import escape
from app.views.teachers import agreement, card, cost, filters, jobs, labels_needed, measured, ranked, weights
from app.views.teachers.ranked import Row
from engine.methods import METHODS, preselected
from engine.runs import Candidate, MetricPlaces, Ranking, TeacherPanel, candidates
from engine.similarity import METRICS
from engine.tasks import Task
from engine.teachers import TeacherRecord, damaged_teachers

CLOSER = ("Agreement", "Labels needed", "Cost", "Was it true?")


def render() -> None:
    """The page."""
    task = page.required_task()
    page.header(
        "Teachers",
        "A teacher is a network that was trained on other images. The more similar the task is to what it knows, the "
        "more it can teach the student.",
    )
    for problem in damaged_teachers(state.workspace()).values():
        st.error(escape(problem), icon=":material/error:")
    _choose_metric(task)
    everyone = candidates(state.workspace(), task)
    ranking = cached.ranking(task)
    if ranking is None:
        jobs.extract(task)
        st.subheader("All teachers", anchor=False)
        ranked.record_table([Row(c.teacher, c.relation) for c in everyone if c.allowed])
        _excluded([candidate for candidate in everyone if not candidate.allowed])
        return
    relations = {candidate.teacher.name: candidate.relation for candidate in everyone}
    _no_ranking(ranking)
    st.subheader("Similarity to the task", anchor=False)
    panel = cached.panel(task)
    if came := cached.recorded(task):
        jobs.compute_here(task, came)
    elif panel is None:
        jobs.resample(task)
    similar_first = [ranked.teacher for ranked in ranking.ranked] or list(ranking.candidates)
    records = filters.ask(similar_first, task.name).ordered(similar_first)
    ranked.draw(ranking, panel.under(ranking.metric) if panel else None, records, relations)
    _what_next(ranking, panel.under(ranking.metric) if panel else None)
    st.subheader("Weights", anchor=False)
    weights.draw(ranking, relations)
    st.subheader("In detail", anchor=False)
    _in_detail(task, ranking, panel, records, relations)
    _excluded(ranking.excluded)
    with st.container(horizontal=True, gap="medium"):
        page.link("add_teacher", "Add a teacher", ":material/add_circle:")
        page.link("features", "See the images as a teacher does", ":material/scatter_plot:")
        page.link("distill", "Next: distill a student")


def _choose_metric(task: Task) -> None:
    budget = state.labels_per_class()
    on_images = [key for key, metric in METRICS.items() if "record" not in metric.needs]

    def name(key: str) -> str:
        needed = METRICS[key].labels_per_class
        return METRICS[key].title + (f" (needs {needed} labels per class)" if needed > budget else "")

    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.selectbox(
            "Similarity metric",
            on_images,
            format_func=name,
            width=320,
            **state.bound("metric", state.metric(), state.set_metric),
        )
        card.button(state.metric())
        page.link(
            "task",
            f"Uses {labels.used(task)}"
            + ("" if state.uses_all_labels() else f": {labels.per_class(task)}, draw {state.seed()}")
            + ". Change",
            ":material/edit:",
        )
    st.caption(escape(METRICS[state.metric()].summary))
    if fewer := labels.ranked(task):
        st.caption(f":material/info: {fewer}")


@st.fragment
@page.guarded
def _in_detail(
    task: Task,
    ranking: Ranking,
    panel: TeacherPanel | None,
    records: Sequence[TeacherRecord],
    relations: Mapping[str, str],
) -> None:
    """One of four views; only the chosen one is computed, and choosing redraws only this part of the page."""
    chosen = st.segmented_control(
        "In detail",
        CLOSER,
        default=CLOSER[0],
        required=True,
        label_visibility="collapsed",
        key="teachers-closer",
        persist_state="session",
    )
    if chosen == "Labels needed":
        labels_needed.draw(task, records)
    elif chosen == "Cost":
        cost.draw(ranking, panel.under(ranking.metric) if panel else None, records, relations)
    elif chosen == "Was it true?":
        measured.draw(task, ranking, records, relations)
    elif panel is not None:
        agreement.draw(panel, records)
    else:
        st.caption(":material/hourglass_empty: Whether the metrics agree is shown once all of them are computed.")


def _no_ranking(ranking: Ranking) -> None:
    if ranking.problem is not None:
        st.info(
            f"No ranking possible: {escape(ranking.problem)} Until then all teachers get equal shares.",
            icon=":material/info:",
        )
    elif not ranking.possible:
        alike = "no teacher scores above 0" if METRICS[ranking.metric].rule == "clip" else "all teachers score the same"
        st.info(f"No ranking possible: by this metric {alike}. All teachers get equal shares.", icon=":material/info:")


def _what_next(ranking: Ranking, places: MetricPlaces | None) -> None:
    """One sentence that says what the ranking is good for, with the link to it."""
    best = ranking.ranked[0].teacher if ranking.ranked else None
    several = METHODS[preselected()[-1]].title
    if best is None or not ranking.possible:
        said = f"More labels of each class would tell the teachers apart; {several} hears all of them meanwhile."
    elif places is not None and any(best.name in pair for pair in places.undecided or ()):
        said = f"Which one is best need not be settled: {several} hears all of them, the similar ones most."
    else:
        said = f"Let {escape(best.title)} teach alone (DistillNearest), or all of them together ({several})."
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f":material/arrow_forward: **What to do next:** {said}", width="content")
        page.link("distill", "Distill a student", ":material/model_training:")


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
    alt = "Teachers that are excluded from this task, with the reason"
    st.table(tables.literal(pd.DataFrame(rows)), hide_index=True, alt=alt)


def _collection(candidate: Candidate) -> str:
    parts = candidate.teacher.parts
    return candidate.teacher.collection + (f" ({', '.join(parts)})" if parts else " (all of it)")


if __name__ == "__main__":
    render()
