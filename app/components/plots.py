"""How a Plotly chart is drawn, on every page: its text in a color that can be read on the theme in use.

Streamlit's own gray for the text of charts has a contrast of 3.6 to 1 on a light page; these have 7 to 1 and more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

INK = {"light": "#48514e", "dark": "#c0c8c4"}
STILL = {"displayModeBar": False, "displaylogo": False}  # a chart without buttons of its own


def ink() -> str:
    """The color of a chart's text on the theme in use."""
    return INK.get(str(st.context.theme.type), INK["light"])


def plot(figure: go.Figure, *, key: str, alt: str, config: Mapping[str, Any] = STILL, **choosing: Any) -> Any:
    """Draw a figure, and give what `st.plotly_chart` gives. alt: what it says, for who does not see it. choosing: how
    points are picked, as `st.plotly_chart` takes it. Fonts that have a color already keep it.
    """
    color = ink()
    figure.layout.font.color = figure.layout.font.color or color
    figure.layout.legend.font.color = figure.layout.legend.font.color or color
    for axis in (*figure.select_xaxes(), *figure.select_yaxes()):
        axis.tickfont.color = axis.tickfont.color or color
        axis.title.font.color = axis.title.font.color or color
    return st.plotly_chart(figure, key=key, alt=alt, config=dict(config), **choosing)
