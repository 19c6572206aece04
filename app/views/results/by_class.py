"""Errors: how well each class is recognized, the worst first, with intervals; a row leads to its images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components import exhibits, tables, wording
from app.components.escaping import escape
from app.views.results import image_grid
from app.views.results.draft import ResultsDraft
from app.views.results.judged import scores as scores_of
from engine.delivery import Judged
from engine.evaluation import ClassScores, Estimate

SEARCHED = 12  # classes from which on there is a field to search them
NAMED = 12  # classes without images that a sentence names
FORMS = {
    "Images": tables.COUNT,
    "Said": tables.COUNT,
    **{f"{score}, %": tables.PERCENT for score in ("Recall", "Precision", "F1")},
}


def draw(found: Judged) -> None:
    """The table, and the images of the class that is picked."""
    scores = scores_of(found)
    if missing := [found.classes[score.label] for score in scores if not score.images]:
        named = wording.listed(missing[:NAMED]) if len(missing) <= NAMED else f"{', '.join(missing[:NAMED])} and others"
        st.info(
            f"Nothing is known of {wording.count(len(missing), 'class', 'classes')} without a test image: "
            f"{escape(named)}.",
            icon=":material/info:",
        )
    table = class_table(scores, found.classes)
    table = _searched(table)
    st.caption(
        f"The worst F1 first. {_intervals(scores)} Recall: of the class's images, how many are recognized. Precision: "
        "of the images said to be of the class, how many are."
    )
    rows = exhibits.draw_table(
        table.drop(columns="label"),
        FORMS,
        name=f"classes {found.task.name} {found.title}",
        alt="Recall, precision and F1 of each class with 95\u00a0% intervals, worst first; pick a row for its images",
        key=f"classes {found.key}",
        pick=True,
        column_config={"Class": st.column_config.TextColumn(pinned=True)},
    )
    if rows:
        _draw_images(found, int(table["label"].iloc[rows[0]]))
    else:
        st.caption("Pick a row to see the class's images.")


def class_table(scores: Sequence[ClassScores], classes: Sequence[str]) -> pd.DataFrame:
    """A row for each class, the worst F1 first and the unknown ones last; scores and intervals in percent."""
    order = sorted(scores, key=lambda score: (score.f1.value is None, score.f1.value or 0.0, -score.images))
    rows = [
        {
            "label": score.label,
            "Class": classes[score.label],
            "Images": score.images,
            "Said": score.predicted,
            "Recall, %": _percent(score.recall),
            "Recall, 95\u00a0% interval": _interval(score.recall),
            "Precision, %": _percent(score.precision),
            "Precision, 95\u00a0% interval": _interval(score.precision),
            "F1, %": _percent(score.f1),
            "F1, 95\u00a0% interval": _interval(score.f1),
        }
        for score in order
    ]
    return pd.DataFrame(rows)


def _searched(table: pd.DataFrame) -> pd.DataFrame:
    if len(table) < SEARCHED:
        return table
    view = ResultsDraft.current().errors
    wanted = st.text_input(
        "Find a class",
        icon=":material/search:",
        width=320,
        **state.bound("errors class search", view.search, _put_search),
    )
    kept = table[table["Class"].str.contains(wanted.strip(), case=False, regex=False)]
    if kept.empty:
        st.caption(f"No class is named so: all {len(table):,} are shown.")
        return table
    return kept


def _put_search(text: str) -> None:
    ResultsDraft.current().errors.search = text


def _draw_images(found: Judged, label: int) -> None:
    of = np.flatnonzero(found.labels == label)
    wrong = of[~found.right[of]]
    wrong = wrong[np.argsort(-found.confidence[wrong], kind="stable")]
    name = wording.isolated(escape(found.classes[label]))
    if not len(wrong):
        st.markdown(f"**{name}**: all {wording.count(len(of), 'image')} recognized.")
        return
    st.markdown(f"**{name}**: {len(wrong):,} of {wording.count(len(of), 'image')} not recognized, the surest first")
    image_grid.draw(found, wrong, f"class {found.key} {label}")


def _intervals(scores: Sequence[ClassScores]) -> str:
    known = [interval for score in scores if (interval := score.recall.interval) is not None]
    if any("bootstrap" in interval.method for interval in known):
        return "Intervals: bootstrap over groups; none for a class in fewer than 5 groups."
    if not known:
        return "No intervals: each class is in fewer than 5 groups."
    if "groups" in known[0].method:
        return "Intervals: over groups; none for a class in fewer than 5 of them."
    return "Intervals: Wilson, each image counted as independent of the others."


def _percent(found: Estimate) -> float | None:
    return None if found.value is None else 100 * found.value


def _interval(found: Estimate) -> str:
    if found.interval is None:
        return "–"
    return f"{100 * found.interval.low:.1f} to {100 * found.interval.high:.1f}"
