"""A warning where one is about to change a task that jobs still wait for."""

from __future__ import annotations

import streamlit as st

from app import state
from app.components import wording
from engine.runs import users_of_task
from engine.tasks import Task


def warn(task: Task, what: str) -> None:
    """Say so if jobs of the task have not ended: each was asked for as the task was then. `what` changes the task, such
    as "A decision".
    """
    unfinished = users_of_task(state.workspace(), task.name).unfinished
    if unfinished:
        st.warning(
            f"{wording.count(len(unfinished), 'job')} of this task {'has' if len(unfinished) == 1 else 'have'} not "
            f"ended. {what} changes the task, and jobs that have not begun then stop with a message.",
            icon=":material/hourglass_top:",
        )
