"""Start: what this is, and the tasks to choose from."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import state
from app.components import images, page, wording
from engine import tasks
from engine.errors import WorkbenchError
from engine.tasks import Task

PICTURES = 18  # on a card: one of each class, as far as they go


def render() -> None:
    """The page."""
    page.header(
        "Distill Workbench",
        "Find the pretrained networks that fit your images, the **teachers**, and distill them into one small network "
        "of your own, the **student**. A few labeled images of each class are enough, the many unlabeled ones teach as "
        "well, and everything runs on this machine.",
    )
    bundled = tasks.bundled_names()
    own = [name for name in tasks.task_names(state.home()) if name not in bundled]
    st.subheader("Choose a task", anchor=False)
    st.caption("A task is what the student has to learn: classes, and images of them. These come with the program.")
    _cards(bundled)
    if own:
        st.subheader("Your own tasks", anchor=False)
        _cards(own)
    if not bundled and not own:
        st.warning(
            f"No task is here: the folder {page.escape(str(tasks.catalogue.ASSETS))} holds none. Restore it from the "
            "repository.",
            icon=":material/folder_off:",
        )


def _cards(names: list[str]) -> None:
    for start in range(0, len(names), 2):
        for column, name in zip(st.columns(2), names[start : start + 2], strict=False):
            with column.container(border=True, height="stretch"):
                try:
                    _card(state.open_task(name))
                except WorkbenchError as error:
                    st.markdown(f"**{page.escape(name)}**")
                    st.error(page.escape(str(error)), icon=":material/error:")


def _card(task: Task) -> None:
    chosen = task.name == state.task_name()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### {page.escape(task.record.title)}", width="content")
        if chosen:
            st.badge("Chosen", icon=":material/check:", color="green")
    st.markdown(page.escape(task.record.summary))
    images.grid(task, one_of_each_class(task, PICTURES), size=52)
    st.caption(
        f"{wording.count(len(task.classes), 'class', 'classes')} · {wording.count(len(task.images), 'image')}, "
        f"of which {len(task.test_rows):,} are held out to test the student"
    )
    st.space("stretch")
    with st.container(horizontal=True):
        if st.button(
            "Open this task" if chosen else "Choose this task",
            key=f"choose-{task.name}",
            type="secondary" if chosen else "primary",
            icon=":material/arrow_forward:",
            on_click=partial(state.set_task, task.name),
        ):
            page.go("task")


def one_of_each_class(task: Task, count: int) -> list[images.Thumbnail]:
    """A training image of each class, of the first `count` classes spread over the whole list."""
    if not task.available_labels().any():
        return [images.Thumbnail(int(row), "an image without a label") for row in task.train_rows[:count]]
    rows = task.labeled_rows(1, 0)
    step = max(1.0, len(rows) / count)
    picked = [rows[int(i * step)] for i in range(min(count, len(rows)))]
    return [images.Thumbnail(int(row), task.classes[task.labels[row]]) for row in picked]


if __name__ == "__main__":
    render()
