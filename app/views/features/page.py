"""Features: a map of the task's images as one teacher sees them; picked points show their images."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components import images, page, scatter, waiting, wording
from app.components.escaping import escape
from app.views.features import overview
from app.views.features.draft import FeaturesDraft, Picked
from app.views.features.placed import TITLES, Placed, pca_of, placed_teachers
from engine import maps
from engine.jobs import Job
from engine.maps import Map
from engine.tasks import Task
from engine.teachers import TeacherRecord

SHOWN = 60  # picked images beside the map; more are counted
VIEWS = {"all": "All teachers", "one": "One teacher"}


def render() -> None:
    """The page."""
    task = page.required_task()
    page.header(
        "Features",
        "Each point is an image of the task, placed by a teacher's features: near points look alike to the teacher. "
        "A teacher that fits keeps the classes apart. What UMAP does not say: how far two groups lie from each other, "
        "and how large or dense a group is, mean nothing.",
    )
    placed = placed_teachers(task)
    if not placed:
        page.missing("No teacher may teach this task.", "start", "Choose another task")
        return
    if _choose_view() == "all":
        overview.draw(task, placed)
    else:
        _draw_map(task, _choose_teacher(placed))
    page.link("distill", "Next: distill a student")


def _choose_view() -> str:
    draft = FeaturesDraft.current()
    before = draft.view or ("one" if state.teacher() else "all")
    return str(
        st.segmented_control(
            "Maps",
            list(VIEWS),
            format_func=VIEWS.__getitem__,
            required=True,
            label_visibility="collapsed",
            **state.bound("map view", before, draft.put("view")),
        )
    )


def _choose_teacher(placed: list[Placed]) -> TeacherRecord:
    by_name = {each.teacher.name: each for each in placed}
    chosen = named if (named := state.teacher()) in by_name else placed[0].teacher.name
    st.selectbox(
        "Teacher" + (", the most similar first" if placed[0].rank is not None else ""),
        list(by_name),
        format_func=lambda key: by_name[key].title,
        width=440,
        **state.bound("features teacher", chosen, state.set_teacher),
    )
    return by_name[chosen].teacher


@st.fragment
@page.guarded
def _draw_map(task: Task, teacher: TeacherRecord) -> None:
    """Map and picked images; picking, and every control of the map, redraws only this part of the page."""
    workspace = state.workspace()
    everything = maps.read_map(workspace, task, teacher.name, "umap", whole=True)
    umap = everything or maps.read_map(workspace, task, teacher.name, "umap")
    if umap is None:
        _umap_job(task, teacher, nothing_yet=pca_of(task, teacher) is None)
    elif everything is None and len(task.train_rows) > maps.LARGEST_MAP:
        _whole_umap_job(task, teacher)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = _choose_kind(ready=umap is not None)
        lasso = _choose_tool()
        highlighted = _choose_classes(task)
    drawn = umap if kind == "umap" else pca_of(task, teacher)
    if drawn is None:
        if umap is not None:
            st.info("There are no features of these images by this teacher yet, so there is no PCA: choose the UMAP.")
        return
    everyone = scatter.point_table(task, drawn, task.labeled_rows(state.draw()))
    points = scatter.thinned(everyone)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        picked = scatter.draw(
            points,
            task,
            highlighted,
            lasso=lasso,
            key=f"map {task.name} {teacher.name} {drawn.kind}",
            alt=f"{TITLES[drawn.kind]} of {len(everyone):,} training images of {task.record.title} in the features of "
            f"{teacher.title}, colored by class",
        )
        _explain(task, drawn, everyone, len(points))
    with right:
        signature = (task.name, teacher.name, drawn.kind, lasso, tuple(highlighted), len(points))
        _show_picked(task, points, _remembered(signature, tuple(picked)))
    _table(everyone)


def _choose_kind(*, ready: bool) -> str:
    draft = FeaturesDraft.current()
    kind = st.segmented_control(
        "Map",
        list(TITLES),
        format_func=lambda kind: TITLES[kind] + ("" if ready or kind == "pca" else " (not ready yet)"),
        required=True,
        help="PCA shows the two directions in which the features vary most. UMAP keeps neighbors together; distances "
        "between far groups mean little.",
        **state.bound("map kind", draft.kind if ready else "pca", draft.put("kind")),
    )
    return str(kind) if ready else "pca"


def _choose_tool() -> bool:
    draft = FeaturesDraft.current()
    tool = st.segmented_control(
        "Tool",
        ["Pick", "Lasso"],
        required=True,
        help="Pick: click a point, shift-click to add one, drag to move the map, double-click to clear. "
        "Lasso: draw around points.",
        **state.bound("map tool", draft.tool, draft.put("tool")),
    )
    return bool(tool == "Lasso")


def _choose_classes(task: Task) -> list[str]:
    highlighted = FeaturesDraft.current().classes
    chosen = st.multiselect(
        "Highlight classes",
        task.classes,
        placeholder="All classes",
        width=360,
        **state.bound("map classes", highlighted.get(task.name, []), partial(highlighted.__setitem__, task.name)),
    )
    return list(chosen)


def _umap_job(task: Task, teacher: TeacherRecord, *, nothing_yet: bool) -> None:
    """Offer the UMAP; once it was asked for, show how far it is. nothing_yet: there is no other map to show."""

    slot = FeaturesDraft.current().slots[task.revision, teacher.name]

    def ask() -> Job:
        return slot.ask(lambda: maps.request_map(state.workspace(), task, teacher.name, state.device()))

    mine = slot.not_done()
    if mine is not None:
        waiting.wait_for(
            mine,
            f"UMAP of {wording.count(len(maps.map_rows(task)), 'image')}",
            ask,
            half_way=lambda: len(maps.seen_rows(state.workspace(), task, teacher.name)),
        )
        return
    everyone, seen = len(maps.map_rows(task)), len(maps.seen_rows(state.workspace(), task, teacher.name))
    with st.container(border=nothing_yet, horizontal=not nothing_yet, vertical_alignment="center"):
        if nothing_yet:
            st.markdown(
                ":material/scatter_plot: This teacher's features of these images are not extracted yet. That is done "
                f"once, for {wording.count(everyone - seen, 'image')}, and the map grows meanwhile: a minute or two on "
                "an idle computer."
            )
        if st.button(
            "Draw the map" if nothing_yet else "Draw the UMAP as well",
            type="primary" if nothing_yet else "secondary",
            icon=":material/scatter_plot:",
            help=f"Of {everyone:,} images, {everyone - seen:,} whose features are not extracted yet.",
        ):
            ask()
            st.rerun()


def _whole_umap_job(task: Task, teacher: TeacherRecord) -> None:
    """Where the map is of a sample: offer one of all images; once it was asked for, show how far it is."""
    workspace, slot = state.workspace(), FeaturesDraft.current().whole[task.revision, teacher.name]
    everyone = len(maps.map_rows(task, whole=True))

    def ask() -> Job:
        return slot.ask(lambda: maps.request_map(workspace, task, teacher.name, state.device(), whole=True))

    if (mine := slot.not_done()) is not None:
        waiting.wait_for(mine, f"UMAP of {everyone:,} images", ask)
        return
    unseen = everyone - len(maps.seen_rows(workspace, task, teacher.name, whole=True))
    if st.button(
        f"Draw the UMAP of {everyone:,} images",
        icon=":material/scatter_plot:",
        help=f"Of them, {unseen:,} have no features yet. The map itself takes up to three minutes on an idle computer.",
    ):
        ask()
        st.rerun()


def _explain(task: Task, drawn: Map, points: pd.DataFrame, shown: int) -> None:
    everyone = max(len(maps.map_rows(task)), len(drawn.rows))
    text = f"{wording.count(len(points), 'training image')}"
    if len(drawn.rows) < everyone:
        text += f" of {everyone:,}, those whose features are extracted so far"
    if everyone < len(task.train_rows):
        text += f", a random sample of {len(task.train_rows):,}"
    if drawn.kind == "umap" and len(drawn.rows) >= maps.SPECTRAL_BELOW:
        text += ", placed by UMAP from a PCA"
    if shown < len(points):
        text += f"; {shown:,} of them are drawn"
    text += (
        f". ◆ {int(points['Labeled'].sum()):,} labeled in this draw, ● the others; their class is shown here, methods "
        "do not see it. Held-out images are left out: nothing may be chosen by looking at them. The axes have no unit."
    )
    st.caption(text)


def _remembered(signature: tuple[object, ...], event: tuple[int, ...]) -> tuple[int, ...]:
    """The picked rows, also after a control changed the map, which makes the browser forget what was picked."""
    draft = FeaturesDraft.current()
    before = draft.picked
    same_images = before.signature is not None and before.signature[0] == signature[0]
    if before.signature != signature:
        rows = event or (before.rows if same_images else ())
    else:
        rows = before.rows if event == before.event else event
    draft.picked = Picked(signature, event, rows)
    return rows


def _forget_picked() -> None:
    draft = FeaturesDraft.current()
    draft.picked = replace(draft.picked, rows=())


def _show_picked(task: Task, points: pd.DataFrame, rows: tuple[int, ...]) -> None:
    if not rows:
        with st.container(border=True):
            st.markdown(
                ":material/ads_click: **Pick** a point to see its image; shift-click adds one.  \n"
                ":material/gesture: Switch to **Lasso** to draw around many."
            )
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{wording.count(len(rows), 'image')}**", width="content")
        st.space("stretch")
        st.button("Clear", icon=":material/close:", type="tertiary", on_click=_forget_picked)
    labels = task.labels[np.array(rows)]
    named = Counter(task.classes[label] if label >= 0 else scatter.UNKNOWN for label in labels)
    most = [f"{count:,} {escape(name)}" for name, count in named.most_common(6)]
    others = len(named) - len(most)
    st.caption(", ".join(most) + (f", and {wording.count(others, 'other class', 'other classes')}" if others else ""))
    places = np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)
    labeled = set(points.loc[points["Labeled"], "row"])
    items = [
        images.Thumbnail(
            row,
            f"{name}, {'labeled' if row in labeled else 'unlabeled'}, {task.images.image_ids[row]}",
            caption=name,
            marked=row in labeled,
        )
        for row, label in ((rows[i], labels[i]) for i in places)
        for name in [task.classes[label] if label >= 0 else scatter.UNKNOWN]
    ]
    with st.container(height=470 if len(items) > 20 else "content", border=False):
        images.grid(task, items, size=68)
    if len(rows) > SHOWN:
        st.caption(f"{SHOWN} of them are shown, evenly from all.")


def _table(points: pd.DataFrame) -> None:
    table = st.expander("The map as a table", on_change="rerun", key="map table")
    if table.open:
        table.dataframe(
            points.drop(columns="row"), hide_index=True, alt="Image, class, label and place of each point of the map"
        )


if __name__ == "__main__":
    render()
