"""What every page has: its header, what to say when something is missing, and errors as sentences."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

import streamlit as st

from app import drafts, queues, state
from app.components import wording
from app.components.escaping import escape
from engine.errors import UnknownNameError, WorkbenchError
from engine.tasks import Task

P = ParamSpec("P")
_log = logging.getLogger("distill-workbench")


def header(title: str, lead: str, *, about_task: bool = True) -> None:
    """The page's title and one or two sentences that say what it is for. about_task: name the chosen task above it, as
    the sidebar may be closed.
    """
    if about_task and (chosen := _chosen()):
        st.markdown(f":small[:material/photo_library: Task **{chosen[0]}** · {chosen[1]}]")
    st.title(title, anchor=False)
    st.markdown(lead)


def link(name: str, label: str, icon: str = ":material/arrow_forward:") -> None:
    """A link to the page called `name`, such as "task"."""
    st.page_link(f"views/{name}/page.py", label=label, icon=icon)


def go(name: str) -> None:
    """Open the page called `name` at once."""
    st.switch_page(f"views/{name}/page.py")


def missing(text: str, name: str, label: str, icon: str = ":material/info:") -> None:
    """Say what is missing, and link to the page on which to get it."""
    with st.container(border=True):
        st.markdown(f"{icon} {text}")
        link(name, label)


def required_task() -> Task:
    """The chosen task; without one the page says so, links to Start, and ends. Raises as `state.task`."""
    return _required(state.task)


def required_labels() -> Task:
    """The chosen task as it is labeled, whether or not its labels were reviewed since; else as `required_task`."""
    return _required(state.task_as_labeled)


def _required(get: Callable[[], Task | None]) -> Task:
    try:
        task = get()
    except UnknownNameError as error:
        missing(escape(str(error)), "start", "Choose a task", ":material/error:")
        st.stop()
    if task is None:
        missing("No task is chosen yet: everything on this page is about one.", "start", "Choose a task")
        st.stop()
    return task


def renew_if_replaced(task: Task, key: str) -> None:
    """In a fragment, which reruns without its page: draw the whole page if another task has this name by now.

    key: the `drafts.task_key` that the task had when the page was drawn; its files may be those of the other one.
    """
    if drafts.task_key(state.open_labels(task.name)) != key:
        st.rerun()


# Streamlit writes white on the dark theme's primary color, 3.2 to 1. No color has 4.5 to 1 both below white and as text
# on a dark page, and no option of the theme sets what stands on it; `important` is for hovering and pressing.
_STYLE = (
    '<style>button[data-testid^="stBaseButton-primary"]:not(:disabled)'
    "{color: light-dark(#ffffff, #04100f) !important}</style>"
)


def style() -> None:
    """The one rule of style that the theme cannot say. Once a run."""
    st.html(_STYLE)


def sidebar() -> None:
    """What is chosen, beside every page."""
    if chosen := _chosen():
        st.sidebar.caption(f"Task: **{chosen[0]}**  \n{chosen[1]}")


def _chosen() -> tuple[str, str] | None:
    """The chosen task's title, escaped, and how many of its labels are used; None while there is none to be opened."""
    name = state.task_name()
    if not name:
        return None
    try:
        title = state.open_labels(name).record.title
    except WorkbenchError:
        return None
    if state.uses_all_labels():
        return escape(title), "all labels"
    return escape(title), f"{wording.count(state.labels_per_class(), 'label')} per class, draw {state.seed()}"


def name_tab(title: str) -> None:
    """Call the browser's tab by page and task, so that several can be distinguished."""
    name = state.task_name()
    parts = [title]
    if name:
        try:
            parts.append(state.open_labels(name).record.title)
        except WorkbenchError:
            parts.append(name)
    st.set_page_config(page_title=" · ".join([*parts, "Distill Workbench"]))


def queue_problem() -> None:
    """Say so if nothing can run, since the workspace or a cluster refuses."""
    for problem in queues.problems(state.device()):
        st.error(f"No job can run: {escape(problem)}", icon=":material/error:")


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn whatever is raised inside into a sentence on the page; the traceback goes to the server's log."""
    try:
        yield
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
    except Exception:  # the last resort of a page: anything may be raised, and a user never sees a traceback
        _log.exception("A page could not be shown")
        st.error(
            "This page could not be shown because of an error in the program; details are in the server's log. "
            "Load it again, or go back to Start.",
            icon=":material/error:",
        )
        link("start", "Start", ":material/home:")


def guarded(function: Callable[P, None]) -> Callable[P, None]:
    """A fragment's body whose errors become sentences: a fragment reruns by itself, outside of its page's guard."""

    @functools.wraps(function)
    def inner(*args: P.args, **kwargs: P.kwargs) -> None:
        with errors_as_sentences():
            function(*args, **kwargs)

    return inner
