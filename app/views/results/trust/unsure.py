"""Trust: images of which the student is not sure enough are left to a person."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import exhibits, tables, wording
from app.components.charts import GRID
from app.views.results.sources import in_percent
from app.views.results.students import Chosen
from app.views.results.trust.draft import TrustDraft
from engine.delivery import Calibration, decided_sentence
from engine.evaluation import CoverageCurve, CoveragePoint

COLOR, BAND = "#3f6fd8", "rgba(63, 111, 216, 0.18)"
CHOSEN = "#c2571a"
FEWEST = 10  # decided images of which the curve is drawn; of fewer, the accuracy jumps up and down
FORMS = {
    "Unsure below, %": ",d",
    "Decided, %": tables.PERCENT,
    "Decided, images": tables.COUNT,
    "Right of these, %": tables.PERCENT,
    "at least, %": tables.PERCENT,
    "at most, %": tables.PERCENT,
    "Left to a person": tables.COUNT,
}


def draw(found: Calibration, chosen: Chosen) -> None:
    """The slider, what it comes to, and the curve of all that it could come to."""
    st.subheader("Leave the unsure ones to a person", anchor=False)
    draft = TrustDraft.current()
    left, right = st.columns([2, 3], gap="large")
    with left:
        percent = st.slider(
            "Unsure below", 0, 100, format="%d %%", **state.bound("trust unsure", draft.unsure, draft.put("unsure"))
        )
        point = found.curve.at(percent / 100)
        _draw_figures(point)
    with right:
        exhibits.draw(
            _figure(found.curve, point),
            curve_table(found.curve),
            FORMS,
            name=f"coverage and accuracy {chosen.task.name} {chosen.title}",
            alt=f"Accuracy on the decided images over the share of images decided; unsure below {percent}\u00a0%: "
            f"{decided_sentence(point)}",
            key="trust coverage",
        )
    st.caption(
        "From right to left the student decides fewer images, those of which it is surest. The band is the 95\u00a0% "
        "interval of the accuracy."
    )


def _draw_figures(point: CoveragePoint) -> None:
    with st.container(horizontal=True):
        st.metric("Decided", wording.percent(point.coverage))
        st.metric("Right of these", wording.percent(point.accuracy) if point.accuracy is not None else "–")
        st.metric("Left to a person", f"{point.left:,} of {point.images:,}")
    st.markdown(decided_sentence(point))
    if point.interval:
        st.caption(f"Of the decided images, {in_percent(point.interval)}\u00a0% are right (95\u00a0% interval).")


def curve_table(curve: CoverageCurve) -> pd.DataFrame:
    """The curve in whole percents of the threshold."""
    rows = [
        {
            "Unsure below, %": round(100 * point.threshold),
            "Decided, %": 100 * point.coverage,
            "Decided, images": point.decided,
            "Right of these, %": None if point.accuracy is None else 100 * point.accuracy,
            "at least, %": 100 * point.interval.low if point.interval else None,
            "at most, %": 100 * point.interval.high if point.interval else None,
            "Left to a person": point.left,
        }
        for point in curve.points
    ]
    return pd.DataFrame(rows)


def _figure(curve: CoverageCurve, chosen: CoveragePoint) -> go.Figure:
    drawn = [point for point in curve.points if point.decided >= min(FEWEST, point.images)]
    points = [point for point in drawn if point.accuracy is not None]
    known = [point for point in points if point.interval]
    figure = go.Figure()
    if known:
        ends = [100 * point.interval.low for point in known if point.interval]
        tops = [100 * point.interval.high for point in known if point.interval]
        at = [100 * point.coverage for point in known]
        figure.add_scatter(
            x=[*at, *at[::-1]], y=[*tops, *ends[::-1]], fill="toself", fillcolor=BAND, mode="none", hoverinfo="skip"
        )
    figure.add_scatter(
        x=[100 * point.coverage for point in points],
        y=[100 * (point.accuracy or 0) for point in points],
        mode="lines",
        line={"color": COLOR, "width": 2.5},
        customdata=[round(100 * point.threshold) for point in points],
        hovertemplate="unsure below %{customdata}\u00a0%: %{x:.1f}\u00a0% decided, %{y:.1f}\u00a0% of these right"
        "<extra></extra>",
    )
    if chosen.accuracy is not None:
        figure.add_scatter(
            x=[100 * chosen.coverage],
            y=[100 * chosen.accuracy],
            mode="markers",
            marker={"color": CHOSEN, "size": 14, "symbol": "diamond", "line": {"width": 0}},
            hoverinfo="skip",
            cliponaxis=False,
        )
    lowest = min([100 * (point.interval.low if point.interval else point.accuracy or 0) for point in points])
    figure.update_layout(height=330, margin={"l": 0, "r": 14, "t": 28, "b": 0}, showlegend=False, dragmode=False)
    figure.update_xaxes(title="Images decided, %", range=[0, 101], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title="Right of these, %", range=[max(0, lowest - 3), 101], gridcolor=GRID, zeroline=False)
    return figure
