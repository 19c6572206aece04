"""Predict: corrections, which become labels of the task."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components import labeler, wording
from app.components.escaping import escape
from app.components.labeler import Tile
from app.drafts import task_key
from app.views.predict.draft import LabelsToSend, PredictDraft
from engine import tasks
from engine.delivery import KeptPredictions, PredictSpec, send_back, spec_of_prediction
from engine.errors import WorkbenchError
from engine.files import canonical_hash
from engine.jobs import Job
from engine.tasks import Task

NO_PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAMLCwgAAACH5BAAAAAAALAAAAAABAAEAAAICRAEAOw=="


def draw(task: Task, job: Job, kept: KeptPredictions, rows: pd.DataFrame, places: Sequence[int]) -> None:
    """The images of one sheet, to be labeled; what was labeled is sent on a click."""
    if not tasks.is_own(task):
        st.info(
            "This task came with the program and stays as it is. Predictions of a task of your own can be corrected "
            "here; the corrections become its labels.",
            icon=":material/lock:",
        )
        return
    _say_sent()
    st.caption(
        "Choose an image and give it its class, or confirm the one it has; other images stay out. Held-out images that "
        "the task has keep testing it."
    )
    copies = kept.thumbnails(places)
    tiles = [
        Tile(place, _uri(copy), f"{rows['file'][place]} · {wording.percent(rows['probability'][place], 0)}")
        for place, copy in zip(places, copies, strict=True)
    ]
    classes = list(dict.fromkeys([*task.classes, *task.record.given_classes]))
    held = PredictDraft.current().corrections[task_key(task), job.id]
    files = {place: str(rows["file"][place]) for place in places}
    said = {place: str(rows["class"][place]) for place in places}
    done = labeler.draw(
        tiles,
        classes,
        {place: held.wanted.get(file) or held.sent.get(file, said[place]) for place, file in files.items()},
        key=f"corrections {job.id} {held.round} {canonical_hash(list(places))}",
        more=False,  # sheets lead to the others
        waiting=[place for place, file in files.items() if file in held.wanted],
    )
    elsewhere = {file: label for file, label in held.wanted.items() if file not in files.values()}
    here = {files[place]: label for place, label in done.labels.items() if label is not None}
    held.wanted = elsewhere | here
    _offer_sending(task, job, held, len(elsewhere))


def _offer_sending(task: Task, job: Job, held: LabelsToSend, elsewhere: int) -> None:
    """The button that sends what waits; elsewhere: how many of these labels are of images that are not shown."""
    with st.container(horizontal=True, vertical_alignment="center"):
        count = len(held.wanted)
        text = f"Send {wording.count(count, 'label')} to the task" if count else "Send labels to the task"
        if st.button(text, type="primary", icon=":material/send:", disabled=not count):
            _send(task, spec_of_prediction(job), held)
        if elsewhere:
            st.caption(f"{elsewhere:,} of them {'is' if elsewhere == 1 else 'are'} not shown here.", width="content")


def _uri(copy: bytes | None) -> str:
    return NO_PICTURE if copy is None else f"data:image/jpeg;base64,{base64.b64encode(copy).decode()}"


def _send(task: Task, spec: PredictSpec, held: LabelsToSend) -> None:
    with st.spinner("Reading these images once more"):
        try:
            back = send_back(state.workspace(), task, spec.source, held.wanted, spec.images)
        except WorkbenchError as error:
            st.error(escape(str(error)), icon=":material/error:")
            return
    held.sent |= held.wanted
    held.wanted, held.round = {}, held.round + 1
    parts = [f"{wording.count(back.relabeled, 'image')} of the task labeled anew"] if back.relabeled else []
    parts += [f"{wording.count(back.added, 'new image')} added to it for training"] if back.added else []
    said = f"{wording.listed(parts) or 'Nothing was taken'}. A new comparison uses them."
    PredictDraft.current().sent = " ".join([said, *back.problems])
    st.rerun()


def _say_sent() -> None:
    draft = PredictDraft.current()
    if draft.sent:
        st.success(escape(draft.sent), icon=":material/check_circle:")
        draft.sent = ""
