"""Features, All teachers: a small map of each, the most similar first, with how well it keeps the classes apart."""

from __future__ import annotations

import html
from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from app import state
from app.components import colors, recorded, small_maps, waiting, wording
from app.components.escaping import escape
from app.views.features import controls
from app.views.features.coloring import APART, RIGHT, TITLES, Asked, Coloring, coloring
from app.views.features.draft import FeaturesDraft
from app.views.features.placed import TITLES as KINDS
from app.views.features.placed import Placed, pca_of, separation_line, separation_of, umap_of
from engine import maps
from engine.errors import InvalidInputError
from engine.jobs import Job
from engine.maps import Map
from engine.tasks import Task

CARD = 236  # pixels: four beside each other on a usual screen, one on a phone
LEGEND = 20  # names that have an entry
_WHOLE = "width:100%;display:block"


def draw(task: Task, placed: Sequence[Placed]) -> None:
    """The part."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind, by = controls.choose_kind(), controls.choose_color()
        pair = controls.choose_pair(task, list(placed)) if by == APART else None
    run = controls.choose_student(task) if by == RIGHT else None
    drawn = {each.teacher.name: _map_of(task, each, kind) for each in placed}
    _offer_all(task, [each for each in placed if umap_of(task, each.teacher) is None])
    _offer_here(task, placed)
    shown = st.container()
    said: list[Coloring] = []
    with st.container(horizontal=True, gap="small"):
        for each in placed:
            found = _card(task, each, drawn[each.teacher.name], controls.asked_of(each.teacher, by, pair, run))
            said += [] if found is None else [found]
    with shown:
        _legend(said, by)


def _map_of(task: Task, placed: Placed, kind: str) -> Map | None:
    """The map of the kind; while there is no UMAP, the PCA of what was seen so far."""
    umap = umap_of(task, placed.teacher, whole=False) if kind == "umap" else None
    return umap or pca_of(task, placed.teacher)


def _offer_all(task: Task, without: Sequence[Placed]) -> None:
    """One button for all UMAPs that are not drawn yet; once it was pressed, how far they are."""
    slot = FeaturesDraft.current().jobs[f"all maps {task.revision}"]
    names = [each.teacher.name for each in without]

    def ask() -> Job:
        return slot.ask(partial(maps.request_maps, state.workspace(), task, names, state.device()))

    if not names:
        return
    images = wording.count(len(maps.map_rows(task)), "image")
    job = slot.not_done()
    if job is not None:
        waiting.wait_for(job, f"UMAPs of {images}", ask, half_way=lambda: _undrawn(task, names))
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button(
            f"Draw {wording.count(len(names), 'UMAP')}",
            type="primary",
            icon=":material/scatter_plot:",
            help="In the background, for all teachers at once. Each map appears as soon as it is drawn.",
        ):
            ask()
            st.rerun()
        st.caption(f"Not drawn yet: the features of {images} are extracted first, once. Minutes on an idle computer.")


def _offer_here(task: Task, placed: Sequence[Placed]) -> None:
    """That maps came with the program, and the button that draws them here; once it was pressed, how far they are."""
    slot, came = FeaturesDraft.current().jobs[f"maps here {task.revision}"], _recorded(task, placed)

    def ask() -> Job:
        return slot.ask(partial(maps.request_maps, state.workspace(), task, list(came), state.device()))

    if (job := slot.not_done()) is not None:
        images = wording.count(len(maps.map_rows(task)), "image")
        waiting.wait_for(job, f"UMAPs of {images}", ask, half_way=lambda: len(_recorded(task, placed)))
    elif came:
        drawn_by = wording.listed(sorted(set(came.values())))
        recorded.note(f"These UMAPs came with the program ({drawn_by}).", ask, "draw the maps here")


def _recorded(task: Task, placed: Sequence[Placed]) -> dict[str, str]:
    """What drew the maps that came with the program, by teacher."""
    found = {each.teacher.name: umap_of(task, each.teacher, whole=False) for each in placed}
    return {name: drawn.recorded for name, drawn in found.items() if drawn is not None and drawn.recorded}


def _undrawn(task: Task, names: Sequence[str]) -> int:
    return sum(maps.read_map(state.workspace(), task, name, "umap") is None for name in names)


def _card(task: Task, placed: Placed, drawn: Map | None, asked: Asked) -> Coloring | None:
    """One teacher; gives its colors, where they are known."""
    line, found, problem = separation_line(separation_of(task, placed.teacher)), None, ""
    with st.container(border=True, width=CARD, gap="xsmall", key=f"map card {placed.teacher.name}"):
        if drawn is None:
            st.html(_frame('<span style="opacity:.7;font-size:.8rem">No features extracted yet</span>'))
        else:
            try:
                found = coloring(task, drawn.rows, asked)
            except InvalidInputError as error:
                problem = str(error)
            marked = np.isin(drawn.rows, task.labeled_rows(state.draw()))
            codes = found.codes if found is not None else np.full(len(drawn.rows), -1)
            source = small_maps.picture(drawn.coordinates, codes, found.colors if found is not None else (), marked)
            alt = (
                f"{KINDS[drawn.kind]} of {wording.count(len(drawn.rows), 'training image')} in the features of "
                f"{placed.title}, colored by {TITLES[asked.by].lower()}. {line}"
            )
            st.html(_frame(f'<img src="{source}" alt="{html.escape(alt, quote=True)}" style="{_WHOLE}">'))
        st.markdown(f"**{escape(placed.title)}**")
        st.caption(" ".join([f"{line}.".replace("..", "."), *_about(task, drawn), escape(problem)]).strip())
        if st.button("Open", key=f"open map {placed.teacher.name}", icon=":material/open_in_full:", type="tertiary"):
            state.set_teacher(placed.teacher.name)
            FeaturesDraft.current().view = "one"
            st.rerun()
    return found


def _frame(inside: str) -> str:
    return (
        '<div style="aspect-ratio:4/3;display:flex;align-items:center;justify-content:center;border-radius:6px;'
        f'background:rgba(128,128,128,.08)">{inside}</div>'
    )


def _about(task: Task, drawn: Map | None) -> list[str]:
    """What kind of map it is, where that is not what was asked for, or of which images."""
    if drawn is None:
        return []
    everyone = len(maps.map_rows(task))
    if len(drawn.rows) < everyone:
        return [f"{KINDS[drawn.kind]} of the {len(drawn.rows):,} of {everyone:,} images whose features are extracted."]
    return []


def _legend(said: Sequence[Coloring], by: str) -> None:
    """What colors and marks say; where each teacher has names of its own, its own map says them."""
    same = len({found.names for found in said}) == 1
    parts = ["◆ labeled, ● the others."]
    if said and said[0].ramp:
        steps = "".join(f'<span style="background:{color};width:14px;height:12px"></span>' for color in said[0].colors)
        parts.insert(0, f'0 <span style="display:inline-flex;border-radius:3px;overflow:hidden">{steps}</span> 1')
    elif same and len(said[0].names) <= LEGEND:
        pairs = zip(said[0].names, said[0].colors, strict=True)
        parts.insert(0, " ".join(_entry(name, color) for name, color in pairs))
    elif said and not same:
        parts.insert(0, "Each teacher has classes of its own: open its map for their names.")
    if said and said[0].gray and any((found.codes < 0).any() for found in said):
        parts.insert(1, _entry(said[0].gray, colors.GRAY))
    st.html(
        '<div style="display:flex;flex-wrap:wrap;gap:4px 14px;font-size:.82rem;align-items:center">'
        + " ".join(f"<span>{part}</span>" if not part.startswith("<span") else part for part in parts)
        + "</div>"
    )


def _entry(name: str, color: str) -> str:
    return (
        f'<span style="white-space:nowrap"><span aria-hidden="true" style="color:{color}">●</span> '
        f"<bdi>{html.escape(name)}</bdi></span>"
    )
