"""Predict: which student, which images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from app import queues, state
from app.components import wording
from app.components.escaping import escape
from app.views.predict.draft import PredictDraft
from app.visitor_cookie import is_demo
from app.visitors import upload_megabytes
from engine import intake
from engine.delivery import PredictSpec, TaskStudent, request_prediction, spec_of_prediction
from engine.errors import WorkbenchError
from engine.intake import ARCHIVE_SUFFIXES, SINGLE_TABLES
from engine.jobs import Job
from engine.methods import REFERENCE
from engine.tasks import Task

WAYS = {
    "files": ":material/upload_file: Drop files",
    "folder": ":material/drive_folder_upload: Drop a folder",
    "server": ":material/dns: On the server",
    "camera": ":material/photo_camera: Camera",
}
UPLOAD_MEGABYTES = 1000  # an upload lies in the server's memory until it is kept
NOBODY = ""  # no other student


def draw(task: Task, students: Sequence[TaskStudent]) -> None:
    """The choice of student and images; what is brought is predicted at once."""
    draft = PredictDraft.current()
    _choose_student(task, students)
    way = st.segmented_control(
        "Where are the images?",
        [way for way in WAYS if way != "server" or not is_demo()],
        format_func=WAYS.__getitem__,
        required=True,
        **state.bound("predict way", draft.way, draft.put("way")),
    )
    if way == "server":
        _server(task, students)
        return
    if way == "camera":
        picture = st.camera_input("Take a picture", key=f"predict camera {draft.round}", width=420)
        dropped = [picture] if picture is not None else []
    else:
        folder = way == "folder"
        dropped = st.file_uploader(
            "A folder of images" if folder else "Images, a ZIP of them, or a table of their names and its ZIP",
            accept_multiple_files="directory" if folder else True,
            max_upload_size=upload_megabytes(UPLOAD_MEGABYTES),
            key=f"predict {way} {draft.round}",
        )
    if dropped:
        _take_up(task, students, dropped)


def ranked(students: Sequence[TaskStudent]) -> list[TaskStudent]:
    """Those that learned from all labels first, the newest of them before; then by held-out accuracy."""
    return sorted(students, key=lambda one: -(1.0 if one.result.accuracy is None else one.result.accuracy))


def chosen_student(task: Task, students: Sequence[TaskStudent]) -> TaskStudent:
    """The student that predicts."""
    order = ranked(students)
    run = PredictDraft.current().student.get(task.name)
    return next((one for one in order if one.run == run), order[0])


def _choose_student(task: Task, students: Sequence[TaskStudent]) -> None:
    draft, by_run = PredictDraft.current(), {one.run: one for one in ranked(students)}
    left, right = st.columns(2)
    chosen = chosen_student(task, students)
    left.selectbox(
        "Student",
        list(by_run),
        format_func=lambda run: title(by_run[run]),
        **state.bound("predict student", chosen.run, lambda run: draft.student.update({task.name: run})),
    )
    others = {one.run: one for one in by_run.values() if can_stand_beside(one, chosen)}
    right.selectbox(
        "Beside it",
        [NOBODY, *others],
        format_func=lambda run: title(others[run]) if run else "No other student",
        help="What another student of this task says of the same images, where both look at images of one size.",
        **state.bound(
            "predict beside",
            beside_of(task, students),
            lambda run: draft.beside.update({task.name: run}),
        ),
    )


def can_stand_beside(other: TaskStudent, chosen: TaskStudent) -> bool:
    """Whether another student can answer for the same images in one go."""
    return other.run != chosen.run and other.looks_like(chosen)


def beside_of(task: Task, students: Sequence[TaskStudent]) -> str:
    """The run beside the chosen one: as it was chosen, else fine-tuning's, where there is one."""
    chosen = chosen_student(task, students)
    others = [one for one in ranked(students) if can_stand_beside(one, chosen)]
    wanted = PredictDraft.current().beside.get(task.name)
    if wanted == NOBODY or wanted in [one.run for one in others]:
        return str(wanted)
    if chosen.result.method == REFERENCE.key:  # it is what others stand beside
        return NOBODY
    plain = [one for one in others if one.result.method == REFERENCE.key]
    same_seed = [one for one in plain if one.result.seed == chosen.result.seed]
    return next((one.run for one in [*same_seed, *plain]), NOBODY)


def title(one: TaskStudent) -> str:
    """A student in a few words."""
    result = one.result
    parts = [f"{result.title}, seed {result.seed}"]
    own = result.accuracy
    parts.append("learned from all labels" if own is None else f"{wording.percent(own)} held out")
    parts.append(f"{one.student.input_size} px")
    if result.finished:
        parts.append(wording.ago(result.finished))
    return " · ".join(parts)


def _server(task: Task, students: Sequence[TaskStudent]) -> None:
    offered = intake.offered_sources(state.workspace())
    if not offered:
        st.info(
            "This server may not read its own folders yet. Whoever runs it names some in "
            f'{escape(str(state.workspace().settings))}, such as \\{{"import": \\{{"roots": '
            '\\["/data"\\]\\}\\}. Until then, drop a ZIP or a folder.',
            icon=":material/folder_off:",
        )
        return
    path = st.selectbox(
        "A folder, archive, table or image of the server",
        offered,
        index=None,
        accept_new_options=True,
        placeholder="Choose one, or write its path",
    )
    if st.button("Predict", type="primary", icon=":material/play_arrow:", disabled=not path) and path:
        _ask(task, students, path)


def _take_up(task: Task, students: Sequence[TaskStudent], dropped: Sequence[Any]) -> None:
    """Keep what was dropped and predict it; the uploader is emptied, so that it holds no memory."""
    with st.spinner("Keeping what you dropped"):
        try:
            source, pictures = _keep(dropped)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
    PredictDraft.current().round += 1
    _ask(task, students, source, pictures)


def _keep(dropped: Sequence[Any]) -> tuple[str, str]:
    """The source, and where its images lie if a table and an archive came together. Raises WorkbenchError."""
    kinds = (SINGLE_TABLES, ARCHIVE_SUFFIXES)
    of_kind = [[item for item in dropped if item.name.lower().endswith(kind)] for kind in kinds]
    if len(dropped) == 2 and all(len(found) == 1 for found in of_kind):
        table, archive = (intake.keep_upload(state.workspace(), [(found[0].name, found[0])]) for found in of_kind)
        return table, archive
    return intake.keep_upload(state.workspace(), [(item.name, item) for item in dropped]), ""


def _ask(task: Task, students: Sequence[TaskStudent], source: str, pictures: str = "") -> None:
    draft = PredictDraft.current()
    chosen = chosen_student(task, students).run
    wanted = PredictSpec(task.name, chosen, source, draft.unsure, beside_of(task, students), pictures)
    try:
        job = draft.asked.ask(lambda: request_prediction(state.workspace(), wanted, state.device()))
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    draft.chosen[task.name] = job.id
    draft.sheet, draft.classes, draft.only = 1, [], "all"
    st.rerun()


def again(job: Job) -> Job:
    """Ask for the same predictions once more; what is done of them stays."""
    found = request_prediction(state.workspace(), spec_of_prediction(job), job.device)
    queues.queue(found.device)
    return found
