"""Test images with what the student said of them; of an own task, their labels can be corrected there and then."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import images, labeler, page, unfinished, wording
from app.components.escaping import escape
from app.components.images import Thumbnail
from app.components.labeler import Tile
from app.drafts import task_key
from app.views.results.draft import ResultsDraft
from app.views.results.errors_view import Correction
from engine import tasks
from engine.delivery import Judged
from engine.tasks import Task

AT_ONCE = 48  # images on a page of the grid
CORRECTED_AT_ONCE = 24  # images in the grid for labels
SIZE = 88  # pixels of an image's side
PIXELS = 320  # of a picture's longer side where it is labeled, so that the large one is sharp
BUNDLED = "This task came with the program, so its labels stay as they are; those of your own tasks are corrected here."


def draw(found: Judged, places: NDArray[np.int64], key: str, other: Judged | None = None) -> None:
    """The images at `places` of a student's test images, in that order. other: what a second student said of them."""
    there = places[found.rows[places] >= 0]
    if len(there) < len(places):
        gone = wording.count(len(places) - len(there), "image of the run is", "images of the run are")
        st.caption(f"{gone} in the task no more.")
    if not len(there):
        st.caption("There is no image to show.")
        return
    own, correcting = tasks.is_own(found.task), False
    if own:
        correcting = st.toggle("Correct labels", key=f"{key} correct", persist_state="session")
    size = CORRECTED_AT_ONCE if correcting else AT_ONCE
    shown = _paged(there, key, size)
    if correcting:
        unfinished.warn(found.task, "A label")
        _correct(found.task, _tiles(found, shown), key, task_key(found.task))
        return
    images.grid(found.task, [_thumbnail(found, place, other) for place in shown.tolist()], SIZE)
    if not own:
        st.caption(BUNDLED)


def said(found: Judged, place: int) -> str:
    """What a student said of an image: "dog, 87.0 %"."""
    return f"{found.classes[found.predicted[place]]}, {wording.percent(found.confidence[place])}"


def _paged(places: NDArray[np.int64], key: str, size: int) -> NDArray[np.int64]:
    pages = -(-len(places) // size)
    if pages == 1:
        return places
    held = ResultsDraft.current().errors.pages
    shown = min(held.get(key, 1), pages)
    st.pagination(pages, **state.bound(f"{key} page", shown, partial(held.__setitem__, key)))
    return places[(shown - 1) * size : shown * size]


def _thumbnail(found: Judged, place: int, other: Judged | None) -> Thumbnail:
    name, label = found.image_ids[place], found.classes[found.labels[place]]
    told = said(found, place) if other is None else f"{said(found, place)} · {said(other, place)}"
    caption = told if found.right[place] and other is None else f"{label} → {told}"
    if found.now[place] != found.labels[place]:
        now = found.classes[found.now[place]] if found.now[place] >= 0 else "another or none"
        caption += f" (label now: {now})"
    return Thumbnail(int(found.rows[place]), f"{name}: {label}; said: {told}", caption)


def _tiles(found: Judged, places: NDArray[np.int64]) -> list[Tile]:
    rows = found.rows[places].tolist()
    return [
        Tile(row, source, f"{found.image_ids[place]} · said: {said(found, place)}")
        for row, place, source in zip(rows, places.tolist(), images.thumbnails(found.task, rows, PIXELS), strict=True)
    ]


@st.fragment
@page.guarded
def _correct(task: Task, tiles: list[Tile], key: str, of_task: str) -> None:
    """The grid for labels; each label redraws this part alone, and is a revision of the task's labels at once. of_task:
    its `task_key`.
    """
    page.renew_if_replaced(task, of_task)
    head = st.container()
    task = state.open_labels(task.name)
    rows = [tile.row for tile in tiles]
    corrections = ResultsDraft.current().errors.corrections
    undone = sum(correction.task == of_task for correction in ResultsDraft.current().errors.undone)
    done = labeler.draw(
        tiles,
        list(task.record.given_classes),
        dict(zip(rows, tasks.given_labels(task, rows), strict=True)),
        key=f"labeler {key} {of_task} {rows[0]} {len(rows)} {undone}",
        more=False,  # pages lead to the others
    )
    changed = _changed(task, done.labels)
    if changed:
        before = dict(zip(changed, tasks.given_labels(task, list(changed)), strict=True))
        tasks.relabel(task, changed)
        corrections.append(Correction(of_task, before))
    with head:
        _draw_saved(task)


def _changed(task: Task, labels: Mapping[int, str | None]) -> dict[int, str | None]:
    before = tasks.given_labels(task, list(labels))
    return {row: label for (row, label), old in zip(labels.items(), before, strict=True) if label != old}


def _draw_saved(task: Task) -> None:
    """How many labels were corrected here, and the way back."""
    view = ResultsDraft.current().errors
    own = [correction for correction in view.corrections if correction.task == task_key(task)]
    if not own:
        st.caption("Held-out images: change a label where it is wrong, not where it is inconvenient.")
        return
    rows = {row for correction in own for row in correction.before}
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/cloud_done: {wording.count(len(rows), 'label')} corrected.", width="content")
        if st.button("Undo the last", icon=":material/undo:"):
            _undo(task, own[-1])
            st.rerun()
        if st.button("Show what that changes", icon=":material/refresh:"):
            st.rerun()


def _undo(task: Task, last: Correction) -> None:
    view = ResultsDraft.current().errors
    tasks.relabel(task, last.before)
    view.corrections.remove(last)
    view.undone.append(last)


def changed_sentence(found: Judged) -> str | None:
    """How the student does by the labels as they are now, if some have changed since its run; else None."""
    known = found.now >= 0
    changed = int((found.now != found.labels).sum())
    if not changed or not known.any():
        return None
    now = float(np.mean(found.predicted[known] == found.now[known]))
    return (
        f"{wording.count(changed, 'test image has', 'test images have')} another label, or none, since this run. By "
        f"the labels as they are now {escape(found.title)} is right on {wording.percent(now)}; what is shown here is "
        "by the labels of the run."
    )
