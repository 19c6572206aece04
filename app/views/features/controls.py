"""What is chosen for every map of the page: its kind, and what its colors say."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import streamlit as st

from app import state
from app.components import waiting, wording
from app.components.escaping import escape
from app.views.features.coloring import APART, RIGHT, TITLES, Asked, student_said
from app.views.features.draft import FeaturesDraft
from app.views.features.placed import TITLES as KINDS
from app.views.features.placed import Placed
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.results import RunResult
from engine.runs import list_comparisons, read_runs, request_predictions
from engine.tasks import Task
from engine.teachers import TeacherRecord


def choose_kind() -> str:
    """UMAP or PCA."""
    draft = FeaturesDraft.current()
    return str(
        st.segmented_control(
            "Map",
            list(KINDS),
            format_func=KINDS.__getitem__,
            required=True,
            help="UMAP keeps neighbors together. PCA shows the two directions in which the features vary most.",
            **state.bound("map kind", draft.kind, draft.put("kind")),
        )
    )


def choose_color() -> str:
    """What the colors say."""
    draft = FeaturesDraft.current()
    return str(
        st.selectbox(
            "Color by",
            list(TITLES),
            format_func=TITLES.__getitem__,
            width=280,
            **state.bound("map color", draft.by if draft.by in TITLES else "class", draft.put("by")),
        )
    )


def select_student(task: Task) -> RunResult | None:
    """The choice of a finished student; None where there is none, which is said."""
    found = _students(task)
    if not found:
        st.info("No student of this task is finished yet.", icon=":material/info:")
        return None
    by_run = {result.run: result for result in found}
    draft = FeaturesDraft.current()
    chosen = st.selectbox(
        "Student",
        list(by_run),
        format_func=lambda run: (
            f"{by_run[run].title}, seed {by_run[run].seed} · {wording.percent(by_run[run].held_out_accuracy)}"
        ),
        width=420,
        **state.bound("map student", draft.run if draft.run in by_run else found[0].run, draft.put("run")),
    )
    return by_run[chosen]


def choose_student(task: Task) -> str | None:
    """Whose answers the colors show, as a run; what to do is drawn where there are none."""
    result = select_student(task)
    if result is None:
        return None
    if student_said(result.run) is None:
        _offer_answers(result.run, result)
    return result.run


def choose_pair(task: Task, placed: list[Placed]) -> tuple[TeacherRecord, TeacherRecord] | None:
    """The two teachers that are compared; None where there is only one."""
    if len(placed) < 2:
        return None
    by_name = {each.teacher.name: each for each in placed}
    pairs = FeaturesDraft.current().pair
    first, second = pairs.get(task.name, ("", ""))
    first = first if first in by_name else placed[0].teacher.name
    second = second if second in by_name and second != first else next(n for n in by_name if n != first)

    def put_first(name: str) -> None:
        pairs[task.name] = name, (first if name == second else second)

    def put_second(name: str) -> None:
        pairs[task.name] = first, name

    _choose_teacher("First teacher", "map first", list(by_name), by_name, first, put_first)
    _choose_teacher("Second teacher", "map second", [n for n in by_name if n != first], by_name, second, put_second)
    return by_name[first].teacher, by_name[second].teacher


def asked_of(
    teacher: TeacherRecord, by: str, pair: tuple[TeacherRecord, TeacherRecord] | None, run: str | None
) -> Asked:
    """What one map's colors say."""
    return Asked(by, teacher, pair if by == APART else None, run if by == RIGHT else None)


def _choose_teacher(
    label: str, name: str, names: list[str], by_name: dict[str, Placed], value: str, put: Callable[[str], None]
) -> None:
    st.selectbox(
        label,
        names,
        format_func=lambda key: by_name[key].title,
        width=320,
        **state.bound(name, value, put),
    )


def _students(task: Task) -> list[RunResult]:
    """Finished runs of the task as it is now, the newest comparison first."""
    found: dict[str, RunResult] = {}
    for comparison in list_comparisons(state.workspace(), task.name):
        for result in read_runs(state.workspace(), comparison).results:
            found.setdefault(result.run, result)
    return list(found.values())


def _offer_answers(run: str, result: RunResult) -> None:
    slot = FeaturesDraft.current().jobs[f"answers {run}"]

    def ask() -> Job:
        return slot.ask(partial(request_predictions, state.workspace(), run, "unlabeled", state.device()))

    job = slot.not_done()
    if job is not None:
        waiting.wait_for(job, f"Asking {escape(result.title)}, seed {result.seed}", ask)
        return
    with st.container(border=True):
        st.markdown(
            ":material/visibility: This student has not been asked about the training images whose class it was not "
            "told. It takes a few seconds for a thousand images."
        )
        if st.button("Ask the student", icon=":material/play_arrow:", key=f"ask {run}"):
            try:
                ask()
            except WorkbenchError as error:
                st.error(escape(str(error)), icon=":material/error:")
                return
            st.rerun()
