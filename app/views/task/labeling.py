"""Task, the part "Label": the images that matter most, labeled with the keyboard; every label is kept at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import images, labeler, page, unfinished, waiting, wording
from app.components.escaping import escape
from app.components.labeler import Tile
from app.drafts import task_key
from app.views.task.draft import NEW, Labeling, LabelingBatch, TaskDraft
from engine import jobs, maps, tasks
from engine.jobs import Job
from engine.runs import candidates, unlabeled_rows, worth_a_label
from engine.tasks import Task

AT_ONCE = 24  # images in the grid
LISTED = 12  # classes whose counts are shown
PIXELS = 320  # of a picture's longer side, so that the large one is sharp
ALL = "Labeled so far"


def render(task: Task) -> None:
    """The part."""
    classes = _classes(task)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        shown = _choose_shown(task)
        _add_class(task, classes)
    if len(classes) < 1:
        st.info("Name a class first.", icon=":material/label:")
        return
    batch = _batch(task, shown)
    if not batch.rows:
        st.success("Every image has a label.", icon=":material/check_circle:")
        return
    unfinished.warn(task, "A label")
    rows = list(batch.rows)
    tiles = [
        Tile(row, source, task.images.image_ids[row])
        for row, source in zip(rows, images.thumbnails(task, rows, PIXELS), strict=True)
    ]
    _how_chosen(task, shown, batch)
    _grid(task, tiles, classes, dict(zip(rows, tasks.given_labels(task, rows), strict=True)), shown, task_key(task))
    if shown == NEW and not batch.teacher:
        _ask_a_teacher(task)


def _of(task: Task) -> Labeling:
    return TaskDraft.current().labeling[task_key(task)]


def _classes(task: Task) -> list[str]:
    """The task's classes, and those that were just added."""
    return list(dict.fromkeys([*task.record.given_classes, *_of(task).classes]))


def _progress(task: Task, changed: int) -> None:
    """How many images have a label, and how many of each class; it is all kept already."""
    counts = _counts(task)
    labeled, total = int(counts.sum()), len(task.images)
    st.progress(labeled / max(1, total), text=f"Labeled {labeled:,} of {total:,}")
    classes, named = task.record.given_classes, int((counts > 0).sum())
    largest = np.argsort(-counts, kind="stable")[: min(LISTED, named)]
    most = [f"{wording.isolated(escape(classes[label]))} {counts[label]:,}" for label in largest]
    if named > LISTED:
        most.append(f"and {wording.count(named - LISTED, 'more class', 'more classes')}")
    kept = f":material/cloud_done: {wording.count(changed, 'label')} saved. " if changed else ""
    st.caption(kept + " · ".join(most))


def _counts(task: Task) -> NDArray[np.int64]:
    """How many images have each label, `[given classes]`."""
    given = tasks.given_label_numbers(task)
    return np.bincount(given[given >= 0], minlength=len(task.record.given_classes))


def _choose_shown(task: Task) -> str:
    classes = task.record.given_classes
    with_images = [classes[label] for label in np.flatnonzero(_counts(task))]
    options = [NEW, ALL, *with_images] if with_images else [NEW]
    wanted = _of(task).shown
    return str(
        st.selectbox(
            "Images",
            options,
            width=300,
            help="Labels that you gave can be changed: choose a class to see its images.",
            **state.bound("label shown", wanted if wanted in options else NEW, partial(_show, task)),
        )
    )


def _show(task: Task, wanted: str) -> None:
    _of(task).shown = wanted


def _add_class(task: Task, classes: list[str]) -> None:
    with st.popover("Add a class", icon=":material/add:"), st.form("add a class", border=False, clear_on_submit=True):
        name = tasks.clean_text(st.text_input("Its name", max_chars=200))
        if st.form_submit_button("Add") and name and name not in classes:
            _of(task).classes.append(name)
            st.rerun()


