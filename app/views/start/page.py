"""Start: what this is, and the tasks to choose from."""

from __future__ import annotations

from functools import partial

import streamlit as st

from app import queues, state
from app.components import images, page, wording
from app.components.escaping import escape
from app.views.start import outcome, trash
from app.views.start.draft import StartDraft
from engine import jobs, tasks
from engine.errors import WorkbenchError
from engine.intake import IMPORT_KIND
from engine.runs import remove_task, users_of_task
from engine.tasks import Draw, Task, is_own

PICTURES = 18  # on a card: one of each class, as far as they go


def render() -> None:
    """The page."""
    page.header(
        "Distill Workbench",
        "Find the pretrained networks that fit your images, the **teachers**, and distill them into one small network "
        "of your own, the **student**. A few labeled images of each class are enough, the many unlabeled ones teach as "
        "well, and everything runs on this machine.",
        about_task=False,
    )
    outcome.draw()
    bundled = tasks.bundled_names()
    own = [name for name in tasks.task_names(state.workspace()) if name not in bundled]
    _own_images()
    if own:
        st.subheader("Your own tasks", anchor=False)
        _cards(own)
    st.subheader("Choose a task", anchor=False)
    st.caption("A task is what the student has to learn: classes, and images of them. These come with the program.")
    _cards(bundled)
    if not bundled and not own:
        st.warning(
            f"No task is here: the folder {escape(str(tasks.catalogue.ASSETS))} holds none. Restore it from the "
            "repository.",
            icon=":material/folder_off:",
        )
    trash.draw()
    _asked_to_remove()


def _removing(name: str | None) -> None:
    """Ask about the removal of a task from now on, or of none."""
    StartDraft.current().removing = name


def _asked_to_remove() -> None:
    """The question about the task that was asked to be removed, if it is still there."""
    name = StartDraft.current().removing
    if name in tasks.task_names(state.workspace()):
        _ask_to_remove(state.open_labels(name))


def _own_images() -> None:
    """The way to one's own images, and imports under way."""
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="medium"):
        st.markdown(
            ":material/add_photo_alternate: **Use your own images**: a folder, a ZIP or a table. Some of them labeled, "
            "or none yet.",
            width="content",
        )
        st.space("stretch")
        if st.button("Import images", type="primary", icon=":material/upload:"):
            page.go("importing")
    under_way = [
        job
        for job in jobs.list_jobs(state.workspace().jobs)
        if job.kind == IMPORT_KIND and not jobs.status(job).terminal
    ]
    if under_way:
        queues.queue(state.device())
        titles = wording.listed([escape(str(job.spec.get("title", job.id))) for job in under_way])
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            st.markdown(f":material/hourglass_top: Being imported: **{titles}**", width="content")
            page.link("importing", "See how far it is")


def _cards(names: list[str]) -> None:
    for start in range(0, len(names), 2):
        for column, name in zip(st.columns(2), names[start : start + 2], strict=False):
            with column.container(border=True, height="stretch"):
                try:
                    _card(state.open_labels(name))
                except WorkbenchError as error:
                    st.markdown(f"**{escape(name)}**")
                    st.error(escape(str(error)), icon=":material/error:")


def _card(task: Task) -> None:
    chosen = task.name == state.task_name()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### {escape(task.record.title)}", width="content")
        if chosen:
            st.badge("Chosen", icon=":material/check:", color="green")
    st.markdown(escape(task.record.summary))
    try:
        images.grid(task, one_of_each_class(task, PICTURES), size=52)
    except WorkbenchError as error:  # the rest of the card stands without its pictures
        st.error(escape(str(error)), icon=":material/error:")
    st.caption(
        f"{wording.count(len(task.classes), 'class', 'classes')} · {wording.count(len(task.images), 'image')}, "
        f"of which {len(task.test_rows):,} are held out to test the student"
    )
    if origin := _origin(task):
        st.caption(origin)
    st.space("stretch")
    with st.container(horizontal=True):
        if st.button(
            "Open this task" if chosen else "Choose this task",
            key=f"choose-{task.name}",
            icon=":material/arrow_forward:",
            on_click=partial(state.set_task, task.name),
        ):
            page.go("task")
        if is_own(task):
            st.button(
                "Remove",
                key=f"remove-{task.name}",
                type="tertiary",
                icon=":material/delete:",
                help="Asks first.",
                on_click=partial(_removing, task.name),
            )


def _origin(task: Task) -> str:
    """Where an own task's images came from, and when."""
    about = tasks.read_import_summary(task.folder) if is_own(task) else None
    if about is None:
        return ""
    return f"From {escape(about.source)}, {wording.moment(about.imported)}"


@st.dialog("Remove this task?", on_dismiss=partial(_removing, None))
def _ask_to_remove(task: Task) -> None:
    """Removing a task asks first, says what becomes of what was made of it, and refuses while something needs it."""
    users = users_of_task(state.workspace(), task.name)
    st.markdown(
        f"**{escape(task.record.title)}**: {wording.count(len(task.images), 'image')} with all labels and "
        "decisions go to the trash, with what teachers said of its images. It can be put back from there, at the end "
        "of this page. The files that you brought stay where they are."
    )
    if users.unfinished:
        st.error(
            f"{wording.count(len(users.unfinished), 'job')} still {'needs' if len(users.unfinished) == 1 else 'need'} "
            "it: wait until they have ended, or cancel them on Distill.",
            icon=":material/block:",
        )
        return
    if users.finished_runs:
        st.warning(
            f"{wording.count(users.finished_runs, 'finished run')} used it. Their results and students stay, but "
            "cannot be made again without the task.",
            icon=":material/warning:",
        )
    with st.container(horizontal=True):
        if st.button("Remove it", type="primary", icon=":material/delete:"):
            try:
                remove_task(state.workspace(), task.name)
            except WorkbenchError as error:
                st.error(escape(str(error)), icon=":material/error:")
                return
            state.forget_task(task.name)
            _removing(None)
            st.rerun()
        if st.button("Keep it"):
            _removing(None)
            st.rerun()


def one_of_each_class(task: Task, count: int) -> list[images.Thumbnail]:
    """A training image of each class, of the first `count` classes spread over the whole list."""
    if not task.available_labels().any():
        return [images.Thumbnail(int(row), "an image without a label") for row in task.train_rows[:count]]
    rows = task.labeled_rows(Draw(labels_per_class=1))
    step = max(1.0, len(rows) / count)
    picked = [rows[int(i * step)] for i in range(min(count, len(rows)))]
    return [images.Thumbnail(int(row), task.classes[task.labels[row]]) for row in picked]


if __name__ == "__main__":
    render()
