"""Trust: whether the student is right as often as it is sure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components import exhibits, tables, wording
from app.components.charts import GRID
from app.views.results.sources import in_percent
from app.views.results.students import Chosen
from engine.delivery import Calibration, Reliability, reliability_sentence
from engine.evaluation import ReliabilityBin

BEFORE, AFTER = "#c2571a", "#16907f"
EVEN = "#7b8794"
SMALLEST, LARGEST = 7, 22  # pixels of a mark, by how many images it stands for
FORMS = {
    "Confidence from, %": tables.PERCENT,
    "to, %": tables.PERCENT,
    "Images": tables.COUNT,
    "Mean confidence, %": tables.PERCENT,
    "Right, %": tables.PERCENT,
    "Right at least, %": tables.PERCENT,
    "Right at most, %": tables.PERCENT,
}


def draw(found: Calibration, chosen: Chosen) -> None:
    """The diagrams, their error, and what they say."""
    st.subheader("Is it right as often as it is sure?", anchor=False)
    st.markdown(reliability_sentence(found))
    sides = [("By itself", found.before, BEFORE, "circle")]
    if found.after is not None:
        sides.append((f"At a temperature of {found.temperature:.2f}", found.after, AFTER, "diamond"))
    for column, (title, side, color, symbol) in zip(st.columns(len(sides), gap="large"), sides, strict=True):
        with column:
            _draw_side(title, side, color, symbol, chosen)
    st.caption(
        "Each mark stands for images of which the student is about equally sure; the larger it is, the more they are. "
        "On the dashed line it is right as often as it is sure; below it, it is too sure. The calibration error is how "
        "far the marks are from the line on average: 0 is best."
    )


def _draw_side(title: str, side: Reliability, color: str, symbol: str, chosen: Chosen) -> None:
    error = side.error
    interval = f"{in_percent(error.interval)}\u00a0%" if error.interval else "no interval"
    st.markdown(f"**{title}** · calibration error **{wording.percent(error.value)}** :gray[({interval})]")
    exhibits.draw(
        _figure(side.bins, color, symbol),
        bin_table(side.bins),
        FORMS,
        name=f"reliability {title} {chosen.task.name} {chosen.title}",
        alt=_text(title, side),
        key=f"trust reliability {symbol}",
    )


def bin_table(bins: Sequence[ReliabilityBin]) -> pd.DataFrame:
    """The marks of a diagram as a table."""
    rows = [
        {
            "Confidence from, %": 100 * found.low,
            "to, %": 100 * found.high,
            "Images": found.images,
            "Mean confidence, %": 100 * found.confidence,
            "Right, %": 100 * found.accuracy,
            "Right at least, %": 100 * found.interval.low if found.interval else None,
            "Right at most, %": 100 * found.interval.high if found.interval else None,
        }
        for found in bins
    ]
    return pd.DataFrame(rows)


def _figure(bins: Sequence[ReliabilityBin], color: str, symbol: str) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"color": EVEN, "dash": "dash", "width": 1.5}, hoverinfo="skip"
    )
    most = max(found.images for found in bins)
    figure.add_scatter(
        x=[100 * found.confidence for found in bins],
        y=[100 * found.accuracy for found in bins],
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [100 * (found.interval.high - found.accuracy) if found.interval else 0 for found in bins],
            "arrayminus": [100 * (found.accuracy - found.interval.low) if found.interval else 0 for found in bins],
            "thickness": 1.5,
            "width": 4,
        },
        mode="markers",
        marker={
            "color": color,
            "symbol": symbol,
            "size": [SMALLEST + (LARGEST - SMALLEST) * (found.images / most) ** 0.5 for found in bins],
        },
        customdata=[found.images for found in bins],
        hovertemplate="sure %{x:.1f}\u00a0%, right %{y:.1f}\u00a0%<br>%{customdata:,} images<extra></extra>",
        cliponaxis=False,
    )
    figure.update_layout(height=330, margin={"l": 0, "r": 14, "t": 28, "b": 0}, showlegend=False, dragmode=False)
    figure.update_xaxes(title="Confidence, %", range=[0, 101], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title="Right, %", range=[0, 103], gridcolor=GRID, zeroline=False)
    return figure


def _text(title: str, side: Reliability) -> str:
    said = "; ".join(
        f"{wording.percent(found.confidence, 0)} sure, {wording.percent(found.accuracy, 0)} right "
        f"({wording.count(found.images, 'image')})"
        for found in side.bins
    )
    return f"Reliability diagram, {title.lower()}: {said}. Calibration error {wording.percent(side.error.value)}"
