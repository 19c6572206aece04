"""What the engine finds for a page, kept for all sessions until what it was found in changes.

Tasks themselves are opened in `app/state.py`: what can be chosen depends on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import streamlit as st

from app import state
from engine import intake, review, runs
from engine.delivery import Calibration, KeptPredictions, calibration_of
from engine.errors import WorkbenchError
from engine.images import Reading
from engine.intake import ImportRequest, Preview, Sample
from engine.lessons import LessonMaterial
from engine.predictions import Predictions
from engine.review import Checked
from engine.runs import Ranking, RecordedPanel, Suggestion, TeacherPanel, known_panel, missing_outputs, recorded_panel
from engine.tasks import Draw, Task, groups_of
from engine.teachers import all_teachers
from engine.workspace import Workspace

T = TypeVar("T")


def checked(task: Task) -> Checked:
    """Findings, decisions and advice of an imported task, looked up once for all sessions until the task changes.

    Raises as `engine.review.checked`.
    """
    changed = (task.folder / "task.json").stat().st_mtime_ns
    return _checked(str(task.folder), changed, task)


def previewed(request: ImportRequest, brought: int) -> Preview:
    """What an import would make, looked up once. brought: when its source was, in nanoseconds since the epoch: what is
    brought anew is looked at anew, since files may have changed meanwhile. Raises as `engine.intake.preview`.
    """
    return _previewed(state.workspace(), repr(request), brought, request)


def read_in_ways(
    request: ImportRequest, brought: int, names: tuple[str, ...], readings: tuple[Reading, ...]
) -> tuple[tuple[Sample, ...], ...]:
    """Some images of an import in several readings, looked up once. brought: as for `previewed`.

    Raises as `engine.intake.read_in_ways`.
    """
    wanted = repr(replace(request, reading=None))
    return _read_in_ways(state.workspace(), wanted, brought, names, repr(readings), request, readings)


def predicted_rows(kept: KeptPredictions) -> pa.Table:
    """All rows of predictions as far as they have come, read once for all sessions until there are more."""
    return _predicted_rows(str(kept.folder), kept.lengths, kept)


def predicted_frame(kept: KeptPredictions) -> pd.DataFrame:
    """The same as a data frame, which is not to be changed."""
    return _predicted_frame(str(kept.folder), kept.lengths, kept)


def ranking(task: Task, labels: int | None = None) -> Ranking | None:
    """All teachers ranked by what this session has chosen; None while some outputs of teachers are missing and the
    ranking did not come with the program.

    labels: another number of labels per class than the chosen one. Raises WorkbenchError if no teacher may teach the
    task, or the metric gives no number.
    """
    if (came := recorded(task, labels)) and (found := came.ranking(state.workspace(), task, state.metric())):
        return found
    arguments = (state.workspace(), task.name, task.revision, state.metric(), state.draw(labels), _teachers())
    try:
        return _ranking(*arguments, task)
    except _MissingOutputsError:
        return None


def missing(task: Task, labels: int | None = None) -> int:
    """How many outputs of teachers (images times teachers) a ranking of this session's choice still lacks.

    labels: another number of labels per class than the chosen one.
    """
    return missing_outputs(state.workspace(), task, state.draw(labels))


def panel(task: Task) -> TeacherPanel | None:
    """All metrics with intervals on this session's labeled images, computed here or `recorded`; None while nobody has
    computed them.

    Raises InvalidInputError if no teacher may teach the task.
    """
    own = _own_panel(task)
    if own is None and (came := recorded(task)):
        return came.panel
    return own


def recorded(task: Task, labels: int | None = None) -> RecordedPanel | None:
    """The panel that came with the program, if it is of what this session has chosen and none was computed here.

    labels: another number of labels per class than the chosen one. Raises as `panel`.
    """
    arguments = (state.workspace(), task.name, task.revision, state.draw(labels), _teachers())
    return _recorded(*arguments, task) if _own_panel(task, labels) is None else None


def _own_panel(task: Task, labels: int | None = None) -> TeacherPanel | None:
    try:
        return _panel(state.workspace(), task.name, task.revision, state.draw(labels), _teachers(), task)
    except _MissingOutputsError:
        return None


def _teachers() -> str:
    """What changes when a teacher comes or goes, for the caches' keys."""
    return ",".join(record.key for record in all_teachers(state.workspace()))


def worth_a_label(task: Task, count: int) -> Suggestion:
    """The images worth a label next, chosen once for all sessions until labels or teachers change.

    Raises as `engine.runs.worth_a_label`.
    """
    arguments = (state.workspace(), task.name, task.revision, task.record.given_labels, _teachers(), count)
    return _worth_a_label(*arguments, task)


