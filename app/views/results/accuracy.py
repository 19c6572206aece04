"""Results, Accuracy: the methods' held-out accuracy side by side, over what was spent, and the teachers' weights."""

from __future__ import annotations

from typing import Literal

import streamlit as st

from app import state
from app.components import charts, exhibits, tables, wording
from app.components.charts import Axis
from app.components.escaping import escape
from app.views.results import over_budgets, replay, sources
from app.views.results.sources import Shown
from engine.evaluation import PairedDifference
from engine.runs import consensus_sentence, intervals_sentence, starts_sentence
from engine.tasks import Task
from engine.wording import MINUS

CARDS = 4  # methods that get a number in large type; the table has them all


def render(shown: Shown, task: Task) -> None:
    """The section."""
    _draw_cards(shown)
    replay.draw(shown)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Held-out accuracy** :gray[(higher is better)]")
        charts.draw_accuracies(shown.means, shown.by_seed, "results-bars")
        st.caption(f"{intervals_sentence(shown)} {starts_sentence(shown.results, shares=False)}".rstrip())
        if told := consensus_sentence(shown):
            st.caption(f"Dashed: {escape(told)}")
    with right:
        _draw_curves(shown)
    _draw_table(shown)
    if shown.recorded:
        over_budgets.draw(task)
    _draw_weights(shown)


def _draw_cards(shown: Shown) -> None:
    with st.grid(min(CARDS, len(shown.means)), min_column_width=190):
        for mean in shown.means[:CARDS]:
            found = mean.difference
            st.metric(
                mean.title,
                wording.percent(mean.accuracy),
                f"{wording.points(found.mean)} points" if found else None,
                delta_description=_paired(found) if found else None,
                delta_color=_color(found) if found else "off",
                delta_arrow=_arrow(found) if found else "off",
                border=True,
                height="stretch",
                help=f"95\u00a0% interval {sources.in_percent(mean.interval)} ({mean.interval.method}).",
            )


def _color(found: PairedDifference) -> Literal["green", "red", "off"]:
    """Of a difference; it has one only if the seeds tell on which side of 0 it lies."""
    if found.interval is None or 0 in found.interval:
        return "off"
    return "green" if found.mean > 0 else "red"


def _arrow(found: PairedDifference) -> Literal["up", "down", "off"]:
    """Up or down as the number beside it says; none where that reads 0.0."""
    shown = wording.points(found.mean)
    return "up" if shown.startswith("+") else "down" if shown.startswith(MINUS) else "off"


def _paired(found: PairedDifference) -> str:
    """How sure a difference to fine-tuning is."""
    if found.interval is None:
        return "one seed"
    low, high = wording.points(found.interval.low), wording.points(found.interval.high)
    return f"{low} to {high}"


def _draw_curves(shown: Shown) -> None:
    axis: Axis = "images"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Accuracy over what was spent**", width="content")
        chosen = st.segmented_control(
            "Spent",
            ("images", "seconds"),
            default="images",
            required=True,
            format_func={"images": "Student images", "seconds": "Training seconds"}.__getitem__,
            key="results-axis",
            label_visibility="collapsed",
            persist_state="session",
        )
        axis = "seconds" if chosen == "seconds" else "images"
    charts.draw_saved_curves(sources.curves(shown), shown.means, axis, f"results-curves-{axis}")


def _draw_table(shown: Shown) -> None:
    st.subheader("The same as a table", anchor=False)
    table = sources.table(shown)
    narrow, alike = tables.without_alike(table, sources.REPEATED)
    st.dataframe(
        narrow,
        hide_index=True,
        alt="Held-out accuracy of each method with its interval and what it rests on",
        column_config={"Method": st.column_config.TextColumn(pinned=True)},
    )
    st.caption(
        f"{alike}At equal seconds: the accuracy when the quickest of these methods was done, read off each method's "
        "curve. A slower method's learning rate had not fallen yet."
    )
    exhibits.download_csv(lambda: table, f"accuracy {_named(shown)}", "results table csv")


def _named(shown: Shown) -> str:
    return str(shown.document.get("comparison", shown.id))


def _draw_weights(shown: Shown) -> None:
    weights = sources.weights_table(state.workspace(), shown.results)
    if weights.empty:
        return
    st.subheader("Weights of the teachers", anchor=False)
    st.dataframe(weights, hide_index=True, alt="Weight of each teacher by method, mean over seeds")
    effective: dict[str, list[float]] = {}
    for result in shown.results:
        if result.effective_teachers:
            effective.setdefault(result.title, []).append(result.effective_teachers)
    said = [f"{name} {sum(found) / len(found):.1f}" for name, found in effective.items()]
    st.caption(
        f"Shares of the distillation loss, mean over seeds with smallest and largest; they sum to 1. Effective number "
        f"of teachers: {wording.listed(said)}."
    )
    exhibits.download_csv(lambda: weights, f"weights {_named(shown)}", "results weights csv")
    for problem in sorted({result.ranking_problem for result in shown.results if result.ranking_problem}):
        st.caption(f":material/info: No ranking was possible: {escape(problem)}")
