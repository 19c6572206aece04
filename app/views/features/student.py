"""Features, Student: a finished student's map beside a teacher's, before and after training, and what it took over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import exhibits, page, point_maps, waiting, wording
from app.components.escaping import escape
from app.components.point_maps import LiveMap, MapPoints
from app.drafts import task_key
from app.views.features import controls
from app.views.features.coloring import CLASS, DIAMOND, DOT, RIGHT, Asked, Coloring, coloring, student_said
from app.views.features.draft import FeaturesDraft
from app.views.features.placed import Placed, placed_teachers, umap_of
from engine.errors import InvalidInputError, WorkbenchError
from engine.jobs import Job
from engine.maps import Map
from engine.neighborhoods import KeptNeighbors
from engine.results import RunResult
from engine.runs import StudentMaps, maps_of_student, request_student_maps
from engine.tasks import Task

MOMENTS = {"before": "Before training", "after": "After training"}
COLORS = {CLASS: "Class", RIGHT: "Right or wrong"}


@st.fragment
@page.guarded
def draw(task: Task, of_task: str) -> None:
    """The part; every control of the maps redraws only this. of_task: its `task_key`."""
    page.renew_if_replaced(task, of_task)
    result = controls.select_student(task)
    if result is None:
        return
    found = maps_of_student(state.workspace(), result.run)
    if found is None:
        _offer(result)
        return
    teacher = _best_teacher(task, result, placed_teachers(task))
    draft = FeaturesDraft.current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        moment = str(
            st.segmented_control(
                "The student",
                list(MOMENTS),
                format_func=MOMENTS.__getitem__,
                required=True,
                **state.bound("map moment", draft.moment, draft.put("moment")),
            )
        )
        by = _choose_color(result)
    _draw_maps(task, result, found, moment, by, teacher)
    _draw_inherited(task, result, found)


def _offer(result: RunResult) -> None:
    """The button that draws the student's maps; once it was pressed, how far they are."""
    slot = FeaturesDraft.current().jobs[f"student maps {result.run}"]

    def ask() -> Job:
        return slot.ask(partial(request_student_maps, state.workspace(), result.run, state.device()))

    if (job := slot.not_done()) is not None:
        waiting.wait_for(job, f"Maps of {escape(result.title)}, seed {result.seed}", ask)
        return
    with st.container(border=True):
        st.markdown(
            ":material/scatter_plot: This student's maps are not drawn yet: where it put the training images with the "
            "weights that it began with, and where it puts them now. A minute or two on an idle computer."
        )
        if st.button("Draw the student's maps", type="primary", icon=":material/scatter_plot:"):
            try:
                ask()
            except WorkbenchError as error:
                st.error(escape(str(error)), icon=":material/error:")
                return
            st.rerun()


def _choose_color(result: RunResult) -> str:
    """Class, and where the student was asked about these images also whether it is right."""
    if student_said(result.run) is None:
        return CLASS
    known = list(COLORS)
    draft = FeaturesDraft.current()
    return str(
        st.segmented_control(
            "Color by",
            known,
            format_func=COLORS.__getitem__,
            required=True,
            **state.bound("student color", draft.by if draft.by in known else CLASS, draft.put("by")),
        )
    )


def _best_teacher(task: Task, result: RunResult, placed: Sequence[Placed]) -> tuple[Placed, Map] | None:
    """Of those with a map: the one with the largest weight in this run, else the most similar one."""
    share = result.active_alpha
    for each in sorted(placed, key=lambda each: -share.get(each.teacher.name, 0.0)):
        if (drawn := umap_of(task, each.teacher, whole=False)) is not None:
            return each, drawn
    return None