def calibration(task: Task, predictions: Predictions) -> Calibration:
    """How far a student's probabilities can be trusted, from its predictions of the task's test images.

    Raises as `engine.delivery.calibration_of`, and DamagedFileError.
    """
    content = hashlib.blake2b(repr((predictions.image_ids, predictions.classes)).encode(), digest_size=16)
    content.update(predictions.labels.tobytes())
    content.update(predictions.probabilities.tobytes())
    return _calibration(state.workspace(), task.name, task.revision, content.hexdigest(), task, predictions)


def lesson_value(what: str, material: LessonMaterial, compute: Callable[[], T]) -> T:
    """What a lesson computes of its material, kept for all sessions. what: names it, with all it follows from beside
    the material.
    """
    teachers = tuple((teacher.name, teacher.key) for teacher in material.teachers)
    about = (material.task.name, material.task.revision, material.draw, material.recorded, teachers)
    content = hashlib.blake2b(material.rows.tobytes() + material.known.tobytes(), digest_size=16).hexdigest()
    found: T = _lesson_value(state.workspace(), what, about, content, compute)
    return found


class _MissingOutputsError(WorkbenchError):
    """Outputs of teachers are missing. Raised inside a cached function so that it is not remembered."""


# Streamlit leaves arguments that begin with "_" out of a cache's key; all others here are its key.


@st.cache_resource(max_entries=16, show_spinner=False)
def _checked(folder: str, changed: int, _task: Task) -> Checked:
    return review.checked(_task)


@st.cache_resource(max_entries=8, ttl=900, show_spinner=False)
def _predicted_rows(folder: str, lengths: tuple[int, ...], _kept: KeptPredictions) -> pa.Table:
    return _kept.rows()


@st.cache_resource(max_entries=8, ttl=900, show_spinner=False)
def _predicted_frame(folder: str, lengths: tuple[int, ...], _kept: KeptPredictions) -> pd.DataFrame:
    frame: pd.DataFrame = predicted_rows(_kept).to_pandas()
    return frame


@st.cache_resource(max_entries=16, ttl=900, show_spinner=False)
def _previewed(workspace: Workspace, wanted: str, brought: int, _request: ImportRequest) -> Preview:
    return intake.preview(workspace, _request)


@st.cache_resource(max_entries=32, ttl=900, show_spinner=False)
def _read_in_ways(
    workspace: Workspace,
    wanted: str,
    brought: int,
    names: tuple[str, ...],
    ways: str,
    _request: ImportRequest,
    _readings: tuple[Reading, ...],
) -> tuple[tuple[Sample, ...], ...]:
    return intake.read_in_ways(workspace, _request, names, _readings)


@st.cache_resource(max_entries=256, show_spinner=False)
def _ranking(
    workspace: Workspace,
    name: str,
    revision: str,
    metric: str,
    draw: Draw,
    teachers: str,
    _task: Task,
) -> Ranking:
    if missing_outputs(workspace, _task, draw):
        raise _MissingOutputsError
    return runs.rank(workspace, _task, metric=metric, draw=draw)


@st.cache_resource(max_entries=32, ttl=900, show_spinner="Choosing images")
def _worth_a_label(
    workspace: Workspace, name: str, revision: str, labels: str, teachers: str, count: int, _task: Task
) -> Suggestion:
    return runs.worth_a_label(workspace, _task, count)


@st.cache_resource(max_entries=64, show_spinner=False)
def _panel(workspace: Workspace, name: str, revision: str, draw: Draw, teachers: str, _task: Task) -> TeacherPanel:
    found = known_panel(workspace, _task, draw)
    if found is None:
        raise _MissingOutputsError
    return found


@st.cache_resource(max_entries=64, show_spinner=False)
def _recorded(
    workspace: Workspace, name: str, revision: str, draw: Draw, teachers: str, _task: Task
) -> RecordedPanel | None:
    return recorded_panel(workspace, _task, draw)


@st.cache_resource(max_entries=64, ttl=900, show_spinner="Computing it on these images")
def _lesson_value(
    workspace: Workspace, what: str, about: tuple[object, ...], content: str, _compute: Callable[[], Any]
) -> Any:
    return _compute()


@st.cache_resource(max_entries=16, show_spinner="Measuring how far its probabilities can be trusted")
def _calibration(
    workspace: Workspace, name: str, revision: str, content: str, _task: Task, _predictions: Predictions
) -> Calibration:
    return calibration_of(_predictions, groups_of(_task, _predictions.image_ids))
