"""Horizontal bars as the lessons draw them: one color, names in short lines, room for numbers."""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go
import streamlit as st

from app.components.escaping import escape_chart

COLOR, OTHER, QUIET = "#2f86a6", "#c2702a", "#808a96"  # at least 3:1 against the backgrounds of both themes
GRID = "rgba(128, 138, 150, 0.22)"  # readable on both themes
INK = {"light": "#1a2421", "dark": "#f1f4f3"}  # of numbers in cells, which no theme colors
ROW_PIXELS = 40
LINE_LETTERS = 23  # of a title beside its bar
ROOM = 1.45  # of the longest bar: numbers stand behind it


def short(title: str) -> str:
    """A title in lines that leave room for the bars on a narrow screen."""
    return "<br>".join(map(escape_chart, textwrap.wrap(title, LINE_LETTERS)))


def ink() -> str:
    """The color of numbers that stand in colored cells."""
    return INK.get(str(st.context.theme.type), INK["light"])


def lay_out(figure: go.Figure, rows: int, title: str, longest: float, *, smallest: float = 0.0) -> None:
    """Axes and height of bars; `longest` and `smallest` are the ends of what they show, in the unit of the axis."""
    figure.update_layout(
        height=80 + ROW_PIXELS * rows,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        dragmode=False,
        bargap=0.35,
    )
    reach = max(longest, 0.0) or 1.0
    figure.update_xaxes(title=title, range=[min(smallest, 0.0) * ROOM, reach * ROOM], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(automargin=True, ticksuffix="  ")
