"""The charts of runs: accuracy with intervals, curves over what was spent, losses. Each has its text and its table.

Accuracies come in as shares 0..1 and are drawn in percent, higher is better. A figure is built anew each time: one that
went through a cache would not be the same for the browser.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go

from app.components import ceilings, exhibits, plots, tables
from app.components.escaping import escape_chart
from app.components.methods import style_of, title
from app.components.wording import count, percent
from engine.methods import place
from engine.runs import MethodMean

Axis = Literal["images", "seconds"]
AXIS_TITLES: dict[Axis, str] = {"images": "Student images with gradient", "seconds": "Training seconds"}
ACCURACY_TITLE = "Held-out accuracy, %"
GRID = "rgba(128, 138, 150, 0.22)"  # readable on both themes
ROW_PIXELS = 60  # height of one bar with its air


@dataclass(frozen=True)
class Curve:
    """Accuracy of one run over what it has spent. points: {"images", "seconds", "losses", "accuracy"}, in order."""

    method: str
    seed: int
    points: Sequence[Mapping[str, Any]]


def draw_accuracies(means: Sequence[MethodMean], by_seed: Mapping[str, Sequence[float]], key: str) -> None:
    """Bars of held-out accuracy with their intervals, to be saved; a dot for each seed where there are several, and a
    line where the accuracy of a consensus is known.
    """
    table = accuracy_table(means)
    exhibits.draw(
        _bars(means, by_seed),
        table,
        dict.fromkeys(table.columns[1:], tables.PERCENT),
        name="held-out accuracy",
        alt=_bars_text(means),
        key=key,
    )


def draw_curves(curves: Sequence[Curve], axis: Axis, key: str, limits: tuple[float, float] | None = None) -> None:
    """Accuracy over images seen or seconds: the mean of each method's seeds as a line, each seed thin behind it.

    limits: how far the axes reach (spent, accuracy 0..1), for a chart that grows while it is watched.
    """
    plots.plot(_curves(curves, axis, limits), key=key, alt=_curves_text(curves, axis))


def draw_saved_curves(curves: Sequence[Curve], means: Sequence[MethodMean], axis: Axis, key: str) -> None:
    """The curves of runs that have ended, to be saved, with the accuracy of the consensus where it is known."""
    figure = _curves(curves, axis, None)
    ceilings.add_to_curves(figure, means, max((p[axis] for curve in curves for p in curve.points), default=0.0))
    exhibits.draw(
        figure,
        curve_table(curves),
        CURVE_FORMS,
        name=f"accuracy over {axis}",
        alt=_curves_text(curves, axis) + ceilings.text(means),
        key=key,
    )


def draw_losses(curve: Curve, key: str) -> None:
    """The parts of one run's loss over images seen, in nats, lower is better."""
    names = _loss_parts(curve.points)
    text = f"Loss of {title(curve.method)}, seed {curve.seed}, in nats: " + "; ".join(
        f"{name} {curve.points[-1]['losses'][name]:.2f}" for name in names
    )
    plots.plot(_losses(curve, names), key=key, alt=text)


CURVE_FORMS = {
    "Student images": tables.COUNT,
    "Training seconds": tables.SECONDS,
    "Held-out accuracy, %": tables.PERCENT,
}


def accuracy_table(means: Sequence[MethodMean]) -> pd.DataFrame:
    """The bars as a table, one row for each method; the interval is a 95 % one."""
    rows = [
        {
            "Method": mean.title,
            "Held-out accuracy, %": 100 * mean.accuracy,
            "From, %": 100 * mean.interval.low,
            "To, %": 100 * mean.interval.high,
            "Consensus, %": 100 * mean.consensus.accuracy if mean.consensus else None,
        }
        for mean in means
    ]
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def curve_table(curves: Sequence[Curve]) -> pd.DataFrame:
    """The curves as a table, one row for each point."""
    rows = [
        {
            "Method": title(curve.method),
            "Seed": curve.seed,
            "Student images": point["images"],
            "Training seconds": point["seconds"],
            "Held-out accuracy, %": 100 * point["accuracy"],
            **{
                f"Loss: {name}, nats": round(value, 3)
                for name, value in point["losses"].items()
                if name != "confident share"
            },
        }
        for curve in curves
        for point in curve.points
    ]
    return pd.DataFrame(rows)


