"""Features, One or two: a teacher's map, or two of them beside each other, whose picked images are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import page, point_maps, recorded, waiting, wording
from app.components.escaping import escape
from app.components.point_maps import LiveMap, MapPoints
from app.drafts import task_key
from app.views.features import controls, relabeling
from app.views.features.coloring import APART, CROSS, DIAMOND, DOT, RIGHT, TITLES, Coloring, coloring
from app.views.features.draft import FeaturesDraft
from app.views.features.placed import TITLES as KINDS
from app.views.features.placed import Placed, pca_of, separation_line, separation_of, umap_of
from app.views.features.region import describe
from engine import maps
from engine.errors import InvalidInputError
from engine.jobs import Job
from engine.maps import Map
from engine.runs import images_like
from engine.tasks import Task
from engine.teachers import TeacherRecord

NO_OTHER = "no second map"
LIKE = 47  # images that are picked with the one of which more are asked for: four dozen pictures


@st.fragment
@page.guarded
def draw(task: Task, placed: Sequence[Placed], of_task: str) -> None:
    """The part; picking, and every control of the maps, redraws only this. of_task: its `task_key`."""
    page.renew_if_replaced(task, of_task)
    draft = FeaturesDraft.current()
    shown = _choose_teachers(task, placed)
    for each in shown:
        _draw_jobs(task, each)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind, by = controls.choose_kind(), controls.choose_color()
        names = st.container()
    pair = (shown[0].teacher, shown[1].teacher) if len(shown) == 2 else None
    if by == APART and pair is None:
        st.info("Choose a second teacher above: the colors then say how far the two differ about each image.")
    run = controls.choose_student(task) if by == RIGHT else None
    drawn = [_map_of(task, each.teacher, kind) for each in shown]
    if any(found is None for found in drawn):
        _say_none(shown, drawn)
    pairs = [(each, found) for each, found in zip(shown, drawn, strict=True) if found is not None]
    if not pairs:
        return
    rows = pairs[0][1].rows
    for _, found in pairs[1:]:
        rows = np.intersect1d(rows, found.rows)
    colors = [_colored(task, rows, each, by, pair, run) for each, _ in pairs]
    with names:
        chosen = _choose_names(task, by, colors)
    colors = [each.highlighted(chosen) for each in colors]
    labeled = np.isin(rows, task.labeled_rows(state.draw()))
    live = [
        _live(task, each, _places(found, rows), color, by) for (each, found), color in zip(pairs, colors, strict=True)
    ]
    key = f"maps of {of_task}"
    picked = draft.picked_of(of_task)
    if key not in st.session_state and picked.rows:  # the browser has forgotten: the page was left
        draft.pick(of_task, picked.given if set(picked.given) == set(picked.rows) else picked.rows)
        picked = draft.picked
    picked = picked.on(rows)
    touched = point_maps.draw(
        MapPoints(task, rows, _marks(labeled, colors[0]), labeled),
        live,
        key=key,
        picked=picked.given,
        stamp=picked.stamp,
        like=f"The {LIKE} images nearest to the chosen one in the features of {pairs[0][0].teacher.title}",
    )
    if touched.rows is not None:
        draft.picked = picked = replace(picked, rows=touched.rows)
    if touched.like is not None:
        _pick_like(task, pairs[0][0].teacher, touched.like, rows)
    _explain(task, [found for _, found in pairs], rows, labeled)
    describe(task, [each.teacher for each, _ in pairs], rows, picked.rows, key)
    relabeling.draw(task, rows, picked.rows)
    _table(task, rows, labeled, colors, live)


def _pick_like(task: Task, teacher: TeacherRecord, row: int, rows: NDArray[np.int64]) -> None:
    """Pick an image, and those that are nearest to it in a teacher's features."""
    found = images_like(state.workspace(), task, teacher, row, rows, LIKE)
    if found is None:
        st.info(
            f"The features of {escape(teacher.title)} of these images are not extracted here yet: draw its map here "
            "first.",
            icon=":material/info:",
        )
        return
    FeaturesDraft.current().pick(task_key(task), (row, *found.tolist()))
    st.rerun()


