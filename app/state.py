"""What a session has chosen, on whatever page. What one page remembers for itself is in its draft (`app/drafts.py`).

Task, its part, teacher, comparison and section of Results are kept in the URL, so that a link opens what its sender
saw; the rest lives as long as the session.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from app import visitors
from app.visitor_cookie import is_demo
from engine import devices, review, runs, tasks
from engine.errors import WorkbenchError
from engine.methods import DEFAULT_P
from engine.similarity import METRICS
from engine.tasks import ALL, Budget, Draw, Task, all_labels
from engine.tasks import labels_per_class as in_numbers
from engine.teachers import teacher_names
from engine.workspace import Workspace

LABEL_BUDGETS = (1, 2, 5, 10, 20)  # labels per class that the pages offer
URL_KEYS = ("task", "part", "teacher", "comparison", "section")  # in this order: a new task forgets the first others
PARTS = ("images", "check", "label")  # of an own task's page
LONGEST_NAME = 255  # bytes of a folder's name on usual file systems
_WRITTEN = "written to the URL"  # what this session last put there; anything else comes from the user


def synchronize_url() -> None:
    """Take up what a link or the browser's back button brought, and put what is chosen into the URL. Once a run."""
    written = st.session_state.setdefault(_WRITTEN, {})
    brought = {key: value for key in URL_KEYS if (value := st.query_params.get(key)) and value != written.get(key)}
    setters: dict[str, Callable[[str], None]] = {
        "task": set_task,
        "part": set_part,
        "teacher": set_teacher,
        "comparison": set_comparison,
        "section": set_section,
    }
    for key, value in brought.items():
        setters[key](value)
    for key in URL_KEYS:
        _write_url(key, st.session_state.get(key))
    _synchronize_labels(written)


def _synchronize_labels(written: Mapping[str, Any]) -> None:
    """The same for the choice of labels, which is in the URL where it is not the usual one."""
    brought = {key: value for key in ("labels", "draw") if (value := st.query_params.get(key)) != written.get(key)}
    labels, draw = brought.get("labels"), brought.get("draw")
    if labels == ALL or _is_budget(labels):
        _put("labels_per_class", ALL if labels == ALL else int(str(labels)))
    if draw is not None and draw.isdecimal() and len(draw) <= 4:
        _put("seed", int(draw))
    chosen = st.session_state.get("labels_per_class")
    _write_url("labels", None if chosen is None else str(chosen))
    _write_url("draw", str(seed()) if seed() else None)


def _is_budget(text: str | None) -> bool:
    return text is not None and text.isdecimal() and len(text) <= 6 and int(text) > 0


def workspace() -> Workspace:
    """The workspace that the environment names; in a demo this visitor's scratch over it. Raises as
    `app.visitors.workspace`.
    """
    return visitors.workspace() if is_demo() else Workspace.from_environment()


def machine() -> Workspace:
    """The workspace whose lanes do the jobs of all sessions: the one that the environment names."""
    return Workspace.from_environment()


def task_name() -> str | None:
    """Name of the chosen task, whether or not there is one of that name."""
    return st.session_state.get("task")


def task() -> Task | None:
    """The chosen task, opened once for all sessions; None while none is chosen.

    Raises UnknownNameError if a link named a task that is not there, DamagedFileError or StorageError.
    """
    name = task_name()
    return open_task(name) if name else None


def open_task(name: str) -> Task:
    """A task by name, opened once for all sessions as long as its record does not change. Raises as `task`."""
    if not _is_folder_name(name) or not _record(name).exists():
        review.open_task(workspace(), name)  # copies a bundled task into the workspace
    return _opened_task(workspace(), name, _record(name).stat().st_mtime_ns)


def task_as_labeled() -> Task | None:
    """The chosen task as it lies on disk: labels by hand may be newer than its split. None while none is chosen.

    Raises UnknownNameError, DamagedFileError or StorageError.
    """
    name = task_name()
    return open_labels(name) if name else None


def open_labels(name: str) -> Task:
    """A task by name as `task_as_labeled`, read once for all sessions as long as its record does not change."""
    if not _is_folder_name(name) or not _record(name).exists():
        tasks.task_as_labeled(workspace(), name)  # copies a bundled task into the workspace
    return _labels(workspace(), name, _record(name).stat().st_mtime_ns)


def set_task(name: str) -> None:
    """Choose a task; what was chosen for another one is forgotten."""
    before = task_name()
    if name != before:
        _put("task", name)
        if before is not None:
            _forget_choices()


def forget_task(name: str) -> None:
    """Choose no task if `name` was chosen: it was removed."""
    if name == task_name():
        _put("task", None)
        _forget_choices()


def _forget_choices() -> None:
    """Forget what was chosen for one task: it means nothing for another."""
    for key in ("part", "teacher", "comparison", "labels_per_class", "manual_alpha"):
        _put(key, None)


def part() -> str:
    """Which part of an own task's page is shown: one of `PARTS`."""
    return str(st.session_state.get("part") or PARTS[0])


def set_part(name: str | None) -> None:
    """Choose a part of the task's page; one that is none is the first one."""
    _put("part", name if name in PARTS[1:] else None)


