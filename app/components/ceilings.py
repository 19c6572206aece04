"""How often the consensus itself is right, as a dashed line in charts of accuracy: whether a student has reached it."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from app.components.escaping import escape_chart
from app.components.methods import style_of
from app.components.wording import count, percent
from engine.runs import ConsensusMean, MethodMean

DASH = "dash"
AIR, NUMBER = 1.5, 14.0  # beside a number, and its width, in the points of the axis
POINTS = 21  # of a line over what was spent, so that it can be pointed at anywhere


def of_methods(means: Sequence[MethodMean]) -> list[tuple[MethodMean, ConsensusMean]]:
    """The methods whose students learned from a consensus that was judged, each with it."""
    return [(mean, mean.consensus) for mean in means if mean.consensus is not None]


def add_to_bars(figure: go.Figure, ordered: Sequence[MethodMean]) -> None:
    """A line across all bars; where several methods have one, each across its own bar. ordered: from the bottom up."""
    found = of_methods(ordered)
    for mean, consensus in found:
        value, place = 100 * consensus.accuracy, list(ordered).index(mean)
        line = {"color": style_of(mean.method).color, "width": 2, "dash": DASH}
        if len(found) == 1:
            figure.add_shape(type="line", x0=value, x1=value, yref="paper", y0=0, y1=1, line=line)
            figure.add_annotation(
                x=value,
                yref="paper",
                y=1,
                yanchor="bottom",
                text=f"consensus {percent(consensus.accuracy)}",
                showarrow=False,
            )
            figure.update_layout(margin={"t": 26})
        else:
            figure.add_shape(type="line", x0=value, x1=value, yref="y", y0=place - 0.45, y1=place + 0.45, line=line)
        figure.add_scatter(
            x=[value] * len(ordered) if len(found) == 1 else [value],
            y=[escape_chart(one.title) for one in (ordered if len(found) == 1 else [mean])],
            mode="markers",
            marker={"size": 16, "opacity": 0},
            hovertemplate=f"{_hover(mean, consensus)}<extra></extra>",
        )


def beside(left: float, ordered: Sequence[MethodMean], mean: MethodMean) -> float:
    """Where the number of a bar stands that would begin at `left`: behind a line that would go through it."""
    found = of_methods(ordered)
    lines = [100 * consensus.accuracy for own, consensus in found if len(found) == 1 or own is mean]
    return next((line + AIR for line in lines if left - AIR < line < left + NUMBER), left)


def add_to_curves(figure: go.Figure, means: Sequence[MethodMean], most: float) -> None:
    """A line over all that was spent, up to `most`."""
    found = of_methods(means)
    for mean, consensus in found:
        figure.add_scatter(
            x=[most * i / (POINTS - 1) for i in range(POINTS)],
            y=[100 * consensus.accuracy] * POINTS,
            mode="lines",
            name=f"Consensus of {escape_chart(mean.title)}" if len(found) > 1 else "Consensus",
            line={"color": style_of(mean.method).color, "width": 2, "dash": DASH},
            hovertemplate=f"{_hover(mean, consensus)}<extra></extra>",
        )


def text(means: Sequence[MethodMean]) -> str:
    """The same for who does not see the line; empty where there is none."""
    said = [
        f"the consensus of {mean.title} is right on {percent(consensus.accuracy)} of labels left out"
        for mean, consensus in of_methods(means)
    ]
    return f"; {'; '.join(said)}" if said else ""


def _hover(mean: MethodMean, consensus: ConsensusMean) -> str:
    low, high = percent(consensus.interval.low), percent(consensus.interval.high)
    return (
        f"Consensus of {escape_chart(mean.title)}: {percent(consensus.accuracy)}<br>95\u00a0% interval {low} to {high}"
        f"<br>cross-validated on {count(consensus.images, 'label')}"
    )
