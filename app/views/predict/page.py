"""Predict: a finished student at work on new images, what it says of each, and corrections of it."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import queues, state
from app.components import page, waiting, wording
from app.components.escaping import escape
from app.drafts import task_key
from app.views.predict import answers, ask
from app.views.predict.draft import PredictDraft
from engine import jobs
from engine.delivery import (
    KeptPredictions,
    TaskStudent,
    damaged_predictions,
    forget_prediction,
    predictions_of_task,
    spec_of_prediction,
    students_of_task,
)
from engine.errors import WorkbenchError
from engine.intake import UPLOAD, upload_title
from engine.jobs import Job
from engine.tasks import Task


def render() -> None:
    """The page."""
    page.header(
        "Predict",
        "A finished student at work on images that it has not seen: the class of each, how sure it is, and your "
        "corrections, which become labels.",
    )
    task = page.required_labels()
    queues.queue(state.device())  # predictions that another server left go on
    students = students_of_task(state.workspace(), task.name)
    if not students:
        page.missing("No student of this task is finished yet.", "distill", "Train one", ":material/model_training:")
        return
    ask.draw(task, students)
    for problem in damaged_predictions(state.workspace()):
        st.error(escape(problem), icon=":material/error:")
    if (job := _choose(task)) is not None:
        _draw(task, job, students)


def _choose(task: Task) -> Job | None:
    """The predictions that are shown: those asked for last, unless others are chosen."""
    found = {job.id: job for job in predictions_of_task(state.workspace(), task.name)}
    if not found:
        return None
    draft = PredictDraft.current()
    chosen = draft.chosen.get(task.name)
    if chosen not in found:
        chosen = next(iter(found))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Predictions",
            list(found),
            format_func=lambda key: _title(found[key]),
            **state.bound("predict chosen", chosen, lambda key: draft.chosen.update({task.name: key})),
        )
        ended = jobs.status(found[chosen]).terminal
        if ended and st.button("Remove", icon=":material/delete:", help="Forget these predictions and their upload."):
            forget_prediction(state.workspace(), found[chosen])
            draft.corrections.pop((task_key(task), chosen), None)
            st.rerun()
    return found[chosen]


def _title(job: Job) -> str:
    try:
        said = source_words(job)
    except WorkbenchError:  # said below, when it is chosen; it can be removed
        said = job.id
    return f"{said} · {jobs.status(job).state} · {wording.ago(job.created.isoformat())}"


def source_words(job: Job) -> str:
    """What the user calls the source of predictions."""
    source = spec_of_prediction(job).source
    return upload_title(source) if source.startswith(UPLOAD) else source


def _draw(task: Task, job: Job, students: Sequence[TaskStudent]) -> None:
    def parts() -> int:
        return KeptPredictions.of(job).parts

    if jobs.status(job).state != "done":
        waiting.wait_for(job, f"Predicting {escape(source_words(job))}", lambda: ask.again(job), parts)
        if not jobs.status(job).terminal:
            st.caption("This goes on when the page is closed; come back to it from here.")
    _say_whose(job, students)
    answers.draw(task, job)


def _say_whose(job: Job, students: Sequence[TaskStudent]) -> None:
    """Whose answers these are: another student may be chosen above by now."""
    wanted, titles = spec_of_prediction(job), {one.run: ask.title(one) for one in students}
    said = f"{source_words(job)}, predicted by {titles.get(wanted.run, wanted.run)}"
    if wanted.beside:
        said += f"; beside it {titles.get(wanted.beside, wanted.beside)}"
    st.caption(escape(f"{said}."))


if __name__ == "__main__":
    render()
