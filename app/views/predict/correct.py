"""Predict: corrections, which become labels of the task."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import state
from app.components import labeler, wording
from app.components.escaping import escape
from app.components.labeler import Tile
from app.drafts import task_key
from app.views.predict.draft import LabelsToSend, PredictDraft
from engine import tasks
from engine.delivery import KeptPredictions, PredictSpec, SentBack, send_back, spec_of_prediction
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
    _take_late(held, files, classes)
    key = f"corrections {job.id} {held.round} {canonical_hash(list(places))}"
    if key != held.grid:  # what it begins with stays as it was: else each label would send all its pictures again
        held.grid = key
        held.begun = {p: held.wanted.get(file) or held.sent.get(file, said[p]) for p, file in files.items()}
        held.waiting = [place for place, file in files.items() if file in held.wanted]
    # Sheets lead to the others.
    done = labeler.draw(tiles, classes, held.begun, key=key, more=False, waiting=held.waiting)
    elsewhere = {file: label for file, label in held.wanted.items() if file not in files.values()}
    here = {files[place]: label for place, label in done.labels.items() if label is not None}
    held.wanted = elsewhere | here
    _offer_sending(task, job, held, len(elsewhere))


def _take_late(held: LabelsToSend, files: Mapping[int, str], classes: Sequence[str]) -> None:
    """Labels that were given in the grid of before while it was being sent wait to be sent as well."""
    if not held.before:
        return
    given = (st.session_state.get(held.before) or {}).get("labels") or {}
    held.before = ""
    for place, label in given.items():
        file = files.get(int(place))
        if file is not None and label in classes and held.sent.get(file) != label:
            held.wanted[file] = label


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
        # At once: leaving the spinner may end this run of the page, if a label was given meanwhile.
        held.sent |= {file: label for file, label in held.wanted.items() if file not in back.left}
        held.wanted = {file: label for file, label in held.wanted.items() if file in back.left}
        held.round, held.before = held.round + 1, held.grid
        PredictDraft.current().sent = _what_became(back)
    st.rerun()


def _what_became(back: SentBack) -> str:
    """Sentences about it."""
    parts = [f"{wording.count(back.relabeled, 'image')} of the task labeled anew"] if back.relabeled else []
    place = "it" if parts else "the task"
    parts += [f"{wording.count(back.added, 'new image')} added to {place}"] if back.added else []
    said = f"{wording.listed(parts)}. A new comparison uses them." if parts else "Nothing was taken."
    left = f"{wording.count(len(back.left), 'label still waits', 'labels still wait')} to be sent." if back.left else ""
    return " ".join(filter(None, [said, *back.problems, left]))


def _say_sent() -> None:
    draft = PredictDraft.current()
    if draft.sent:
        st.success(escape(draft.sent), icon=":material/check_circle:")
        draft.sent = ""
