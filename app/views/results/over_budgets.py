"""Results, Accuracy: how accurate the methods are with more student images, where such runs came with the program."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.components import exhibits, tables, wording
from app.components.charts import ACCURACY_TITLE, AXIS_TITLES, GRID
from app.components.escaping import escape, escape_chart
from app.components.methods import style_of
from app.views.results import sources
from engine.errors import WorkbenchError
from engine.runs import Compared, MethodMean
from engine.tasks import Task

FORMS = {"Student images": tables.COUNT, **dict.fromkeys(("Held-out accuracy, %", "From, %", "To, %"), tables.PERCENT)}


def draw(task: Task) -> None:
    """The chart, and what it rests on; nothing where fewer than two budgets were recorded, which are no curve."""
    try:
        found = sources.budgets(task.name)
    except WorkbenchError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    if len({mean.images for one in found for mean in one.means}) < 2:
        return
    st.subheader("With more student images", anchor=False)
    table = budget_table(found)
    exhibits.draw(
        _figure(found),
        table,
        FORMS,
        name="accuracy over budgets",
        alt=_text(found),
        key="results-budgets",
    )
    seeds = max(len(mean.seeds) for one in found for mean in one.means)
    st.caption(
        f"Recorded. Each mark is of runs with that budget from beginning to end, {wording.count(seeds, 'seed')}; lines "
        f"are 95\u00a0% intervals ({escape(found[0].means[0].interval.method)})."
    )


def budget_table(found: Sequence[Compared]) -> pd.DataFrame:
    """One row for each method and budget; the interval is a 95 % one."""
    rows = [
        {
            "Method": mean.title,
            "Student images": mean.images,
            "Held-out accuracy, %": 100 * mean.accuracy,
            "From, %": 100 * mean.interval.low,
            "To, %": 100 * mean.interval.high,
        }
        for one in found
        for mean in one.means
    ]
    return pd.DataFrame(rows)


def _figure(found: Sequence[Compared]) -> go.Figure:
    figure = go.Figure()
    for method, means in _by_method(found).items():
        style, values = style_of(method), [100 * mean.accuracy for mean in means]
        figure.add_scatter(
            x=[mean.images for mean in means],
            y=values,
            mode="lines+markers",
            name=escape_chart(means[0].title),
            line={"color": style.color, "width": 2.5, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 8, "color": style.color},
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [100 * mean.interval.high - value for mean, value in zip(means, values, strict=True)],
                "arrayminus": [value - 100 * mean.interval.low for mean, value in zip(means, values, strict=True)],
                "color": style.color,
                "thickness": 1.2,
                "width": 4,
            },
            hovertemplate=f"{escape_chart(means[0].title)}: %{{y:.1f}}\u00a0% with %{{x:,.0f}} images<extra></extra>",
        )
    figure.update_layout(
        height=380,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        hovermode="closest",
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "title": None},
    )
    budgets = sorted({mean.images for one in found for mean in one.means})
    ticks = {"tickvals": budgets, "ticktext": [f"{images:,}" for images in budgets]}
    figure.update_xaxes(title=AXIS_TITLES["images"], type="log", gridcolor=GRID, zeroline=False, **ticks)
    figure.update_yaxes(title=ACCURACY_TITLE, gridcolor=GRID, zeroline=False)
    return figure


def _by_method(found: Sequence[Compared]) -> dict[str, list[MethodMean]]:
    """The means of each method, the smallest budget first."""
    means = sorted((mean for one in found for mean in one.means), key=lambda mean: mean.images)
    methods = dict.fromkeys(mean.method for one in found for mean in one.means)
    return {method: [mean for mean in means if mean.method == method] for method in methods}


def _text(found: Sequence[Compared]) -> str:
    said = [
        f"{means[0].title} {', '.join(f'{wording.percent(mean.accuracy)} with {mean.images:,}' for mean in means)}"
        for means in _by_method(found).values()
    ]
    return f"Held-out accuracy over the budget of student images: {'; '.join(said)}"