def mean_points(curves: Sequence[Curve], axis: Axis) -> tuple[list[float], list[float]]:
    """Mean of several seeds' curves of one method, point by point, as far as all of them have come."""
    length = min(len(curve.points) for curve in curves)
    spent = [sum(curve.points[i][axis] for curve in curves) / len(curves) for i in range(length)]
    accuracy = [sum(curve.points[i]["accuracy"] for curve in curves) / len(curves) for i in range(length)]
    return spent, accuracy


def _bars(means: Sequence[MethodMean], by_seed: Mapping[str, Sequence[float]]) -> go.Figure:
    ordered = sorted(means, key=lambda mean: place(mean.method), reverse=True)  # Plotly draws from the bottom up
    figure = go.Figure()
    for mean in ordered:
        _add_bar(figure, mean)
    for mean in ordered:
        seeds = by_seed.get(mean.method, ())
        if len(seeds) > 1:
            _add_seeds(figure, mean, seeds)
    ends = [max([mean.interval.high, *by_seed.get(mean.method, ())]) * 100 for mean in ordered]
    figure.add_scatter(
        x=[ceilings.beside(end + 1.5, ordered, mean) for end, mean in zip(ends, ordered, strict=True)],
        y=[escape_chart(mean.title) for mean in ordered],
        mode="text",
        text=[percent(mean.accuracy) for mean in ordered],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
    )
    figure.update_layout(
        height=ROW_PIXELS * len(means) + 74,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        barmode="overlay",
    )
    ceilings.add_to_bars(figure, ordered)
    ends += [100 * consensus.accuracy for _, consensus in ceilings.of_methods(ordered)]
    figure.update_xaxes(title=ACCURACY_TITLE, range=[0, min(118.0, max(ends) + 16)], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(automargin=True, ticksuffix="  ")
    return figure


def _add_bar(figure: go.Figure, mean: MethodMean) -> None:
    value, color = 100 * mean.accuracy, style_of(mean.method).color
    low, high = 100 * mean.interval.low, 100 * mean.interval.high
    figure.add_bar(
        x=[value],
        y=[escape_chart(mean.title)],
        orientation="h",
        width=0.6,
        marker={"color": color, "opacity": 0.5, "line": {"width": 0}},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [max(0.0, high - value)],
            "arrayminus": [max(0.0, value - low)],
            "color": color,
            "thickness": 2.5,
            "width": 7,
        },
        hovertemplate=f"{escape_chart(mean.title)}: {value:.1f}\u00a0%<br>95\u00a0% interval {low:.1f} to {high:.1f}"
        f"<br>{escape_chart(mean.interval.method)}<extra></extra>",
    )


def _add_seeds(figure: go.Figure, mean: MethodMean, seeds: Sequence[float]) -> None:
    figure.add_scatter(
        x=[100 * value for value in seeds],
        y=[escape_chart(mean.title)] * len(seeds),
        mode="markers",
        marker={"symbol": "circle", "size": 6, "color": "#ffffff", "line": {"width": 1.5, "color": "#2c3440"}},
        hovertemplate="one seed: %{x:.1f}\u00a0%<extra></extra>",
    )


def _bars_text(means: Sequence[MethodMean]) -> str:
    said = "; ".join(
        f"{mean.title} {percent(mean.accuracy)} ({percent(mean.interval.low)} to {percent(mean.interval.high)})"
        for mean in means
    )
    return f"Held-out accuracy with 95\u00a0% intervals, higher is better: {said}{ceilings.text(means)}"


