"""Trust, of two classes: which one is looked for, what a threshold finds and misses, and what errors cost."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import exhibits, tables, wording
from app.components.charts import GRID
from app.components.escaping import escape
from app.views.results.sources import in_percent
from app.views.results.students import Chosen
from app.views.results.trust.draft import TrustDraft
from engine.delivery import Calibration, CostRule, cheapest_threshold
from engine.errors import WorkbenchError
from engine.evaluation import (
    Interval,
    RocCurve,
    ThresholdResult,
    area_under_roc,
    at_threshold,
    decided_result,
    roc_curve,
)

COLOR, CHOSEN, CHANCE = "#3f6fd8", "#c2571a", "#7b8794"
FORMS = {
    "Threshold, %": tables.PERCENT,
    "Sensitivity, %": tables.PERCENT,
    "Specificity, %": tables.PERCENT,
    "False alarms, %": tables.PERCENT,
}


def draw(found: Calibration, chosen: Chosen) -> None:
    """The class that is looked for, the ROC curve, a threshold, and costs."""
    held = found.held_out
    st.subheader("Find one class, and how often it is missed", anchor=False)
    draft = TrustDraft.current()
    current = draft.positive if draft.positive in held.classes else held.classes[1]
    name = st.segmented_control(
        "The class that is looked for (the positive one)",
        held.classes,
        format_func=escape,
        required=True,
        **state.bound("trust positive", current, draft.put("positive")),
    )
    positive = held.classes.index(str(name or current))
    truth = held.labels == positive
    if truth.all() or not truth.any():
        only = held.classes[int(held.labels[0])]
        st.info(
            f"All held-out images are of the class {escape(only)}, so nothing can be said of how the two are told "
            "apart: hold out images of the other one too.",
            icon=":material/info:",
        )
        return
    left, right = st.columns([2, 3], gap="large")
    with left:
        percent = st.slider(
            "Found from a probability of",
            0,
            100,
            format="%d %%",
            **state.bound("trust threshold", draft.threshold, draft.put("threshold")),
        )
        result = at_threshold(held.calibrated[:, positive], truth, percent / 100, held.groups)
        _draw_rates(result)
        st.markdown(sentence(result, held.classes[positive]))
    with right:
        _draw_curve(found, chosen, positive, result)
    if found.reason is None:
        _draw_costs(found, positive, draft)


def sentence(result: ThresholdResult, name: str) -> str:
    """What a threshold means for a hundred images of each class."""
    found, spared = 100 * result.sensitivity, 100 * result.specificity
    return (
        f"Of 100 images of {escape(name)} it finds {found:.0f} and misses {100 - round(found):.0f}; of 100 others it "
        f"leaves {spared:.0f} alone and gives {wording.count(100 - round(spared), 'false alarm')}."
    )


def _draw_rates(result: ThresholdResult) -> None:
    with st.container(horizontal=True):
        for title, rate, interval, meaning in (
            ("Sensitivity", result.sensitivity, result.sensitivity_interval, "of those looked for are found"),
            ("Specificity", result.specificity, result.specificity_interval, "of the others are left alone"),
        ):
            st.metric(title, wording.percent(rate), help=f"How many {meaning}. 95\u00a0% interval: {_said(interval)}.")
    st.caption(
        f"95\u00a0% intervals: sensitivity {_said(result.sensitivity_interval)}, specificity "
        f"{_said(result.specificity_interval)}."
    )


def _said(interval: Interval | None) -> str:
    return f"{in_percent(interval)}\u00a0%" if interval else "unknown"


def _draw_curve(found: Calibration, chosen: Chosen, positive: int, result: ThresholdResult) -> None:
    held = found.held_out
    truth = held.labels == positive
    area = area_under_roc(held.probabilities[:, positive], truth, held.groups)
    curve = roc_curve(held.calibrated[:, positive], truth)
    interval = f"{area.interval.low:.3f} to {area.interval.high:.3f}" if area.interval else "no interval"
    st.markdown(f"**AUROC {area.value:.3f}** :gray[({interval})]")
    exhibits.draw(
        _figure(curve, result),
        curve_table(curve),
        FORMS,
        name=f"roc {chosen.task.name} {chosen.title}",
        alt=f"ROC curve for {held.classes[positive]}: AUROC {area.value:.3f}; at a threshold of "
        f"{wording.percent(result.threshold, 0)} "
        f"sensitivity {wording.percent(result.sensitivity)} and specificity {wording.percent(result.specificity)}",
        key="trust roc",
    )
    st.caption(
        "AUROC: how often, of one image of each class, the right one has the higher probability. 0.5 is chance, 1 is "
        "without a fault. It does not depend on the threshold; the mark is the threshold that is chosen."
    )


def curve_table(curve: RocCurve) -> pd.DataFrame:
    """The points of a ROC curve, without the first one, at which nothing is found, and which has no threshold."""
    false_alarms = 100 * curve.false_positive_rate[1:]
    return pd.DataFrame(
        {
            "Threshold, %": 100 * curve.thresholds[1:],
            "Sensitivity, %": 100 * curve.true_positive_rate[1:],
            "Specificity, %": 100 - false_alarms,
            "False alarms, %": false_alarms,
        }
    )


def _figure(curve: RocCurve, result: ThresholdResult) -> go.Figure:
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 100], y=[0, 100], mode="lines", line={"color": CHANCE, "dash": "dash", "width": 1.5}, hoverinfo="skip"
    )
    figure.add_scatter(
        x=100 * curve.false_positive_rate,
        y=100 * curve.true_positive_rate,
        mode="lines",
        line={"color": COLOR, "width": 2.5},
        customdata=[f"{100 * value:.0f}\u00a0%" if math.isfinite(value) else "never" for value in curve.thresholds],
        hovertemplate="from %{customdata}: finds %{y:.1f}\u00a0%, false alarms %{x:.1f}\u00a0%<extra></extra>",
    )
    figure.add_scatter(
        x=[100 * (1 - result.specificity)],
        y=[100 * result.sensitivity],
        mode="markers",
        marker={"color": CHOSEN, "size": 14, "symbol": "diamond", "line": {"width": 0}},
        hoverinfo="skip",
        cliponaxis=False,
    )
    figure.update_layout(height=330, margin={"l": 0, "r": 14, "t": 28, "b": 0}, showlegend=False, dragmode=False)
    figure.update_xaxes(title="False alarms, % of the others", range=[-1, 101], gridcolor=GRID, zeroline=False)
    figure.update_yaxes(title="Found, %", range=[-1, 103], gridcolor=GRID, zeroline=False)
    return figure


def _draw_costs(found: Calibration, positive: int, draft: TrustDraft) -> None:
    st.markdown("**What errors cost**")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        for label, field in (("A miss costs", "miss"), ("A false alarm costs", "false_alarm")):
            st.number_input(
                label,
                min_value=0.001,
                max_value=1e9,
                format="%g",
                width=180,
                **state.bound(f"trust {field}", getattr(draft, field), draft.put(field)),
            )
        try:
            rule = cheapest_threshold(found, positive, draft.miss, draft.false_alarm)
        except WorkbenchError as error:
            st.caption(escape(str(error)))
            return
        percent = min(100, round(100 * rule.threshold))
        if st.button("Use the cheapest threshold", icon=":material/savings:", disabled=percent == draft.threshold):
            draft.threshold = percent
            st.rerun()
    st.markdown(cost_sentence(found, positive, rule, draft.miss, draft.false_alarm))


def cost_sentence(found: Calibration, positive: int, rule: CostRule, miss: float, false_alarm: float) -> str:
    """Where the cheapest threshold lies, and what it and the simplest others cost a hundred images."""
    held = found.held_out
    truth = held.labels == positive
    usual = at_threshold(held.calibrated[:, positive], truth, 0.5, held.groups)
    nothing = decided_result(truth & False, truth, 1.0)
    everything = decided_result(truth | True, truth, 0.0)
    name, share = escape(held.classes[positive]), wording.percent(float(truth.mean()), 0)
    where = f"The cheapest threshold is {wording.percent(rule.threshold, 0)}."
    if not 0 < rule.threshold <= 1:
        where = f"It is cheapest to call {'every' if rule.threshold == 0 else 'no'} image {name}."
    costs = [100 * result.cost(miss, false_alarm) for result in (rule.result, usual, nothing, everything)]
    here, half, none, every = (wording.number(cost, ",.4g") for cost in costs)
    return (
        f"{where} A hundred images then cost {here}; {half} at 50\u00a0%, {none} if no "
        f"image is called {name}, and {every} if every one is. This takes it that as many are {name} as here, {share}: "
        "where they are rarer, a higher threshold is cheaper."
    )
