"""Horizontal bars as the lessons draw them: one color, names in short lines, room for numbers."""

from __future__ import annotations

import textwrap

import plotly.graph_objects as go

from app.components.escaping import escape_chart

COLOR, OTHER, QUIET = "#2f86a6", "#c2702a", "#808a96"  # at least 3:1 against the backgrounds of both themes
GRID = "rgba(128, 138, 150, 0.22)"  # readable on both themes
ROW_PIXELS = 40
LINE_LETTERS = 23  # of a title beside its bar
ROOM = 1.45  # of the longest bar: numbers stand behind it


def short(title: str) -> str:
    """A title in lines that leave room for the bars on a narrow screen."""
    return "<br>".join(map(escape_chart, textwrap.wrap(title, LINE_LETTERS)))


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
