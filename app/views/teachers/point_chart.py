"""Teachers as numbered points of a chart, which stay readable where titles would lie on each other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go
import streamlit as st

from app.components.escaping import escape, escape_chart
from app.views.teachers.ranked import COLORS, RELATIONS
from engine.runs import Ranking
from engine.teachers import TeacherRecord

GRID = "rgba(128, 138, 150, 0.22)"  # readable on both themes
SYMBOLS = {"other": "circle", "disjoint": "diamond"}  # so that color is not the only sign
ERRORS = "#7d8987"


@dataclass(frozen=True)
class TeacherPoint:
    """One teacher: where it lies, and from where to where its interval reaches along y."""

    teacher: TeacherRecord
    x: float
    y: float
    low: float | None = None
    high: float | None = None


def figure(
    ranking: Ranking,
    points: Sequence[TeacherPoint],
    relations: Mapping[str, str],
    said: Callable[[TeacherPoint], str],
) -> go.Figure:
    """The points with their ranks in them; `said` words where a point lies, for its hover text."""
    ranks = {ranked.teacher.name: ranked.rank for ranked in ranking.ranked}
    drawn = go.Figure()
    for relation, described in RELATIONS.items():
        own = [point for point in points if relations[point.teacher.name] == relation]
        if not own:
            continue
        drawn.add_scatter(
            x=[point.x for point in own],
            y=[point.y for point in own],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [0.0 if point.high is None else point.high - point.y for point in own],
                "arrayminus": [0.0 if point.low is None else point.y - point.low for point in own],
                "color": ERRORS,
                "thickness": 1.5,
                "width": 3,
            },
            mode="markers+text",
            text=[str(ranks.get(point.teacher.name, "")) for point in own],
            textfont={"size": 11, "color": "#ffffff"},
            hovertext=[f"{escape_chart(point.teacher.title)}: {said(point)}" for point in own],
            cliponaxis=False,
            name=f"from {described}",
            marker={"size": 21, "color": COLORS[relation], "symbol": SYMBOLS[relation], "line": {"width": 0}},
            hovertemplate="%{hovertext}<extra></extra>",
        )
    drawn.update_xaxes(gridcolor=GRID, zeroline=False)
    drawn.update_yaxes(gridcolor=GRID, zeroline=False)
    drawn.update_layout(
        height=440,
        margin={"l": 0, "r": 16, "t": 28, "b": 0},
        dragmode=False,
        showlegend=any(relations[point.teacher.name] == "disjoint" for point in points),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    return drawn


def legend(ranking: Ranking, points: Sequence[TeacherPoint]) -> None:
    """Which number is which teacher."""
    shown = {point.teacher.name for point in points}
    st.caption(
        "Numbers are ranks: "
        + " · ".join(
            f"**{ranked.rank}** {escape(ranked.teacher.title)}"
            for ranked in ranking.ranked
            if ranked.teacher.name in shown
        )
    )
