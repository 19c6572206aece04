"""What is said of the images that were picked on a map: by each teacher shown, and by all of them together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import point_maps, wording
from app.components.escaping import escape
from app.views.features.coloring import proposed
from engine.errors import InvalidInputError
from engine.runs import top_pseudo_labels
from engine.tasks import Task
from engine.teachers import TeacherRecord

SHOWN = 60  # pictures that the grid shows of many, as the map itself does


def describe(
    task: Task, teachers: Sequence[TeacherRecord], rows: NDArray[np.int64], picked: Sequence[int], key: str
) -> None:
    """Write below each picture of the grid what the teachers of the maps call it, and what the consensus proposes."""
    shown = shown_of(picked)
    if not len(shown):
        return
    lines: dict[int, list[str]] = {int(row): [] for row in shown}
    silent = []
    for teacher in teachers:
        found = top_pseudo_labels(state.workspace(), task, teacher, shown)
        if found is None:
            silent.append(teacher.title)
            continue
        for row, name, probability in zip(shown.tolist(), found.classes.tolist(), found.probabilities, strict=True):
            lines[row].append(f"{teacher.title}: {teacher.classes[name]}, {wording.percent(float(probability), 0)}")
    problem = ""
    try:
        said = proposed(task, rows)[np.searchsorted(rows, shown)]
    except InvalidInputError as error:
        problem = str(error)
    else:
        for row, likely in zip(shown.tolist(), said, strict=True):
            top = int(likely.argmax())
            lines[row].append(f"Consensus: {task.classes[top]}, {wording.percent(float(likely[top]), 0)}")
    point_maps.write_words(key, lines)
    if silent:
        st.caption(f"No pseudo-labels of these images by {escape(wording.listed(silent))}.")
    if problem:
        st.caption(escape(problem))


def shown_of(picked: Sequence[int]) -> NDArray[np.int64]:
    """The picked rows whose pictures the grid shows: all of them, or some evenly from all."""
    rows = np.array(sorted(picked), dtype=np.int64)
    if len(rows) <= SHOWN:
        return rows
    return rows[np.arange(SHOWN) * (len(rows) - 1) // (SHOWN - 1)]
