"""Is the best teacher worth its cost? Similarity against what one image costs a teacher, once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go
import streamlit as st

from app.views.teachers_ranking import COLORS, RELATIONS, short_title
from engine.runs import MetricPlaces, Ranking
from engine.similarity import METRICS
from engine.teachers import TeacherRecord

GRID = "rgba(128, 138, 150, 0.22)"
AXES = {
    "GFLOPs": ("GFLOPs per image (multiply-accumulates / 1e9), logarithmic", lambda record: record.gflops),
    "Parameters": ("Parameters, millions, logarithmic", lambda record: record.parameters / 1e6),
}
SYMBOLS = {"other": "circle", "disjoint": "diamond"}


def draw(
    ranking: Ranking, places: MetricPlaces | None, records: Sequence[TeacherRecord], relations: Mapping[str, str]
) -> None:
    """Similarity over cost, with intervals where `places` has them; `records` of the teachers that are shown."""
    axis = st.segmented_control(
        "Cost", list(AXES), default="GFLOPs", required=True, key="teachers-cost-axis", persist_state="session"
    )
    title, cost = AXES[axis]
    metric = METRICS[ranking.metric]
    similarity = {r.teacher.name: r.similarity for r in ranking.ranked}
    intervals = {p.teacher: p.interval for p in places.places} if places else {}
    figure = go.Figure()
    for relation, described in RELATIONS.items():
        own = [r for r in records if r.name in similarity and relations[r.name] == relation]
        if not own:
            continue
        found = [intervals.get(r.name) for r in own]
        values = [similarity[r.name] for r in own]
        figure.add_scatter(
            x=[cost(r) for r in own],
            y=values,
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [i.high - v if i else 0.0 for i, v in zip(found, values, strict=True)],
                "arrayminus": [v - i.low if i else 0.0 for i, v in zip(found, values, strict=True)],
                "thickness": 1,
                "width": 3,
            },
            mode="markers+text",
            text=[short_title(r) for r in own],
            textposition=["middle left" if k % 2 else "middle right" for k in range(len(own))],
            textfont={"size": 11},
            cliponaxis=False,
            name=f"from {described}",
            marker={"size": 11, "color": COLORS[relation], "symbol": SYMBOLS[relation]},
            hovertemplate="%{text}: %{y:.4g} at %{x:.3g}<extra></extra>",
        )
    figure.update_xaxes(title=title, type="log", gridcolor=GRID, dtick="D2")
    figure.update_yaxes(title=f"{metric.title} ({metric.unit})", gridcolor=GRID, zeroline=False)
    figure.update_layout(
        height=460,
        margin={"l": 0, "r": 24, "t": 28, "b": 0},
        dragmode=False,
        showlegend=any(relations[r.name] == "disjoint" for r in records),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
    )
    st.plotly_chart(
        figure,
        key="similarity over cost",
        config={"displayModeBar": False},
        alt=f"{metric.title} of {len(records)} teachers over {axis}; the table above has the same numbers",
    )
    st.caption(
        "A teacher's cost is paid once for each image, when it looks; the student that is shipped costs the same "
        "whoever taught it."
    )