def _batch(task: Task, shown: str) -> LabelingBatch:
    """The images in the grid; they stay until more are asked for."""
    held = _of(task).batch
    if held is None or held.shown != shown:
        held = _of(task).batch = _next_batch(task, shown, [])
    return held


def _next_batch(task: Task, shown: str, passed: Sequence[int]) -> LabelingBatch:
    """Rows that were not shown yet; once all were, it begins anew. passed: rows that were shown."""
    if shown == NEW:
        with st.spinner("Choosing images"):
            found = worth_a_label(state.workspace(), task, AT_ONCE, passed=passed)
            if not len(found.rows) and passed:
                passed = []
                found = worth_a_label(state.workspace(), task, AT_ONCE)
        rows, teacher = [int(row) for row in found.rows], found.teacher
    else:
        given = tasks.given_label_numbers(task)
        wanted = given >= 0 if shown == ALL else given == task.record.given_classes.index(shown)
        left = np.setdiff1d(np.flatnonzero(wanted), np.array(passed, dtype=np.int64))
        if not len(left):
            passed, left = [], np.flatnonzero(wanted)
        rows, teacher = left[:AT_ONCE].tolist(), ""
    return LabelingBatch(shown, tuple(rows), (*passed, *rows), teacher)


def _how_chosen(task: Task, shown: str, batch: LabelingBatch) -> None:
    if shown != NEW:
        st.caption("Held-out images are among them: change a label where it is wrong, not where it is inconvenient.")
    elif batch.teacher:
        st.caption(f"Chosen so that they cover all the others best, as the teacher {escape(batch.teacher)} sees them.")
    else:
        st.caption("Chosen so that they cover all the others best, by their colors and rough shapes.")


@st.fragment
@page.guarded
def _grid(
    task: Task, tiles: list[Tile], classes: list[str], labels: dict[int, str | None], shown: str, of_task: str
) -> None:
    """The grid; each label redraws only this part of the page, with how far one has come. of_task: its `task_key`."""
    page.renew_if_replaced(task, of_task)
    head = st.container()
    task = state.open_labels(task.name)
    first = tiles[0].row if tiles else 0
    done = labeler.draw(tiles, classes, labels, key=f"labeler {of_task} {shown} {first} {len(tiles)}")
    before = tasks.given_labels(task, list(done.labels))
    changed = {row: label for (row, label), old in zip(done.labels.items(), before, strict=True) if label != old}
    if changed:
        task = tasks.relabel(task, changed)
    with head:
        _progress(task, len(done.labels))
    if done.more:
        held = _of(task)
        held.batch = _next_batch(task, shown, held.batch.passed if held.batch else ())
        st.rerun()


def _ask_a_teacher(task: Task) -> None:
    """A teacher's features say more than colors: offer to extract those of all images."""
    held = _of(task)
    job = held.choosing.job()
    if job is None:
        allowed = sorted((c.teacher for c in candidates(state.workspace(), task) if c.allowed), key=lambda t: t.title)
        if not allowed or len(unlabeled_rows(task)) <= AT_ONCE:
            return
        with st.container(horizontal=True, vertical_alignment="bottom"):
            titles = {teacher.name: teacher.title for teacher in allowed}
            chosen = st.selectbox(
                "Features of a teacher choose better",
                list(titles),
                format_func=titles.__getitem__,
                width=320,
            )
            if st.button("Extract them", icon=":material/visibility:"):
                _extract(task, chosen)
                st.rerun()
        return

    def again() -> Job:
        return _extract(task, str(job.spec["teacher"]))

    if jobs.status(job).state == "done":
        held.choosing.clear()
        held.batch = None
        st.rerun()
    waiting.wait_for(
        job, f"Extracting a teacher's features of {wording.count(len(maps.map_rows(task)), 'image')}", again
    )


def _extract(task: Task, teacher: str) -> Job:
    def request() -> Job:
        return maps.request_map(state.workspace(), state.open_task(task.name), teacher, state.device())

    return _of(task).choosing.ask(request)