def _curves(curves: Sequence[Curve], axis: Axis, limits: tuple[float, float] | None) -> go.Figure:
    figure = go.Figure()
    by_method: dict[str, list[Curve]] = {}
    for curve in curves:
        if curve.points:
            by_method.setdefault(curve.method, []).append(curve)
    for method in sorted(by_method, key=lambda key: (place(key), key)):
        own, style = by_method[method], style_of(method)
        for curve in own if len(own) > 1 else ():
            figure.add_scatter(
                x=[point[axis] for point in curve.points],
                y=[100 * point["accuracy"] for point in curve.points],
                mode="lines",
                line={"color": style.color, "width": 1},
                opacity=0.35,
                showlegend=False,
                hoverinfo="skip",
            )
        spent, accuracy = mean_points(own, axis)
        figure.add_scatter(
            x=spent,
            y=[100 * value for value in accuracy],
            mode="lines+markers",
            name=escape_chart(title(method)),
            line={"color": style.color, "width": 2.5, "dash": style.dash},
            marker={"symbol": style.symbol, "size": 8, "color": style.color},
            hovertemplate=f"{escape_chart(title(method))}: %{{y:.1f}}\u00a0% after %{{x:,.0f}} {axis}<extra></extra>",
        )
    figure.update_layout(**_curve_layout())
    _spent_axis(figure, axis)
    figure.update_yaxes(title=ACCURACY_TITLE, rangemode="tozero", gridcolor=GRID, zeroline=False)
    if limits is not None:
        figure.update_xaxes(range=[0, limits[0] * 1.02])
        figure.update_yaxes(range=[0, min(100.0, 110 * limits[1])])
    return figure


def _spent_axis(figure: go.Figure, axis: Axis) -> None:
    figure.update_xaxes(title=AXIS_TITLES[axis], rangemode="tozero", gridcolor=GRID, zeroline=False, tickformat=",d")


def _curve_layout() -> dict[str, Any]:
    return {
        "height": 360,
        "margin": {"l": 0, "r": 8, "t": 8, "b": 8},
        "hovermode": "closest",
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "title": None},
        "uirevision": "curves",  # a zoom survives the next point
    }


def _curves_text(curves: Sequence[Curve], axis: Axis) -> str:
    ends = []
    for method in dict.fromkeys(curve.method for curve in curves if curve.points):
        own = [curve for curve in curves if curve.method == method and curve.points]
        spent, accuracy = mean_points(own, axis)
        ends.append(
            f"{title(method)} {percent(accuracy[-1])} after {spent[-1]:,.0f} {axis} ({count(len(own), 'seed')})"
        )
    return f"Held-out accuracy over {AXIS_TITLES[axis].lower()}: {'; '.join(ends) or 'no point yet'}"


def _loss_parts(points: Sequence[Mapping[str, Any]]) -> list[str]:
    return [name for name in (points[-1]["losses"] if points else {}) if name != "confident share"]


def _losses(curve: Curve, names: Sequence[str]) -> go.Figure:
    figure = go.Figure()
    for name, dash, symbol in zip(names, ("solid", "dash", "dot"), ("circle", "square", "diamond"), strict=False):
        figure.add_scatter(
            x=[point["images"] for point in curve.points],
            y=[point["losses"].get(name) for point in curve.points],
            mode="lines+markers",
            name=escape_chart(name),
            line={"color": style_of(curve.method).color, "width": 2, "dash": dash},
            marker={"symbol": symbol, "size": 6},
            hovertemplate=f"{escape_chart(name)}: %{{y:.3f}} after %{{x:,.0f}} images<extra></extra>",
        )
    figure.update_layout(**_curve_layout(), showlegend=True)
    figure.update_xaxes(
        title=AXIS_TITLES["images"], rangemode="tozero", gridcolor=GRID, zeroline=False, tickformat=",d"
    )
    figure.update_yaxes(title="Loss, nats", rangemode="tozero", gridcolor=GRID, zeroline=False)
    return figure
