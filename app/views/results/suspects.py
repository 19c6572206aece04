"""Results, Labels: labels that the other labeled images speak against, to keep, correct or leave out."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app import state
from app.components import images, waiting, wording
from app.components.escaping import escape
from app.drafts import task_key
from app.views.results.draft import Decided, ResultsDraft
from engine.errors import WorkbenchError
from engine.jobs import Job
from engine.runs import (
    KEEP,
    Decision,
    Suspect,
    Suspects,
    check_labels,
    decide,
    known_suspects,
    request_suspects,
    take_back,
    time_of_suspects,
    undecided,
)
from engine.tasks import Task, is_own
from engine.teachers import get_teacher

AT_ONCE = 8  # images that are shown together
COLUMNS = 4
PIXELS = 160
KEPT, CORRECTED, LEFT_OUT = "Keep", "Correct", "Leave out"


def draw(task: Task) -> None:
    """The part."""
    try:
        check_labels(task)
        found = known_suspects(state.workspace(), task)
        open_ones = [] if found is None else undecided(task, found)
    except WorkbenchError as error:
        st.info(escape(str(error)), icon=":material/label:")
        return
    _undo(task)
    if found is None or found.task_revision != task.revision:
        _offer(task, again=found is not None)
    if found is not None:
        _found(task, found, open_ones)


def _offer(task: Task, *, again: bool) -> None:
    """The button that lets the queue look, with about how long that takes; once it was pressed, how far it is."""
    workspace, slot = state.workspace(), ResultsDraft.current().slots[f"suspects of {task.name}"]

    def ask() -> Job:
        return slot.ask(lambda: request_suspects(workspace, task, state.device()))

    job = slot.not_done()
    if job is not None and job.spec.get("task_revision") == task.revision:
        waiting.wait_for(job, "Looking for labels that the others speak against", ask)
        return
    time = time_of_suspects(workspace, task, state.device())
    known = (
        ""
        if time.measured_at is None
        else f", at the pace of the last extraction here, {wording.ago(time.measured_at)}"
    )
    said = (
        "The labels have changed since they were looked at."
        if again
        else ("Each labeled image is judged by what the teachers' features say of all other labeled images.")
    )
    with st.container(border=True):
        st.markdown(f":material/troubleshoot: {said} At most **{wording.duration(time.seconds)}**{known}.")
        if st.button("Look again" if again else "Look for wrong labels", icon=":material/play_arrow:", key="suspects"):
            ask()
            st.rerun()


def _found(task: Task, found: Suspects, open_ones: Sequence[Suspect]) -> None:
    if not open_ones:
        st.success("No label is suspected that nobody has decided about.", icon=":material/check_circle:")
        return
    names = [get_teacher(state.workspace(), name).title for name in found.teachers]
    st.markdown(
        f"**{wording.count(len(open_ones), 'label')} of {found.labeled_images:,}** may be wrong, the most doubtful "
        "first. A probe can err as well: look at each."
    )
    st.caption(
        f"By confident learning's rule (Northcutt et al. 2021) on probes of these teachers, none of "
        f"which saw the image's own label: {escape('; '.join(names))}."
    )
    shown = open_ones[:AT_ONCE]
    if not is_own(task):
        _cards(task, shown, decidable=False)
        st.caption(
            ":material/lock: A task that came with the program keeps its labels; those of your own can be changed."
        )
        return
    decisions = _cards(task, shown, decidable=True)
    if len(open_ones) > len(shown):
        st.caption(f"The first {len(shown)} are shown; the next ones come once these are decided.")
    if st.button(
        f"Save {wording.count(len(decisions), 'decision')}" if decisions else "Save decisions",
        type="primary",
        icon=":material/save:",
        disabled=not decisions,
        help="One new revision of the labels. It can be taken back.",
    ):
        undo = decide(task, decisions, found.found)
        ResultsDraft.current().decided[task_key(task)] = Decided(undo, len(decisions))
        st.rerun()


def _cards(task: Task, shown: Sequence[Suspect], *, decidable: bool) -> dict[str, Decision]:
    """A card for each suspect; what was decided, by image id."""
    row_of = {image: row for row, image in enumerate(task.images.image_ids)}
    rows = [row_of[each.image] for each in shown]
    decisions: dict[str, Decision] = {}
    for first in range(0, len(shown), COLUMNS):
        for column, place in zip(st.columns(COLUMNS), range(first, min(first + COLUMNS, len(shown))), strict=False):
            with column, st.container(border=True, height="stretch"):
                _picture(task, rows[place], shown[place])
                if decidable:
                    _ask(task, shown[place], decisions)
    return decisions


def _picture(task: Task, row: int, suspect: Suspect) -> None:
    images.grid(task, [images.Thumbnail(row, f"labeled {suspect.label}, rather {suspect.suggested}")], size=PIXELS)
    st.markdown(
        f"**{escape(suspect.label)}** :gray[{wording.percent(suspect.of_label, 0)}]  \n:material/arrow_forward: "
        f"{escape(suspect.suggested)} :gray[{wording.percent(suspect.of_suggested, 0)}]"
    )


def _ask(task: Task, suspect: Suspect, decisions: dict[str, Decision]) -> None:
    chosen = st.segmented_control(
        f"Decision about {suspect.image}",
        (KEPT, CORRECTED, LEFT_OUT),
        key=f"suspect {task_key(task)} {suspect.image} {suspect.label}",
        label_visibility="collapsed",
    )
    if chosen == KEPT:
        decisions[suspect.image] = KEEP
    elif chosen == LEFT_OUT:
        decisions[suspect.image] = None
    elif chosen == CORRECTED:
        others = [name for name in task.classes if name != suspect.label]
        decisions[suspect.image] = st.selectbox(
            "Its class",
            others,
            index=others.index(suspect.suggested),
            key=f"suspect class {task_key(task)} {suspect.image} {suspect.label}",
            label_visibility="collapsed",
        )


def _undo(task: Task) -> None:
    """What was decided last, and the button that takes it back."""
    draft = ResultsDraft.current()
    last = draft.decided.get(task_key(task))
    if last is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/cloud_done: {wording.count(last.count, 'decision')} saved.", width="content")
        if st.button("Undo", icon=":material/undo:", type="tertiary", key="undo suspects"):
            take_back(task, last.undo)
            del draft.decided[task_key(task)]
            st.rerun()