def _choose_teachers(task: Task, placed: Sequence[Placed]) -> list[Placed]:
    by_name = {each.teacher.name: each for each in placed}
    first = named if (named := state.teacher()) in by_name else placed[0].teacher.name
    beside = FeaturesDraft.current().beside
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        first = st.selectbox(
            "Teacher" + (", the most similar first" if placed[0].rank is not None else ""),
            list(by_name),
            format_func=lambda key: by_name[key].title,
            width=360,
            **state.bound("features teacher", first, state.set_teacher),
        )
        others = [NO_OTHER, *(name for name in by_name if name != first)]
        second = beside.get(task.name)
        second = st.selectbox(
            "Beside it",
            others,
            format_func=lambda key: by_name[key].title if key in by_name else "No second map",
            width=360,
            **state.bound(
                "features beside", second if second in others else NO_OTHER, partial(beside.__setitem__, task.name)
            ),
        )
    return [by_name[name] for name in (first, second) if name in by_name]


def _map_of(task: Task, teacher: TeacherRecord, kind: str) -> Map | None:
    """The map of the kind; while there is no UMAP, the PCA of what was seen so far."""
    return (umap_of(task, teacher) if kind == "umap" else None) or pca_of(task, teacher)


def _say_none(shown: Sequence[Placed], drawn: Sequence[Map | None]) -> None:
    lacking = [escape(each.teacher.title) for each, found in zip(shown, drawn, strict=True) if found is None]
    st.info(f"There is no map yet of {wording.listed(lacking)}: draw it above.", icon=":material/info:")


def _colored(
    task: Task,
    rows: NDArray[np.int64],
    placed: Placed,
    by: str,
    pair: tuple[TeacherRecord, TeacherRecord] | None,
    run: str | None,
) -> Coloring:
    """The colors of one map; where they cannot be known, gray, and why."""
    try:
        return coloring(task, rows, controls.asked_of(placed.teacher, by, pair, run))
    except InvalidInputError as error:
        st.info(escape(str(error)), icon=":material/info:")
        return Coloring(np.full(len(rows), -1), (), (), "no color yet")


def _choose_names(task: Task, by: str, colors: Sequence[Coloring]) -> list[str]:
    highlighted = FeaturesDraft.current().classes
    names = list(dict.fromkeys(name for each in colors if not each.ramp for name in each.names))
    if not names:
        return []
    before = [name for name in highlighted.get(task.name, []) if name in names]
    return list(
        st.multiselect(
            "Highlight",
            names,
            placeholder="All",
            width=320,
            **state.bound(f"map names {by}", before, partial(highlighted.__setitem__, task.name)),
        )
    )


def _marks(labeled: NDArray[np.bool_], colors: Coloring) -> NDArray[np.int64]:
    """A diamond for a labeled image, a cross for what the colors cross out, a dot for the others."""
    crossed = np.isin(colors.codes, colors.crossed) if colors.crossed else np.zeros(len(labeled), dtype=bool)
    return np.where(crossed, CROSS, np.where(labeled, DIAMOND, DOT))


def _places(found: Map, rows: NDArray[np.int64]) -> Map:
    return Map(found.kind, rows, found.coordinates[np.searchsorted(found.rows, rows)])


def _live(task: Task, placed: Placed, found: Map, colors: Coloring, by: str) -> LiveMap:
    line = separation_line(separation_of(task, placed.teacher))
    return LiveMap(
        place=f"{placed.teacher.name} {found.kind}",
        title=f"{KINDS[found.kind]} · {placed.title}",
        line=line,
        alt=f"{KINDS[found.kind]} of {len(found.rows):,} training images of {task.record.title} in the features of "
        f"{placed.teacher.title}, colored by {TITLES[by].lower()}. {line} The table below has every point.",
        coordinates=found.coordinates,
        codes=colors.codes,
        names=colors.names,
        colors=colors.colors,
        gray=colors.gray,
        ramp=colors.ramp,
    )


