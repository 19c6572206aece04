"""The Teachers page's weights: a slider from equal shares to the one nearest teacher."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import page, plots, tables
from app.views.teachers.ranked import COLORS, PATTERNS, ROW_PIXELS, short_title
from engine.methods import DEFAULT_P
from engine.runs import Ranking, active_weights, effective_teachers
from engine.similarity import METRICS
from engine.weighting import normalized

STEPS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, DEFAULT_P, 16.0, 24.0, 32.0, 48.0, 64.0, 96.0, 128.0, math.inf)
BY_HAND_PATTERN = "x"  # so that nobody takes them for weights of the ranking
PRESETS = {0.0: "Equal", DEFAULT_P: f"Weighted ({DEFAULT_P:g})", math.inf: "Nearest"}
RULES = {
    "clip": "Similarities below 0 count as 0; α is each similarity to the power p, divided by the sum of all.",
    "minmax": "Similarities are stretched so that the lowest counts 0 and the highest 1; α is each of these to the "
    "power p, divided by the sum of all.",
}


@st.fragment
@page.guarded
def draw(ranking: Ranking, relations: Mapping[str, str]) -> None:
    """Slider, effective number of teachers and bars of α; moving the slider redraws only this part of the page.

    relations: of each teacher to the task.
    """
    by_hand = state.manual_alpha()
    if by_hand:
        _by_hand_notice()
    everyone = _all_weights(ranking, by_hand)
    active = active_weights(everyone)
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _numbers(ranking, active)
        _controls(ranking)
        rule = "The weights were set by hand." if by_hand else RULES[METRICS[ranking.metric].rule]
        st.caption(f"{rule} Teachers whose α is below 0.001 are left out, and the others share what is left.")
        _set_by_hand(ranking, active)
    with right:
        _bars(ranking, relations, everyone, active, by_hand=by_hand is not None)
        table = st.expander("The weights as a table", on_change="rerun", key="weights table")
        if table.open:
            found = weight_table(ranking, everyone, active)
            forms = dict.fromkeys(found.columns[1:], tables.WEIGHT)
            table.dataframe(tables.written(found, forms), hide_index=True, alt="Weight α of each teacher")


def _all_weights(ranking: Ranking, by_hand: Mapping[str, float] | None) -> dict[str, float]:
    """α of every candidate: those set by hand, or those that the similarities and p give."""
    if by_hand is None:
        return ranking.alpha(state.p())
    return normalized({teacher.name: by_hand.get(teacher.name, 0.0) for teacher in ranking.candidates})


def _set_by_hand(ranking: Ranking, active: Mapping[str, float]) -> None:
    """A table of shares that can be edited; using it replaces what the slider gives."""
    box = st.expander("Set the weights by hand", icon=":material/edit:", key="weights by hand", on_change="rerun")
    if not box.open:
        return
    ranked = [r.teacher for r in ranking.ranked] or list(ranking.candidates)
    with box:
        edited = st.data_editor(
            pd.DataFrame(
                {
                    "name": [teacher.name for teacher in ranked],
                    "Teacher": [teacher.title for teacher in ranked],
                    "Share": [round(active.get(teacher.name, 0.0), 3) for teacher in ranked],
                }
            ),
            hide_index=True,
            column_order=("Teacher", "Share"),
            disabled=("Teacher",),
            column_config={
                "Share": st.column_config.NumberColumn(min_value=0.0, step=0.001, format="%.3f", required=True)
            },
            key=f"weights by hand {ranking.metric} {state.p()} {bool(state.manual_alpha())}",
            alt="Share of each teacher, to be edited",
        )
        shares = dict(zip(edited["name"], edited["Share"].astype(float), strict=True))
        total = sum(shares.values())
        st.caption(f"They sum to {total:.3f}; they are scaled to sum to 1.")
        if st.button("Use these weights", icon=":material/check:", disabled=not total > 0):
            state.set_manual_alpha(normalized(shares))
            st.rerun()


def weight_table(ranking: Ranking, everyone: Mapping[str, float], active: Mapping[str, float]) -> pd.DataFrame:
    """Each teacher's weight before and after small ones are left out, the heaviest first."""
    titles = {teacher.name: teacher.title for teacher in ranking.candidates}
    names = sorted(everyone, key=lambda name: (-everyone[name], name))
    return pd.DataFrame(
        {
            "Teacher": [titles[name] for name in names],
            "α": [active.get(name, 0.0) for name in names],
            "α before small ones are left out": [everyone[name] for name in names],
        }
    )


