"""The map of a task's images: one WebGL scatter plot, colored by class, whose picked points are given back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st
from numpy.typing import NDArray

from app.components.colors import GRAY, class_colors
from app.components.escaping import escape_chart
from engine.maps import Map
from engine.tasks import Task

DRAWN = 20_000  # points at most: 2.5 MB for the browser, where 100,000 take 12.6
LEGEND_CLASSES = 20  # up to so many classes have a legend; more cannot be distinguished by color anyway
UNKNOWN = "class not known"
HEIGHT = 560
CIRCLE, DIAMOND = 0, 2  # Plotly's numbers of the symbols
OUTLINE = "rgba(128,128,128,.9)"  # of labeled images
HIDDEN_AXIS = {"showgrid": False, "zeroline": False, "showticklabels": False}


def point_table(task: Task, drawn: Map, labeled: NDArray[np.int64]) -> pd.DataFrame:
    """The map as a table: one row for each point, with row of the image table, image, class, label and place."""
    labels = task.labels[drawn.rows]
    names = np.array([*task.classes, UNKNOWN])  # the last one is found by the label -1
    return pd.DataFrame(
        {
            "row": drawn.rows,
            "Image": [task.images.image_ids[row] for row in drawn.rows],
            "Class": names[labels],
            "Labeled": np.isin(drawn.rows, labeled),
            "x": drawn.coordinates[:, 0].round(3),
            "y": drawn.coordinates[:, 1].round(3),
        }
    )


def thinned(points: pd.DataFrame) -> pd.DataFrame:
    """The points of a `point_table` that are drawn: all up to `DRAWN`; of more the labeled ones and a seeded sample."""
    if len(points) <= DRAWN:
        return points
    order = np.random.default_rng(0).permutation(len(points))
    labeled_first = order[np.argsort(~points["Labeled"].to_numpy()[order], kind="stable")]
    return points.iloc[np.sort(labeled_first[:DRAWN])]


def draw(points: pd.DataFrame, task: Task, highlighted: Sequence[str], *, lasso: bool, key: str, alt: str) -> list[int]:
    """Draw the points of `point_table`; gives the rows of the image table that are picked, in the map's order.

    Labeled images are diamonds, the others dots. With `highlighted` classes all others turn gray.
    """
    event = st.plotly_chart(
        _figure(points, task.classes, highlighted, lasso=lasso),
        key=key,
        on_select="rerun",
        selection_mode=("points", "lasso", "box"),
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "zoom2d", "pan2d", "autoScale2d", "toImage"],
        },
        alt=alt,
    )
    return [int(_first(point["customdata"])) for point in event["selection"]["points"] if "customdata" in point]


def _figure(points: pd.DataFrame, classes: Sequence[str], highlighted: Sequence[str], *, lasso: bool) -> go.Figure:
    """Built anew at each run: a figure that went through a cache would lose the first lasso's outline."""
    traces = [_trace(group, points[group.chosen], classes) for group in _groups(points, classes, highlighted)]
    layout = {
        "height": HEIGHT,
        "margin": {"l": 0, "r": 0, "t": 8, "b": 0},
        "dragmode": "lasso" if lasso else "pan",
        "showlegend": bool(highlighted) or len(classes) <= LEGEND_CLASSES,
        "legend": {"orientation": "h", "itemsizing": "constant", "y": -0.02, "yanchor": "top"},
        "hoverlabel": {"namelength": 0},
        "xaxis": HIDDEN_AXIS,
        "yaxis": HIDDEN_AXIS,
    }
    return go.Figure(traces, layout)


@dataclass(frozen=True)
class _Group:
    """Points that are one trace. color is None where each point has the color of its class."""

    name: str
    chosen: NDArray[np.bool_]
    color: str | None
    opacity: float = 0.85


def _groups(points: pd.DataFrame, classes: Sequence[str], highlighted: Sequence[str]) -> list[_Group]:
    """One group for each class that has a legend entry; building many traces is slow, so the rest is one group."""
    name, colors = points["Class"].to_numpy(), dict(zip(classes, class_colors(len(classes)), strict=True))
    unknown = name == UNKNOWN
    if highlighted:
        others = _Group("other classes", ~np.isin(name, list(highlighted)), GRAY, 0.3)
        groups = [others, *(_Group(key, name == key, colors[key]) for key in highlighted)]
    elif len(classes) <= LEGEND_CLASSES:
        groups = [_Group(UNKNOWN, unknown, GRAY), *(_Group(key, name == key, colors[key]) for key in classes)]
    else:
        groups = [_Group(UNKNOWN, unknown, GRAY), _Group("all classes", ~unknown, None)]
    return [group for group in groups if group.chosen.any()]


def _trace(group: _Group, found: pd.DataFrame, classes: Sequence[str]) -> go.Scattergl:
    found = found.sort_values("Labeled", kind="stable")  # the legend's mark is that of the first; labeled ones on top
    labeled = found["Labeled"].to_numpy()
    said = np.where(labeled, "labeled", "unlabeled")
    marker = {
        "symbol": np.where(labeled, DIAMOND, CIRCLE),
        "size": np.where(labeled, 10, 6),
        "opacity": group.opacity,
        "line": {"width": np.where(labeled, 1.5, 0.0), "color": OUTLINE},
        "color": group.color,
    }
    if group.color is None:
        last = max(1, len(classes) - 1)
        steps = [[i / last, color] for i, color in enumerate(class_colors(len(classes)))]
        codes = pd.Categorical(found["Class"], categories=list(classes)).codes.astype(np.int32)
        marker |= {"color": codes, "colorscale": steps, "cmin": 0, "cmax": last, "showscale": False}
    return go.Scattergl(
        x=found["x"].to_numpy(),
        y=found["y"].to_numpy(),
        customdata=found["row"].tolist(),  # as a list: an array would come back from the browser as something else
        mode="markers",
        name=escape_chart(group.name),
        text=[
            f"{escape_chart(c)}, {s}<br>{escape_chart(i)}"
            for c, s, i in zip(found["Class"], said, found["Image"], strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
        marker=marker,
    )


def _first(value: list[int] | int) -> int:
    return value[0] if isinstance(value, list) else value