def _draw_maps(
    task: Task, result: RunResult, found: StudentMaps, moment: str, by: str, best: tuple[Placed, Map] | None
) -> None:
    own = found.before if moment == "before" else found.after
    rows = own.rows if best is None else np.intersect1d(own.rows, best[1].rows)
    if not len(rows):
        st.info("The task's training images have changed since these maps were drawn.", icon=":material/history:")
        return
    colors = _colors(task, rows, result, by, best)
    labeled = np.isin(rows, task.labeled_rows(state.draw()))
    shown = [_live(task, f"Student · {MOMENTS[moment].lower()}", f"student {result.run} {moment}", own, rows, colors)]
    if best is not None:
        share = result.active_alpha.get(best[0].teacher.name)
        told = f"Teacher · {best[0].title}" + (f", weight {share:.2f}" if share else "")
        shown.insert(0, _live(task, told, f"{best[0].teacher.name} umap", best[1], rows, colors))
    draft = FeaturesDraft.current()
    picked = draft.picked_of(task_key(task)).on(rows)
    crossed = np.isin(colors.codes, colors.crossed) if colors.crossed else np.zeros(len(rows), dtype=bool)
    marks = np.where(crossed, 2, np.where(labeled, DIAMOND, DOT))
    key = f"student maps of {task_key(task)}"
    touched = point_maps.draw(
        MapPoints(task, rows, marks, labeled), shown, key=key, picked=picked.given, stamp=picked.stamp
    )
    if touched.rows is not None:
        draft.picked = replace(picked, rows=touched.rows)
    st.caption(
        f"{wording.count(len(rows), 'training image')}, the same in both maps. ◆ labeled in this draw, ● the others. "
        + ("✕ wrong. " if by == RIGHT else "")
        + "Held-out images are left out. The axes have no unit."
    )
    if best is None:
        st.caption("No teacher has a map of these images yet: draw one on the part One or two to see it beside this.")


def _colors(
    task: Task, rows: NDArray[np.int64], result: RunResult, by: str, best: tuple[Placed, Map] | None
) -> Coloring:
    teacher = (best[0] if best is not None else placed_teachers(task)[0]).teacher
    try:
        return coloring(task, rows, Asked(by, teacher, run=result.run))
    except InvalidInputError:  # offered only where it can be known: the file went meanwhile
        return coloring(task, rows, Asked(CLASS, teacher))


def _live(task: Task, title: str, place: str, found: Map, rows: NDArray[np.int64], colors: Coloring) -> LiveMap:
    return LiveMap(
        place=place,
        title=f"UMAP · {title}",
        line="",
        alt=f"UMAP of {len(rows):,} training images of {task.record.title}. {title}.",
        coordinates=found.coordinates[np.searchsorted(found.rows, rows)],
        codes=colors.codes,
        names=colors.names,
        colors=colors.colors,
        gray=colors.gray,
        ramp=colors.ramp,
    )


def _draw_inherited(task: Task, result: RunResult, found: StudentMaps) -> None:
    """A row for each teacher: the share of its neighbors that the student has as well."""
    st.subheader("What it took over", anchor=False)
    if not found.inherited:
        st.caption("No teacher's features of these images were extracted when the maps were drawn.")
        return
    titles = {each.teacher.name: each.title for each in placed_teachers(task)}
    first = found.inherited[0].after
    rows = [
        {
            "Teacher": titles.get(each.teacher, each.teacher),
            **({"Weight": result.active_alpha.get(each.teacher)} if result.active_alpha else {}),
            "Kept before, %": 100 * each.before.share,
            "Kept after, %": 100 * each.after.share,
            "95\u00a0% interval, %": _in_percent(each.after),
            "Gain, points": 100 * (each.after.share - each.before.share),
        }
        for each in sorted(found.inherited, key=lambda each: -each.after.share)
    ]
    exhibits.draw_table(
        pd.DataFrame(rows),
        {"Weight": ".2f", "Kept before, %": ".1f", "Kept after, %": ".1f", "Gain, points": "+.1f"},
        name=f"inherited {task.name} {result.title}",
        alt="Share of each teacher's nearest neighbors that the student keeps, before and after training",
        key=f"inherited {result.run}",
    )
    st.caption(
        f"Of the {first.neighbors} images nearest to an image in a teacher's features, the share that is among the "
        f"{first.neighbors} nearest in the student's; the mean of {first.images:,} training images. By chance it would "
        f"be {wording.percent(first.chance)}."
    )


def _in_percent(kept: KeptNeighbors) -> str:
    found = kept.interval
    return "" if found is None else f"{100 * found.low:.1f} to {100 * found.high:.1f}"
