"""The student that goes to work, trained once more on all images, those included that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import queues, state
from app.components import waiting, wording
from app.components.escaping import escape
from engine.delivery import student_archive
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.methods import get_method
from engine.results import accuracy_sentence
from engine.runs import (
    Entry,
    RunSpec,
    estimate_seconds,
    finishing_spec,
    known_speed,
    request_finished,
    trained_on_all,
)
from engine.tasks import NO_LABEL, Task


def draw(task: Task, methods: Sequence[str], comparison: str = "", **training: Any) -> None:
    """Train one of `methods` on all images, and show the students that were. comparison: the one that they quote, with
    its settings. training: settings, where there is none.
    """
    taking_part = task.splits != "out"
    images, labels = int(taking_part.sum()), int((task.labels[taking_part] != NO_LABEL).sum())
    st.markdown(
        f"One more run on all {images:,} images and all {labels:,} labels of the task as it is now"
        + (", those included that were held out" if (task.splits == "test").any() else "")
        + ". It is the student to put to work. It has no held-out accuracy of its own"
        + (": that of its method here is quoted." if comparison else ", so nobody knows how often it is right.")
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method = st.selectbox(
            "Method",
            methods,
            format_func=lambda key: get_method(key).title,
            key=f"finish-method-{comparison or task.name}",
            width=320,
        )
        spec = _spec(task, method, comparison, training)
        if spec is not None and st.button(
            "Train on all images", icon=":material/school:", key=f"finish-{comparison or task.name}"
        ):
            request_finished(state.workspace(), spec, state.device())
            queues.queue(state.device())
            st.rerun()
    if spec is not None and (speed := known_speed(state.workspace(), spec.recipe, state.device())) is not None:
        st.caption(f"About {wording.duration(estimate_seconds(speed, spec.train))}, at the pace of earlier runs here.")
    for entry in trained_on_all(state.workspace(), task.name, comparison):
        _student(entry, task)


def _spec(task: Task, method: str, comparison: str, training: Mapping[str, Any]) -> RunSpec | None:
    try:
        return finishing_spec(state.workspace(), task, method, comparison=comparison, device=state.device(), **training)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return None


def _student(entry: Entry, task: Task) -> None:
    title = get_method(entry.spec.method).title

    def again() -> Job:
        job = request_finished(state.workspace(), entry.spec, entry.job.device)
        queues.queue(job.device)
        return job

    if entry.problem:
        st.error(escape(entry.problem), icon=":material/error:")
    elif entry.result is None:
        waiting.wait_for(entry.job, f"{title}, on all images", again)
    else:
        with st.container(border=True):
            when = f" · {wording.moment(entry.result.finished)}" if entry.result.finished else ""
            st.markdown(f":material/school: **{escape(title)}, on all images**{when}")
            st.markdown(escape(accuracy_sentence(entry.result)))
            if entry.spec.task_revision != task.revision:
                st.caption(":material/history: The task has changed since: this student does not know of it.")
            st.download_button(
                "Download (ZIP)",
                lambda: student_archive(entry.job.folder),
                f"{entry.run}.zip",
                "application/zip",
                icon=":material/download:",
                on_click="ignore",
                key=f"download {entry.run}",
            )
