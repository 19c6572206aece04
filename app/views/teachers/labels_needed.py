"""How many labels does it take? The ranking at several numbers of labels per class, within one draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import cached, state
from app.components import plots, wording
from app.components.escaping import escape, escape_chart
from app.components.labels import name
from app.views.teachers import jobs
from app.views.teachers.ranked import short_title
from engine.evaluation import weighted_kendall
from engine.runs import Ranking
from engine.similarity import METRICS
from engine.tasks import Task
from engine.teachers import TeacherRecord

BUDGETS = (2, 5, 10, 20)
FIRST_ONES = 4  # teachers that are drawn in color; the others are gray
GRAY = "#8d9795"
GRID = "rgba(128, 138, 150, 0.22)"
LINE_COLORS = ("#0f7c7c", "#c2571a", "#5a6fce", "#a8477b")
DASHES = ("solid", "dash", "dot", "dashdot")


def draw(task: Task, records: Sequence[TeacherRecord]) -> None:
    """The order of the teachers over the number of labels, as far as outputs are extracted; offers to extract more."""
    budgets = [b for b in sorted({*BUDGETS, state.labels_per_class()}) if b <= int(task.available_labels().max())]
    with st.spinner("Ranking at each number of labels"):
        found = {b: ranking for b in budgets if (ranking := cached.ranking(task, b)) is not None}
    ranked = {b: ranking for b, ranking in found.items() if ranking.ranked}
    metric = METRICS[state.metric()]
    for budget, ranking in found.items():
        if ranking.problem:
            st.caption(f":material/info: {wording.count(budget, 'label')} per class: {escape(ranking.problem)}")
    if ranked:
        _sentence(task, ranked)
        _chart(task, ranked, records, metric.title)
        table = st.expander("The ranks as a table", key="ranks by labels", on_change="rerun")
        if table.open:
            table.dataframe(
                rank_table(ranked, records), hide_index=True, alt="Rank of each teacher by labels per class"
            )
    lacking = [b for b in budgets if b not in found]
    if lacking:
        st.caption(
            f"At {wording.listed([name(task, b) for b in lacking])} labels per class not all outputs of teachers are "
            "extracted yet. A smaller number of labels is always a part of a larger one."
        )
        jobs.extract(task, lacking[-1])


def rank_table(ranked: Mapping[int, Ranking], records: Sequence[TeacherRecord]) -> pd.DataFrame:
    """Rank of each teacher, one column for each number of labels."""
    ranks = _ranks(ranked)
    columns = {f"{wording.count(b, 'label')} per class": [ranks[b][r.name] for r in records] for b in ranked}
    return pd.DataFrame({"Teacher": [record.title for record in records], **columns})


def _ranks(ranked: Mapping[int, Ranking]) -> dict[int, dict[str, int]]:
    return {b: {r.teacher.name: r.rank for r in ranking.ranked} for b, ranking in ranked.items()}


def _sentence(task: Task, ranked: Mapping[int, Ranking]) -> None:
    """Who is first at each number of labels, and how alike the orders are."""
    most = max(ranked)
    last = {r.teacher.name: r.similarity for r in ranked[most].ranked}
    said = []
    for budget in sorted(ranked):
        own = {r.teacher.name: r.similarity for r in ranked[budget].ranked}
        first = escape(ranked[budget].ranked[0].teacher.title)
        agreed = weighted_kendall([own[name] for name in last], list(last.values())).value if len(last) > 1 else None
        alike = ""
        if agreed is not None and budget != most:
            alike = f" (τ = {wording.number(agreed, '.2f')} with the order at {name(task, most)})"
        said.append(f"at {name(task, budget)} **{first}**{alike}")
    st.markdown(f"First by {METRICS[state.metric()].title} with so many labels per class: {'; '.join(said)}.")
    if len(ranked) > 1 and len(last) > 1:
        st.caption(
            f"τ is weighted Kendall's over {wording.count(len(last), 'teacher')}: 1 is the same order. All labels are "
            f"of draw {state.seed()}, and a smaller number of them is a part of a larger one, which makes the orders "
            "more alike than those of labels drawn anew."
        )


def _chart(task: Task, ranked: Mapping[int, Ranking], records: Sequence[TeacherRecord], metric: str) -> None:
    budgets, ranks = sorted(ranked), _ranks(ranked)
    last, places = ranks[budgets[-1]], list(range(len(budgets)))  # the numbers of labels, at equal steps
    order = sorted(records, key=lambda record: last[record.name])
    figure = go.Figure()
    for number, record in reversed(list(enumerate(order))):
        colored = number < FIRST_ONES
        color = LINE_COLORS[number] if colored else GRAY
        figure.add_scatter(
            x=places,
            y=[ranks[b][record.name] for b in budgets],
            mode="lines+markers",
            name=escape_chart(record.title),
            line={"color": color, "width": 3 if colored else 1.5, "dash": DASHES[number] if colored else "solid"},
            marker={"size": 9 if colored else 6, "color": color},
            customdata=budgets,
            hovertemplate=f"{escape_chart(record.title)}: rank %{{y}} at "
            "%{customdata} labels per class<extra></extra>",
        )
        figure.add_annotation(
            x=places[-1],
            y=last[record.name],
            text=short_title(record),
            align="left",
            xanchor="left",
            xshift=12,
            showarrow=False,
            font={"size": 11, "color": color},
        )
    figure.update_xaxes(
        title="Labels per class",
        tickvals=places,
        ticktext=[name(task, b) for b in budgets],
        range=[-0.15, max(places[-1], 1) + 0.15],
        gridcolor=GRID,
    )
    figure.update_yaxes(title="Rank", autorange="reversed", dtick=1, gridcolor=GRID, zeroline=False)
    figure.update_layout(
        height=110 + 34 * len(order), margin={"l": 0, "r": 150, "t": 8, "b": 0}, dragmode=False, showlegend=False
    )
    plots.plot(
        figure,
        key="ranks over labels",
        alt=f"Rank of {len(order)} teachers by {metric} at {wording.listed([name(task, b) for b in budgets])} labels a "
        "class",
    )
