"""Labels for images that were picked on a map: one class for all, or for each what the consensus proposes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import unfinished, wording
from app.components.escaping import escape
from app.drafts import task_key
from app.views.features.coloring import proposed
from app.views.features.draft import FeaturesDraft, Relabeled
from engine import tasks
from engine.errors import InvalidInputError
from engine.tasks import Task

NAMED = 4  # proposed classes that are named; more are counted


def draw(task: Task, rows: NDArray[np.int64], picked: Sequence[int]) -> None:
    """The part; `rows` are those of the map. Nothing for a task that came with the program, whose labels stay."""
    if not tasks.is_own(task):
        if picked:
            st.caption(
                ":material/lock: This task came with the program and keeps its labels; your own can be labeled here."
            )
        return
    _offer_undo(task)
    if not picked:
        return
    with st.container(border=True):
        unfinished.warn(task, "A label")
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _offer_class(task, picked)
            _offer_proposals(task, rows, picked)


def _offer_class(task: Task, picked: Sequence[int]) -> None:
    classes = list(dict.fromkeys([*task.record.given_classes, *task.classes]))
    name = st.selectbox(
        "Class of the picked images",
        classes,
        index=None,
        placeholder="Choose a class, or write a new one",
        accept_new_options=True,
        width=320,
        key=f"class of region {task_key(task)}",
    )
    text = f"Label {wording.count(len(picked), 'image')}"
    if st.button(text, icon=":material/label:", disabled=name is None, key="label region"):
        _relabel(task, {row: str(name) for row in picked})


def _offer_proposals(task: Task, rows: NDArray[np.int64], picked: Sequence[int]) -> None:
    """For the picked images that have no label: what the consensus proposes for each, to be accepted."""
    given = dict(zip(picked, tasks.given_labels(task, list(picked)), strict=True))
    without = np.array([row for row, label in given.items() if label is None], dtype=np.int64)
    if not len(without):
        return
    try:
        said = proposed(task, rows)[np.searchsorted(rows, without)].argmax(axis=1)
    except InvalidInputError:  # said below the grid already
        return
    names = [task.classes[number] for number in said.tolist()]
    counts = Counter(names).most_common()
    listed = [f"{count:,} {name}" for name, count in counts[:NAMED]]
    if len(counts) > NAMED:
        listed.append(wording.count(len(counts) - NAMED, "other class", "other classes"))
    if st.button(
        f"Accept the consensus for {wording.count(len(without), 'unlabeled image')}",
        icon=":material/done_all:",
        key="accept proposals",
        help=f"It proposes {escape(wording.listed(listed))}. Look at the pictures first: it can err as well.",
    ):
        _relabel(task, dict(zip(without.tolist(), names, strict=True)))


def _relabel(task: Task, wanted: Mapping[int, str]) -> None:
    """One new revision of the labels, that can be taken back."""
    labeled = state.open_labels(task.name)
    before = dict(zip(wanted, tasks.given_labels(labeled, list(wanted)), strict=True))
    tasks.relabel(labeled, wanted)
    FeaturesDraft.current().relabeled.append(Relabeled(task_key(task), before))
    st.rerun()


def _offer_undo(task: Task) -> None:
    done = FeaturesDraft.current().relabeled
    own = [each for each in done if each.task == task_key(task)]
    if not own:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f":material/cloud_done: {wording.count(len(own[-1].before), 'label')} saved.", width="content")
        if st.button("Undo", icon=":material/undo:", type="tertiary", key="undo region"):
            tasks.relabel(state.open_labels(task.name), own[-1].before)
            done.remove(own[-1])
            st.rerun()