def _numbers(ranking: Ranking, active: dict[str, float]) -> None:
    with st.container(horizontal=True, gap="medium"):
        st.metric(
            "Effective number of teachers",
            f"{effective_teachers(active):.1f} of {len(ranking.candidates)}",
            help="exp(entropy of α): how many teachers with equal shares would be as spread out as these weights.",
        )
        st.metric(
            "Take part", f"{len(active)} of {len(ranking.candidates)}", help="Teachers whose α is at least 0.001."
        )


def _controls(ranking: Ranking) -> None:
    steps = sorted({*STEPS, state.p()})
    st.select_slider(
        "From equal shares to the one nearest teacher: exponent p",
        steps,
        format_func=lambda p: f"p = {'∞' if math.isinf(p) else f'{p:g}'}",
        disabled=not ranking.possible,
        **state.bound("p", state.p(), state.set_p),
    )
    preset = state.p() if state.p() in PRESETS and not state.manual_alpha() else None
    st.segmented_control(
        "Presets",
        list(PRESETS),
        format_func=PRESETS.__getitem__,
        label_visibility="collapsed",
        disabled=not ranking.possible,
        **state.bound("preset", preset, state.set_p),
    )
    if not ranking.possible:
        st.caption(":material/info: No ranking possible: these are equal shares, whatever p is.")


def _bars(
    ranking: Ranking,
    relations: Mapping[str, str],
    everyone: Mapping[str, float],
    active: Mapping[str, float],
    *,
    by_hand: bool,
) -> None:
    titles = {teacher.name: short_title(teacher) for teacher in ranking.candidates}
    ranked = [r.teacher.name for r in ranking.ranked if r.teacher.name in everyone] or sorted(everyone)
    values = [active.get(name, 0.0) for name in ranked]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[titles[name] for name in ranked],
            text=["left out" if name not in active else f"{active[name]:.3f}" for name in ranked],
            textposition="outside",
            cliponaxis=False,
            marker={
                "color": [COLORS[relations[name]] for name in ranked],
                "pattern_shape": [BY_HAND_PATTERN if by_hand else PATTERNS[relations[name]] for name in ranked],
            },
            orientation="h",
            hovertemplate="%{y}: α = %{x:.3f}<extra></extra>",
        )
    )
    figure.update_yaxes(categoryorder="array", categoryarray=[titles[name] for name in reversed(ranked)])
    figure.update_yaxes(automargin=True)
    figure.update_xaxes(title="Weight α; all weights sum to 1", range=[0, max(*values, 0.05)])
    figure.update_layout(
        height=70 + ROW_PIXELS * len(ranked), margin={"l": 0, "r": 60, "t": 8, "b": 0}, dragmode=False, showlegend=False
    )
    heaviest = max(ranking.candidates, key=lambda teacher: active.get(teacher.name, 0.0))
    plots.plot(
        figure,
        key="weights",
        alt=f"Weights of {len(ranked)} teachers, {len(active)} of which take part; the largest is "
        f"{heaviest.title} with {active[heaviest.name]:.3f}",
    )


def _by_hand_notice() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge("Set by hand", icon=":material/edit:", color="orange")
        st.markdown("The runs take these weights, not those of the ranking; slider and presets end that.")
        st.button("Forget them", on_click=lambda: state.set_manual_alpha(None))
