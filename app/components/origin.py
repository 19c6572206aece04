"""Where a teacher comes from, and what one without pseudo-labels cannot do: the same words on every page."""

from __future__ import annotations

from typing import Any

import streamlit as st

from app.components import wording
from app.components.escaping import escape
from engine.methods import METHODS
from engine.runs import Ranking
from engine.teachers import TeacherRecord

WORDS = {
    "bundled": "Bundled",
    "timm": "Pretrained",
    "checkpoint": "Your file",
    "outputs": "Outputs only",
}
_ICONS: dict[str, tuple[str, Any]] = {
    "bundled": (":material/inventory_2:", "gray"),
    "timm": (":material/download:", "blue"),
    "checkpoint": (":material/upload_file:", "green"),
    "outputs": (":material/table:", "violet"),
}


def badge(teacher: TeacherRecord) -> None:
    """Where a teacher comes from, in two words."""
    icon, color = _ICONS[teacher.origin]
    st.badge(WORDS[teacher.origin], icon=icon, color=color)


def cannot_teach(ranking: Ranking) -> None:
    """Say which teachers of a ranking take no part in distillation, or could not be ranked, and why."""
    silent = [r.teacher for r in ranking.ranked if not r.teacher.has_pseudo_labels]
    if silent:
        st.caption(
            f":material/info: {_titles(silent)} {'has' if len(silent) == 1 else 'have'} no classes, so no "
            f"pseudo-labels: ranked here, shown on maps and heard in {by_features()}, but without a weight in the "
            "other methods."
        )
    for unranked in ranking.unranked:
        st.caption(f":material/info: Not ranked: {escape(unranked.teacher.title)}. {escape(unranked.reason)}")


def by_features() -> str:
    """The titles of the methods that a teacher without pseudo-labels takes part in, as words."""
    return wording.listed([method.title for method in METHODS.values() if method.features_suffice])


def _titles(teachers: Any) -> str:
    return wording.listed([escape(teacher.title) for teacher in teachers])