def _draw_jobs(task: Task, placed: Placed) -> None:
    """Offer the UMAP that is missing or only recorded, or one of all images; then show how far it is."""
    workspace, draft, teacher = state.workspace(), FeaturesDraft.current(), placed.teacher
    sample, everyone = len(maps.map_rows(task)), len(maps.map_rows(task, whole=True))
    umap = umap_of(task, teacher, whole=False)
    came = umap.recorded if umap is not None else ""
    whole = umap is not None and not came
    if whole and (sample == everyone or maps.read_map(workspace, task, teacher.name, "umap", whole=True) is not None):
        return
    slot = (draft.whole if whole else draft.slots)[task.revision, teacher.name]

    def ask() -> Job:
        return slot.ask(lambda: maps.request_map(workspace, task, teacher.name, state.device(), whole=whole))

    def seen() -> int:
        return len(maps.seen_rows(workspace, task, teacher.name, whole=whole))

    images = everyone if whole else sample
    if (job := slot.not_done()) is not None:
        what = f"UMAP of {wording.count(images, 'image')} · {escape(teacher.title)}"
        waiting.wait_for(job, what, ask, half_way=(lambda: None) if whole else seen)
        return
    if came:
        said = f"{escape(teacher.title)}: this UMAP came with the program ({came})."
        recorded.note(said, ask, f"draw here {teacher.name}")
        return
    label = f"Draw the UMAP of {images:,} images" if whole else "Draw the UMAP"
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(label, icon=":material/scatter_plot:", key=f"draw umap {teacher.name}"):
            ask()
            st.rerun()
        st.caption(
            f"{escape(teacher.title)}: of {images:,} images, {images - seen():,} have no features yet; they are "
            "extracted first, once, and the PCA grows meanwhile."
        )


def _explain(task: Task, found: Sequence[Map], rows: NDArray[np.int64], labeled: NDArray[np.bool_]) -> None:
    sample, everyone = len(maps.map_rows(task)), len(task.train_rows)
    text = f"{wording.count(len(rows), 'training image')}"
    if len(rows) < sample:
        text += f" of {sample:,}, those whose features are extracted so far"
    elif len(rows) < everyone:
        text += f", a random sample of {everyone:,}"
    if any(each.kind == "umap" and len(each.rows) >= maps.SPECTRAL_BELOW for each in found):
        text += ", placed by UMAP from a PCA"
    text += (
        f". ◆ {int(labeled.sum()):,} labeled in this draw, ● the others; their class is shown here, methods do not see "
        "it. Held-out images are left out: nothing may be chosen by looking at them. The axes have no unit."
    )
    st.caption(text)


def _table(
    task: Task, rows: NDArray[np.int64], labeled: NDArray[np.bool_], colors: Sequence[Coloring], live: Sequence[LiveMap]
) -> None:
    """The maps as a table, in which images can be picked as well."""
    twin = st.expander("The map as a table", on_change="rerun", key="map table")
    if not twin.open:
        return
    ids, names = task.images.image_ids, np.array([*task.classes, point_maps.UNKNOWN])
    columns: dict[str, object] = {
        "Image": [ids[row] for row in rows.tolist()],
        "Class": names[task.labels[rows]],
        "Labeled": labeled,
    }
    for place, (each, color) in enumerate(zip(live, colors, strict=True)):
        end = f" ({place + 1})" if len(live) > 1 else ""
        columns |= {
            f"Color{end}": color.values(),
            f"x{end}": each.coordinates[:, 0].round(3),
            f"y{end}": each.coordinates[:, 1].round(3),
        }
    with twin:
        event = st.dataframe(
            pd.DataFrame(columns),
            hide_index=True,
            alt="Image, class, label, color and place of each point of the map",
            on_select="rerun",
            selection_mode="multi-row",
            key=f"table of {task_key(task)} {len(rows)}",
        )
        chosen = [int(rows[place]) for place in event["selection"]["rows"] if place < len(rows)]
        text = f"Show {wording.count(len(chosen), 'image')} on the map" if chosen else "Show chosen rows on the map"
        if st.button(text, icon=":material/ads_click:", disabled=not chosen):
            FeaturesDraft.current().pick(task_key(task), tuple(chosen))
            st.rerun()
