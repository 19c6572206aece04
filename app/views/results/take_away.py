"""Results, Take away: the student as files for elsewhere, what each format takes, and the student as a teacher."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components import page, tables, waiting, wording
from app.components.escaping import escape
from app.views.results import finish, students
from app.views.results.draft import ResultsDraft
from app.views.results.sources import Shown
from engine import jobs
from engine.delivery import (
    RECORDED_PREFIX,
    FormatTable,
    format_archive,
    formats_job,
    measured_formats,
    report_html,
    request_as_teacher,
    request_formats,
    student_archive,
    teacher_of,
)
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.methods import get_method
from engine.runs import Entry, trained_on_all
from engine.tasks import Task

MB = 1e6


def render(shown: Shown, task: Task) -> None:
    """The section."""
    _draw_report(shown, task)
    compared = _as_files(shown)
    finish.render(shown, task)
    finished = [entry for entry in trained_on_all(state.workspace(), task.name, shown.id) if entry.result]
    if compared is None and not finished:
        return
    st.subheader("For other programs and small devices", anchor=False)
    run = _which(compared, finished)
    _draw_formats(run)
    st.subheader("As a teacher of another task", anchor=False)
    _draw_teacher(run, task)


def _draw_report(shown: Shown, task: Task) -> None:
    """The comparison as a page for a colleague."""
    name = f"{RECORDED_PREFIX}{task.name}" if shown.recorded else shown.id
    st.download_button(
        "Report (HTML)",
        lambda: report_html(state.workspace(), name),
        f"{task.name} report.html",
        "text/html",
        icon=":material/description:",
        on_click="ignore",
        help="One page with the data, the comparison, the winner's errors with images, and where it comes from; it "
        "opens without this program.",
    )


def _which(compared: str | None, finished: Sequence[Entry]) -> str:
    """The student that is written in other formats: the one chosen above, unless one was trained on all images."""
    titles = {entry.run: f"{get_method(entry.spec.method).title}, on all images" for entry in finished}
    if compared is not None:
        titles[compared] = "The one chosen above"
    if len(titles) == 1:
        return next(iter(titles))
    return str(st.selectbox("Which student", list(titles), format_func=titles.__getitem__, key="formats of", width=420))


def _as_files(shown: Shown) -> str | None:
    """Draw the choice of a student of the comparison, with its download; gives its run."""
    if shown.recorded:
        st.info(
            "The students of a recorded comparison do not come with the program: start your own on Distill.",
            icon=":material/info:",
        )
        return None
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = students.select(shown, students.of_all_seeds(shown)).run
        st.download_button(
            "Download (ZIP)",
            lambda: student_archive(state.workspace().runs / run),
            f"{run}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
        )
    st.caption(
        "Holds the weights (safetensors), the classes and the preprocessing, the result, and how to load it with timm. "
        "No teacher is needed any more. Its outputs are not calibrated: `student.json` has the temperature at which "
        "Predict shows its probabilities."
    )
    return run


def _draw_formats(run: str) -> None:
    workspace, slot = state.workspace(), ResultsDraft.current().slots[f"{run} formats"]

    def ask() -> Job:
        return slot.ask(lambda: request_formats(workspace, run))

    job = formats_job(workspace, run)
    if job is not None and jobs.status(job).state != "done":
        waiting.wait_for(job, "Writing and measuring the formats", ask)
        return
    if job is not None:
        try:
            table = measured_formats(job)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
        else:
            _draw_table(job, table)
    else:
        st.markdown(
            "ONNX, ONNX in 8 bits, a folder that runs without this program, and more: each is compared with the "
            "student on images of the task, and measured here. It takes about a minute."
        )
    label = "Write and measure all formats" if job is None else "Measure again"
    if st.button(label, icon=":material/speed:", key=f"formats {run}"):
        ask()
        st.rerun()


def _draw_table(job: Job, table: FormatTable) -> None:
    offered = [row for row in table.rows if not row.problem]
    every = f"ms, {wording.count(table.threads, 'thread')}"
    found = pd.DataFrame(
        {
            "Format": [row.title for row in offered],
            "MB": [row.size / MB for row in offered],
            "Held-out accuracy, %": [None if row.accuracy is None else 100 * row.accuracy for row in offered],
            "ms, 1 thread": [row.one_thread for row in offered],
            every: [row.all_threads for row in offered],
        }
    )
    if table.threads == 1:
        found = found.loc[:, ~found.columns.duplicated()]
    forms = dict.fromkeys(found.columns[1:], tables.PERCENT)
    st.dataframe(tables.written(found, forms), hide_index=True, alt="Size, accuracy and time of each format")
    st.caption(
        f"Milliseconds for one picture at a time, without reading its file, on {escape(table.machine)}, "
        f"{wording.moment(table.measured_at)}."
    )
    with st.container(horizontal=True):
        for row in (row for row in offered if row.check):  # the student itself has its button above
            path = format_archive(job, row.key)
            st.download_button(
                row.title,
                path.read_bytes,
                f"{table.run}-{row.key}.zip",
                "application/zip",
                icon=":material/download:",
                on_click="ignore",
                key=f"download {row.key}",
                disabled=not path.exists(),
            )
    for row in table.rows:
        if row.problem:
            st.caption(f":material/block: {escape(row.title)}: {escape(row.problem)}")
    with st.expander("How each was checked", icon=":material/fact_check:"):
        for row in offered:
            st.markdown(f"**{escape(row.title)}.** {escape(row.check or 'This is the student itself.')}")


def _draw_teacher(run: str, task: Task) -> None:
    workspace, slot = state.workspace(), ResultsDraft.current().slots[f"{run} teacher"]
    if (teacher := teacher_of(workspace, run)) is not None:
        closed = wording.listed([escape(name) for name in (teacher.collection, *teacher.further_collections)])
        st.markdown(f":material/check: It is the teacher **{escape(teacher.title)}**. Closed to it: tasks of {closed}.")
        page.link("teachers", "Teachers")
        return

    def ask() -> Job:
        return slot.ask(lambda: request_as_teacher(workspace, run))

    if (job := slot.not_done()) is not None:
        waiting.wait_for(job, "Adding the student to the teachers", ask)
        return
    st.markdown(
        f"It can teach tasks whose images come from elsewhere than {escape(task.record.collection)}: what it knows of "
        "these would leak."
    )
    if st.button("Add as a teacher", icon=":material/school:", key=f"teacher {run}"):
        try:
            ask()
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
        else:
            st.rerun()
