"""Trust: several classes in the place of one, so that the right one is among them as often as is asked for."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import exhibits, tables, wording
from app.components.charts import GRID
from app.components.escaping import escape
from app.views.results.students import Chosen
from app.views.results.trust.draft import TrustDraft
from engine.delivery import Calibration, SetRule, sets_sentence
from engine.evaluation import COVERAGES

COLOR = "#8d5fcb"
LONGEST = 12  # classes in a set that get a bar of their own; larger sets share the last one
FEWEST = 10  # images of a class of which a share says something


def draw(found: Calibration, chosen: Chosen) -> None:
    """The choice of a coverage, what it comes to, and how large the sets are."""
    st.subheader("More than one answer", anchor=False)
    draft = TrustDraft.current()
    left, right = st.columns([2, 3], gap="large")
    with left:
        coverage = st.segmented_control(
            "The right class is to be in the set of",
            COVERAGES,
            format_func=lambda share: wording.percent(share, 0),
            required=True,
            **state.bound("trust coverage", draft.coverage, draft.put("coverage")),
        )
        rule = found.rule(float(coverage or draft.coverage))
        _draw_figures(rule)
        st.markdown(sets_sentence(rule))
    with right:
        exhibits.draw(
            _figure(rule),
            size_table(rule),
            {"Images": tables.COUNT, "Of all, %": tables.PERCENT},
            name=f"prediction sets {chosen.task.name} {chosen.title}",
            alt=f"How many images have a set of how many classes: {_sizes_text(rule)}",
            key="trust sets",
        )
    if lowest := _lowest(rule, found.held_out.classes):
        st.caption(f"This holds for all images together, not for each class. {lowest}")


def _draw_figures(rule: SetRule) -> None:
    with st.container(horizontal=True):
        st.metric("Classes in a set", f"{rule.mean_size:.2f}", help="On average; fewer is better.")
        st.metric("Sets with one class", wording.percent(_share_of_one(rule)))
        st.metric("Held the right one", wording.percent(rule.realized))


def _share_of_one(rule: SetRule) -> float:
    return rule.sizes[1] / sum(rule.sizes) if len(rule.sizes) > 1 else 0.0


def _lowest(rule: SetRule, classes: tuple[str, ...]) -> str | None:
    """The class that is held most rarely, in a sentence; None where that is no less than what was asked for."""
    told = [
        (held / images, name, images)
        for (held, images), name in zip(rule.held, classes, strict=True)
        if images >= FEWEST
    ]
    if not told or min(told)[0] >= rule.coverage:
        return None
    share, name, images = min(told)
    return f"It was lowest for the class {escape(name)}: {wording.percent(share, 0)} of {images:,} images."


def size_table(rule: SetRule) -> pd.DataFrame:
    """How many images have a set of 1, 2, ... classes."""
    rows = [(str(size), images) for size, images in enumerate(rule.sizes) if 0 < size < LONGEST]
    if more := sum(rule.sizes[LONGEST:]):
        rows.append((f"{LONGEST} or more", more))
    total = sum(rule.sizes)
    return pd.DataFrame(
        [{"Classes in the set": size, "Images": images, "Of all, %": 100 * images / total} for size, images in rows]
    )


def _words(table: pd.DataFrame) -> list[str]:
    """The rows of `size_table` in words: "1 class: 12 images"."""
    return [
        f"{size} {'class' if size == '1' else 'classes'}: {wording.count(int(images), 'image')}"
        for size, images in zip(table["Classes in the set"], table["Images"], strict=True)
    ]


def _sizes_text(rule: SetRule) -> str:
    return "; ".join(_words(size_table(rule)))


def _figure(rule: SetRule) -> go.Figure:
    table = size_table(rule)
    figure = go.Figure()
    figure.add_bar(
        x=table["Classes in the set"],
        y=table["Of all, %"],
        marker={"color": COLOR, "opacity": 0.65, "line": {"width": 0}},
        text=[wording.percent(share / 100, 0) for share in table["Of all, %"]],
        textposition="outside",
        cliponaxis=False,
        hovertext=_words(table),
        hovertemplate="%{hovertext}<extra></extra>",
    )
    figure.update_layout(height=280, margin={"l": 0, "r": 8, "t": 28, "b": 0}, showlegend=False, dragmode=False)
    figure.update_xaxes(title="Classes in the set", type="category")
    figure.update_yaxes(title="Images, %", gridcolor=GRID, zeroline=False, range=[0, 1.15 * table["Of all, %"].max()])
    return figure
