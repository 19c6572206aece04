"""Do the metrics agree? Ranks of all teachers under all metrics, their means, and tau between the metrics."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components import exhibits, plots, tables, wording
from app.components.escaping import escape
from app.views.teachers import card
from app.views.teachers.ranked import ROW_PIXELS, short_title
from engine.runs import MeanRankPlaces, TeacherPanel
from engine.similarity import METRICS
from engine.teachers import TeacherRecord

COLOR = "#2f86a6"  # at least 3:1 against the backgrounds of both themes
GRID = "rgba(128, 138, 150, 0.22)"
RANKS = [[0, "#0f6b6b"], [0.35, "#5fa9a4"], [1, "#dfe7e3"]]  # dark is first
TAU = [[0, "#b3571c"], [0.5, "#f3f1ea"], [1, "#0f6b6b"]]


def draw(panel: TeacherPanel, records: Sequence[TeacherRecord]) -> None:
    """Mean ranks, heat map of ranks, and agreement between metrics; `records` of the teachers that are shown."""
    shown = [record for record in _by_mean_rank(panel, records)]
    if panel.mean_rank is None or not shown:
        st.info("There is no agreement to show: it takes two teachers and two metrics.", icon=":material/info:")
        return
    _sentence(panel.mean_rank, {record.name: record.title for record in records})
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.markdown("**Mean rank over all metrics that use the labels**")
        _mean_rank(panel.mean_rank, shown)
    with right:
        st.markdown("**Rank under each metric**")
        _ranks(panel, shown)
    _cards(panel)
    more = st.expander("How far each two metrics agree", key="tau between metrics", on_change="rerun")
    if more.open:
        with more:
            _tau(panel.mean_rank)
    table = st.expander("All scores as a table", key="scores of all metrics", on_change="rerun")
    if table.open:
        forms = dict.fromkeys(("Score", "Low", "High"), tables.SIGNIFICANT) | {"First in, %": ".1f"}
        table.dataframe(
            tables.written(score_table(panel, shown), forms),
            hide_index=True,
            alt="Scores and ranks of all teachers by metric",
        )


def score_table(panel: TeacherPanel, records: Sequence[TeacherRecord]) -> pd.DataFrame:
    """One row for each metric and teacher: score, interval, rank, share of first places."""
    titles = {record.name: record.title for record in records}
    return pd.DataFrame(
        [
            {
                "Metric": METRICS[found.metric].title,
                "Teacher": titles[place.teacher],
                "Score": place.score,
                "Unit": METRICS[found.metric].unit,
                "Low": place.interval.low if place.interval else None,
                "High": place.interval.high if place.interval else None,
                "Rank": place.rank,
                "First in, %": None if place.probability_first is None else 100 * place.probability_first,
            }
            for found in panel.metrics
            for place in found.places
            if place.teacher in titles
        ]
    )


def _by_mean_rank(panel: TeacherPanel, records: Sequence[TeacherRecord]) -> list[TeacherRecord]:
    by_name = {record.name: record for record in records}
    places = panel.mean_rank.places if panel.mean_rank else ()
    return [by_name[place.teacher] for place in places if place.teacher in by_name]


def _sentence(found: MeanRankPlaces, titles: dict[str, str]) -> None:
    first = found.places[0]
    leading = [f"**{escape(titles.get(p.teacher, p.teacher))}**" for p in found.places if p.rank == 1]
    has = "has" if len(leading) == 1 else "share"
    said = f"Over {len(found.metrics)} metrics {wording.listed(leading)} {has} the best mean rank"
    said += f", {first.score:.1f} of {len(found.places)}"
    if first.interval is not None:
        said += f" (95\u00a0% interval {first.interval.low:.1f} to {first.interval.high:.1f})"
    if first.probability_first is not None:
        whom = "" if len(leading) == 1 else f"{leading[0]} "
        said += f", and {whom}comes first in {wording.percent(first.probability_first, 0)} of the resamples"
    taus = [t for i, row in enumerate(found.kendall) for t in row[:i] if t is not None]
    if taus:
        low, high = min(taus), max(taus)
        shown_low, shown_high = wording.number(low, ".2f"), wording.number(high, ".2f")
        said += f". Between two metrics weighted τ runs from {shown_low} to {shown_high} (1 is the same order)"
        said += ". Metrics that agree are no independent votes: all see the same labeled images"
    st.markdown(said + ".")


def _mean_rank(found: MeanRankPlaces, shown: Sequence[TeacherRecord]) -> None:
    places = {place.teacher: place for place in found.places}
    own = [places[record.name] for record in shown]
    lows = [p.score - p.interval.low if p.interval else 0.0 for p in own]
    highs = [p.interval.high - p.score if p.interval else 0.0 for p in own]
    figure = go.Figure(
        go.Scatter(
            x=[p.score for p in own],
            y=[short_title(record) for record in shown],
            error_x={"type": "data", "symmetric": False, "array": highs, "arrayminus": lows, "thickness": 2},
            mode="markers",
            marker={"size": 11, "color": COLOR},
            hovertemplate="%{y}: mean rank %{x:.1f}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True, gridcolor=GRID)
    figure.update_xaxes(
        title="Mean rank, lower is better",
        range=[0.5, len(found.places) + 0.5],
        gridcolor=GRID,
        zeroline=False,
        dtick=max(1, len(found.places) // 5),
    )
    figure.update_layout(
        height=90 + ROW_PIXELS * len(shown), margin={"l": 0, "r": 8, "t": 8, "b": 0}, dragmode=False, showlegend=False
    )
    said = "; ".join(f"{r.title} {p.score:.1f}" for r, p in zip(shown, own, strict=True))
    plots.plot(figure, key="mean rank", alt=f"Mean ranks: {said}")


def _ranks(panel: TeacherPanel, shown: Sequence[TeacherRecord]) -> None:
    """Metrics down, teachers across; dark is first."""
    taking = [found for found in panel.metrics if found.places]
    ranks = [{place.teacher: place.rank for place in found.places} for found in taking]
    table = [[row.get(record.name) for record in shown] for row in ranks]
    figure = go.Figure(
        go.Heatmap(
            z=table,
            text=_written(table, "d"),
            x=[short_title(record) for record in shown],
            y=[METRICS[found.metric].title for found in taking],
            texttemplate="%{text}",
            hoverongaps=False,
            colorscale=RANKS,
            zmin=1,
            zmax=len(panel.teachers),
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate="%{y}: rank %{z} for %{x}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(tickangle=-90, automargin=True, side="bottom")
    figure.update_layout(height=150 + 25 * len(taking), margin={"l": 0, "r": 0, "t": 8, "b": 0}, dragmode=False)
    plots.plot(
        figure,
        key="ranks by metric",
        alt=f"Ranks of {len(shown)} teachers under {len(taking)} metrics; the table below has the same numbers",
    )
    without = wording.listed([metric.title for metric in METRICS.values() if not metric.labels_per_class])
    said = f"1 is first. {without} do not use your labels and take no part in the mean rank."
    if any(rank is None for row in table for rank in row):
        said += " A cell is empty where a teacher has no classes of its own, on which that metric rests."
    st.caption(said)
    for found in panel.metrics:
        if found.problem is not None:
            st.caption(f":material/info: {METRICS[found.metric].title}: {escape(found.problem)}")


def _cards(panel: TeacherPanel) -> None:
    keys = [found.metric for found in panel.metrics]
    with st.popover("What each metric means", icon=":material/info:"):
        chosen = st.selectbox(
            "Metric", keys, format_func=lambda key: METRICS[key].title, key="teachers-card", persist_state="session"
        )
        card.draw(chosen)


def _written(values: Sequence[Sequence[float | None]], form: str) -> list[list[str]]:
    """A table of numbers as they stand everywhere else: Plotly would write a hyphen for a minus."""
    return [["" if value is None else wording.number(value, form) for value in row] for row in values]


def _tau(found: MeanRankPlaces) -> None:
    titles = [METRICS[key].title for key in found.metrics]
    figure = go.Figure(
        go.Heatmap(
            z=[list(row) for row in found.kendall],
            x=titles,
            y=titles,
            text=_written(found.kendall, ".1f"),
            customdata=_written(found.kendall, ".2f"),
            texttemplate="%{text}",
            textfont={"size": 10},
            colorscale=TAU,
            zmin=-1,
            zmax=1,
            showscale=False,
            xgap=1,
            ygap=1,
            hovertemplate="%{y} and %{x}: τ = %{customdata}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", automargin=True)
    figure.update_xaxes(tickangle=-90, automargin=True)
    figure.update_layout(
        height=160 + 26 * len(titles), margin={"l": 0, "r": 0, "t": 8, "b": 0}, dragmode=False, width=760
    )
    plots.plot(
        figure,
        key="tau",
        alt=f"Weighted Kendall tau between {wording.count(len(titles), 'metric')}, from −1 to 1",
    )
    st.caption(
        f"Weighted Kendall τ over {wording.count(len(found.places), 'teacher')}: 1 is the same order of teachers, "
        "0 is unrelated, −1 the reverse; a swap among the best counts more than one among the worst. Empty where a "
        "metric has the same score for all teachers."
    )
    if st.toggle("As a table", key="tau as a table"):
        exhibits.draw_table(
            tau_table(found),
            dict.fromkeys(titles, ".2f"),
            name="agreement of metrics",
            alt="Weighted Kendall tau between each two metrics",
            key="tau table",
        )


def tau_table(found: MeanRankPlaces) -> pd.DataFrame:
    """One row and one column for each metric."""
    titles = [METRICS[key].title for key in found.metrics]
    rows = zip(titles, found.kendall, strict=True)
    return pd.DataFrame([{"Metric": title, **dict(zip(titles, row, strict=True))} for title, row in rows])
