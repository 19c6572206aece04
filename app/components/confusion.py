"""The confusion matrix as a chart, and its largest errors as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from app.components import wording
from app.components.escaping import escape_chart
from engine.evaluation import most_confused, most_confused_classes

NUMBERED = 15  # classes up to which each cell has its number in it
NAMED = 50  # classes up to which the axes name them
SHOWN = 30  # of more classes, those that are confused most
IN_TABLE = 25  # classes up to which the names have their full size, and the whole matrix is readable as a table
LARGEST, SMALLEST = 620, 300  # pixels of the matrix's height
CELL = 44  # pixels of a cell's height where there are few
NAME_LENGTH = 22  # characters of a class on an axis
RIGHT, WRONG = "63, 111, 216", "209, 105, 31"  # red, green, blue: what lies on the diagonal, and what does not
OUTLINE = "#d1691f"
INK = {"light": "#1a2421", "dark": "#f1f4f3"}  # of the numbers in cells: stronger than other text, for it is on color
SMALL_TICKS, TICKS = 9, 12  # pixels of the classes' names on the axes; small ones where there are many


def pairs_table(matrix: NDArray[np.int64], classes: Sequence[str], count: int) -> pd.DataFrame:
    """The most confused pairs of classes, those with the most images first."""
    pairs = most_confused(matrix, count)
    return pd.DataFrame(
        {
            "True class": [classes[pair.label] for pair in pairs],
            "Taken for": [classes[pair.predicted] for pair in pairs],
            "Images": [pair.images for pair in pairs],
            "Of class, %": [100 * pair.share for pair in pairs],
        }
    )


def worst_classes(matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which classes are drawn: all of them where they can be named, else those of the pairs that are confused most."""
    return np.arange(len(matrix)) if len(matrix) <= NAMED else most_confused_classes(matrix, SHOWN)


def figure(
    whole: NDArray[np.int64], names: Sequence[str], drawn_classes: NDArray[np.int64], *, shares: bool
) -> go.Figure:
    """The matrix of some classes: rows are true classes, from above, columns what they were taken for. What is right
    and what is wrong have a color each, and each its own scale, since few errors would not be seen beside many right
    ones. Shares are of all images of a class. A mark's customdata are the numbers of its two classes.
    """
    part = np.ix_(drawn_classes, drawn_classes)
    matrix, classes = whole[part], [names[label] for label in drawn_classes.tolist()]
    count, share = len(classes), shares_of(whole)[part]
    values = share if shares else matrix
    ink = INK.get(str(st.context.theme.type), INK["light"])
    diagonal = np.eye(count, dtype=bool)
    drawn = go.Figure()
    for own, color in ((diagonal, RIGHT), (~diagonal, WRONG)):
        drawn.add_heatmap(
            z=np.where(own & (matrix > 0), values, np.nan),
            colorscale=[[0, f"rgba({color}, 0.12)"], [1, f"rgba({color}, 0.75)"]],
            zmin=0,
            zmax=1 if shares else max(1, int((matrix * own).max())),
            showscale=False,
            hoverinfo="skip",
            xgap=1,
            ygap=1,
        )
    height = int(min(LARGEST, max(SMALLEST, CELL * count + 120)))
    drawn.add_scatter(**_cells(matrix, share, classes, drawn_classes, (height - 120) / count))
    if count <= NUMBERED:
        for row, column in np.argwhere(matrix > 0).tolist():
            text = f"{100 * values[row, column]:.0f}\u00a0%" if shares else f"{matrix[row, column]:,}"
            drawn.add_annotation(x=column, y=row, text=text, showarrow=False, font={"size": 12, "color": ink})
    _axes(drawn, classes)
    drawn.update_layout(
        height=height,
        margin={"l": 0, "r": 8, "t": 28, "b": 0},
        dragmode=False,
        hovermode="closest",
        hoverdistance=40 if count <= NUMBERED else 12,
        showlegend=False,
    )
    return drawn


def _cells(
    matrix: NDArray[np.int64],
    share: NDArray[np.float64],
    classes: Sequence[str],
    numbers: NDArray[np.int64],
    pixels: float,
) -> dict[str, Any]:
    """An invisible mark on each cell with images: a heat map itself answers no click."""
    rows, columns = np.nonzero(matrix)
    said = [
        f"{escape_chart(classes[row])} taken for {escape_chart(classes[column])}"
        if row != column
        else f"{escape_chart(classes[row])}, recognized"
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    return {
        "x": columns,
        "y": rows,
        "customdata": np.stack([numbers[rows], numbers[columns]], axis=1).tolist(),
        "mode": "markers",
        "text": [
            f"{text}: {wording.count(int(matrix[row, column]), 'image')}, "
            f"{wording.percent(share[row, column])} of the class"
            for text, row, column in zip(said, rows, columns, strict=True)
        ],
        "hovertemplate": "%{text}<extra></extra>",
        "marker": {
            "symbol": "square-open",
            "size": max(5.0, min(30.0, pixels - 4)),
            "color": OUTLINE,
            "opacity": 0,
            "line": {"width": 3},
        },
        "selected": {"marker": {"opacity": 1}},
        "unselected": {"marker": {"opacity": 0}},
        "cliponaxis": False,
    }


def _axes(drawn: go.Figure, classes: Sequence[str]) -> None:
    ticks: Mapping[str, Any] = {
        "tickvals": list(range(len(classes))),
        "ticktext": [escape_chart(_short(name)) for name in classes],
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        "ticks": "",
        "tickfont": {"size": TICKS if len(classes) <= IN_TABLE else SMALL_TICKS},
    }
    reach = [-0.5, len(classes) - 0.5]
    drawn.update_xaxes(**ticks, range=reach, title="Taken for", tickangle=-45 if len(classes) > 3 else 0)
    drawn.update_yaxes(**ticks, range=reach[::-1], title="True class")


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"


def shares_of(matrix: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row as shares of its sum; a row without images is 0."""
    found: NDArray[np.float64] = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return found