def labels_per_class() -> int:
    """How many images of each class are labeled: what was chosen, at most all that there are, or what is usual."""
    chosen: Budget | None = st.session_state.get("labels_per_class")
    found = _task_or_none()
    if found is None:
        return chosen if isinstance(chosen, int) else Draw.labels_per_class
    return min(in_numbers(found, chosen), all_labels(found))


def draw(labels: int | None = None) -> Draw:
    """Which labels this session has chosen. labels: another number of labels per class than the chosen one."""
    return Draw(labels or labels_per_class(), seed())


def uses_all_labels() -> bool:
    """Whether no label of the chosen task is left out, however many there are."""
    chosen: Budget | None = st.session_state.get("labels_per_class")
    if isinstance(chosen, int):
        found = _task_or_none()
        return found is not None and chosen >= all_labels(found)
    try:
        labeled = task_as_labeled()  # whose labels need no review here
    except WorkbenchError:
        return False
    return labeled is not None and (chosen == ALL or tasks.is_own(labeled))


def _task_or_none() -> Task | None:
    try:
        return task()
    except WorkbenchError:
        return None


def set_labels_per_class(chosen: Budget | None) -> None:
    """Choose the label budget, or None for what is usual for the task."""
    _put("labels_per_class", chosen)
    _put("manual_alpha", None)


def seed() -> int:
    """Which draw of labeled images the pages show and rank on."""
    return int(st.session_state.get("seed", 0))


def set_seed(value: int | None) -> None:
    """Choose the draw of labeled images; None leaves it."""
    if value is not None:
        _put("seed", max(0, int(value)))


def metric() -> str:
    """Key of the similarity metric."""
    chosen = st.session_state.get("metric", runs.DEFAULT_METRIC)
    return chosen if chosen in METRICS else runs.DEFAULT_METRIC


def set_metric(key: str | None) -> None:
    """Choose the similarity metric; None leaves it."""
    if key:
        _put("metric", key)


def p() -> float:
    """Exponent of the weights, from 0 (equal shares) to infinity (the one nearest teacher)."""
    return float(st.session_state.get("p", DEFAULT_P))


def set_p(value: float | None) -> None:
    """Choose the exponent of the weights, which ends weights set by hand; None leaves it."""
    if value is not None and not math.isnan(value) and value >= 0:
        _put("p", float(value))
        _put("manual_alpha", None)


def manual_alpha() -> dict[str, float] | None:
    """Weights set by hand, by teacher; None where metric and p decide."""
    chosen = st.session_state.get("manual_alpha")
    return dict(chosen) if chosen else None


def set_manual_alpha(alpha: Mapping[str, float] | None) -> None:
    """Set weights by hand, or None to let metric and p decide."""
    _put("manual_alpha", dict(alpha) if alpha else None)


def teacher() -> str | None:
    """Name of the chosen teacher; None while none is chosen or the one a link named is not there."""
    chosen = st.session_state.get("teacher")
    return chosen if chosen in teacher_names(workspace()) else None


def set_teacher(name: str | None) -> None:
    """Choose a teacher."""
    _put("teacher", name)


def comparison() -> str | None:
    """Id of the chosen comparison, whether or not there is one of that id."""
    return st.session_state.get("comparison")


def set_comparison(comparison_id: str | None) -> None:
    """Choose a comparison."""
    _put("comparison", comparison_id)


def section() -> str | None:
    """Which section of Results is shown, by its name in the URL, whether or not there is one; None for the first."""
    return st.session_state.get("section")


def set_section(name: str | None) -> None:
    """Choose a section of Results."""
    _put("section", name)


def device() -> str:
    """Device on which jobs of this session run; at first the fastest one."""
    chosen = st.session_state.get("device")
    return chosen if chosen in devices.available() else devices.resolve(None)


def set_device(name: str | None) -> None:
    """Choose a device; None leaves it."""
    if name:
        _put("device", name)


def bound(name: str, value: Any, setter: Callable[[Any], None]) -> dict[str, Any]:
    """Arguments that tie a widget to a value here: `st.toggle("Live", **bound("live", live(), set_live))`.

    The widget shows `value` at every run, also after its page was left, and a change calls `setter` before the rerun.
    """
    key = f"widget {name}"
    st.session_state[key] = value
    return {"key": key, "on_change": lambda: setter(st.session_state[key])}


@st.cache_resource(max_entries=32, show_spinner="Reading the labels")
def _opened_task(workspace: Workspace, name: str, changed: int) -> Task:
    return review.open_task(workspace, name)


@st.cache_resource(max_entries=200, show_spinner=False)  # Start looks at all tasks, each time
def _labels(workspace: Workspace, name: str, changed: int) -> Task:
    return tasks.task_as_labeled(workspace, name)


def _record(name: str) -> Path:
    return workspace().tasks / name / "task.json"


def _is_folder_name(name: str) -> bool:
    """Whether a name that anybody may have written into the address can be that of a folder here."""
    return Path(name).name == name and "\0" not in name and len(name.encode()) <= LONGEST_NAME


def _put(key: str, value: Any) -> None:
    st.session_state[key] = value
    if key in URL_KEYS:
        _write_url(key, value)


def _write_url(key: str, value: str | None) -> None:
    st.session_state.setdefault(_WRITTEN, {})[key] = value
    if value is None:
        if key in st.query_params:
            del st.query_params[key]
    elif st.query_params.get(key) != value:
        st.query_params[key] = value
