"""Is the best teacher worth its cost? Similarity against what one image costs a teacher, once."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from app.components import plots, tables, wording
from app.components.escaping import escape
from app.views.teachers import point_chart
from app.views.teachers.point_chart import TeacherPoint
from engine.runs import MetricPlaces, Ranking
from engine.similarity import METRICS
from engine.teachers import TeacherRecord

AXES: dict[str, tuple[str, Callable[[TeacherRecord], float]]] = {
    "GFLOPs": ("GFLOPs per image", lambda record: record.gflops),
    "Parameters": ("Parameters, millions", lambda record: record.parameters / 1e6),
}


def draw(
    ranking: Ranking, places: MetricPlaces | None, records: Sequence[TeacherRecord], relations: Mapping[str, str]
) -> None:
    """Similarity over cost, with intervals where `places` has them; `records` of the teachers that are shown."""
    if not ranking.ranked or not records:
        st.caption("There is no similarity to hold against the cost.")
        return
    axis = st.segmented_control(
        "Cost", list(AXES), default="GFLOPs", required=True, key="teachers-cost-axis", persist_state="session"
    )
    title, cost = AXES[axis]
    metric = METRICS[ranking.metric]
    similarity = {r.teacher.name: r.similarity for r in ranking.ranked}
    drawn = [record for record in records if record.has_network and record.name in similarity]
    if not drawn:
        st.caption("None of the teachers shown is a network with a similarity, so there is no cost to hold it against.")
        return
    intervals = {p.teacher: p.interval for p in places.places} if places else {}
    points = [
        TeacherPoint(
            r, cost(r), similarity[r.name], interval.low if interval else None, interval.high if interval else None
        )
        for r in drawn
        for interval in [intervals.get(r.name)]
    ]

    def said(point: TeacherPoint) -> str:
        return f"{wording.number(point.y, tables.SIGNIFICANT)} at {point.x:.3g}"

    figure = point_chart.figure(ranking, points, relations, said)
    ticks = _ticks([point.x for point in points])
    figure.update_xaxes(
        title=f"{title}, logarithmic", type="log", tickvals=ticks, ticktext=[f"{tick:g}" for tick in ticks]
    )
    figure.update_yaxes(title=f"{metric.title} ({metric.unit})")
    plots.plot(
        figure,
        key="similarity over cost",
        alt=f"{metric.title} of {wording.count(len(drawn), 'teacher')} over {axis}; the table above has the same "
        "numbers",
    )
    point_chart.legend(ranking, points)
    note = (
        "A teacher's cost is paid once for each image, when its features are extracted; the student that is shipped "
        "costs the same whoever taught it."
    )
    if outputs := [escape(record.title) for record in records if not record.has_network]:
        note += f" Not in the chart, as their outputs were brought and cost nothing here: {wording.listed(outputs)}."
    st.caption(note)


def _ticks(values: Sequence[float]) -> list[float]:
    """1, 2 and 5 times the powers of ten around the values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    steps = [factor * 10.0**power for power in range(low, high + 1) for factor in (1, 2, 5)]
    return [step for step in steps if min(values) / 2 <= step <= 2 * max(values)]
