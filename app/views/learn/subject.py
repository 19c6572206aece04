"""Which task the lessons are about: the chosen one where its teachers have looked at enough of it, else the one whose
material comes with the program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from app import state
from app.components import labels
from app.components.escaping import escape
from engine.errors import WorkbenchError
from engine.lessons import LessonMaterial, lesson_material, recorded_material
from engine.runs import missing_outputs
from engine.tasks import Draw, Task, task_names
from engine.teachers import all_teachers
from engine.workspace import Workspace


@dataclass(frozen=True)
class Subject:
    """material: None where there is none at all. about: which images these are, in Markdown. instead_of: the task that
    was chosen and has not enough for lessons.
    """

    material: LessonMaterial | None
    about: str
    instead_of: Task | None = None


def choose_task() -> None:
    """The choice of the task, beside the lessons: they change with it."""
    names = task_names(state.workspace())
    chosen = state.task_name()
    st.selectbox(
        "Task",
        names,
        index=None,
        format_func=_title,
        placeholder="Choose a task",
        width=320,
        **state.bound("learn task", chosen if chosen in names else None, _choose),
    )


def find(lack: Callable[[LessonMaterial], str]) -> Subject:
    """What a lesson is about. lack: why it cannot be about some material, empty where it can. Raises DamagedFileError,
    StorageError.
    """
    try:
        task = state.task()
    except WorkbenchError as error:
        return _fall_back(f"{escape(str(error))} So this lesson is about", None)
    if task is None:
        return _fall_back("No task is chosen, so this lesson is about", None)
    title = escape(task.record.title)
    if not task.available_labels().any():
        return _fall_back(f"No training image of **{title}** has a label yet, so this lesson is about", task)
    if (material := _material(task)) is not None:
        if missing := lack(material):
            return _fall_back(f"**{title}** {missing}, so this lesson is about", task)
        return Subject(material, f"About **{title}**: {_images(material)}.")
    here = _recorded(state.workspace())
    if here is not None and here.task.name == task.name:
        return Subject(here, f"About **{title}**: {_images(here)}, recorded with the program.", task)
    if missing_outputs(state.workspace(), task, state.draw()):  # also where its ranking came with the program
        return _fall_back(f"No teacher has looked at **{title}** here yet, so this lesson is about", task)
    return _fall_back(f"**{title}** has too few labels, so this lesson is about", task)


def _fall_back(why: str, task: Task | None) -> Subject:
    material = _recorded(state.workspace())
    if material is None:
        return Subject(None, f"{why} nothing: their own images are not here.", task)
    return Subject(
        material,
        f"{why} **{escape(material.task.record.title)}**: {_images(material)}, recorded with the program.",
        task,
    )


def _images(material: LessonMaterial) -> str:
    there = labels.in_words(material.task, material.draw.labels_per_class)
    return f"{len(material.rows):,} of its training images, {int(material.drawn.sum()):,} of them drawn with {there}"


def _title(name: str) -> str:
    try:
        return state.open_labels(name).record.title
    except WorkbenchError:
        return name


def _choose(name: str | None) -> None:
    if name is not None:
        state.set_task(name)


def _material(task: Task) -> LessonMaterial | None:
    workspace, draw = state.workspace(), state.draw()
    keys = ",".join(record.key for record in all_teachers(workspace))
    lacking = missing_outputs(workspace, task, draw)
    return _kept(workspace, task.name, task.revision, draw, keys, lacking, task)


# Streamlit leaves arguments that begin with "_" out of a cache's key.


@st.cache_resource(max_entries=64, ttl=600, show_spinner="Reading what the teachers said")
def _kept(
    workspace: Workspace, name: str, revision: str, draw: Draw, teachers: str, lacking: int, _task: Task
) -> LessonMaterial | None:
    return lesson_material(workspace, _task, draw)


@st.cache_resource(max_entries=64, ttl=600, show_spinner="Reading what the teachers said")
def _recorded(workspace: Workspace) -> LessonMaterial | None:
    return recorded_material(workspace)
