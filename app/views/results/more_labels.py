"""Results, Labels: accuracy against the number of labels, and the images that are worth a label next."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import cached, queues, state
from app.components import batch, exhibits, images, labels, page, tables, wording
from app.components.escaping import escape
from app.views.results import students
from app.views.results.sources import Shown
from engine.errors import WorkbenchError
from engine.methods import get_method
from engine.runs import (
    LabelPoint,
    RunSpec,
    entries_of,
    label_curve,
    label_curve_specs,
    request_measurements,
    seconds_of,
    unlabeled_rows,
    would_more_help,
)
from engine.tasks import Task, all_labels, is_own

SEED_COUNTS = (1, 3, 5)
WORTH = 30  # images worth a label that are shown
COLOR = "#0f7c7c"
GRID = "rgba(128, 138, 150, 0.22)"


def draw(shown: Shown, task: Task) -> None:
    """The part."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        method = st.selectbox(
            "Method",
            students.methods(shown),
            format_func=lambda key: get_method(key).title,
            key=f"more-labels-method-{shown.id}",
            width=320,
        )
        seeds = st.segmented_control(
            "Seeds", SEED_COUNTS, default=SEED_COUNTS[0], required=True, key=f"more-labels-seeds-{shown.id}"
        )
    try:
        specs = label_curve_specs(
            state.workspace(), task, shown.id, method, seeds=int(seeds or 1), device=state.device()
        )
    except WorkbenchError as error:
        st.info(escape(str(error)), icon=":material/info:")
    else:
        _runs(shown, task, method, specs)
    _worth(task)


def _runs(shown: Shown, task: Task, method: str, specs: Sequence[RunSpec]) -> None:
    entries = entries_of(state.workspace(), specs)
    batch.say_problems(
        entries, lambda entry: f"{get_method(method).title} at {labels.in_words(task, entry.spec.labels_per_class)}"
    )
    curve = label_curve(entries)
    if len(curve) > 1:
        _curve(curve, task, get_method(method).title)
    elif not entries:
        st.markdown(
            "Nobody knows yet. Runs of this method with fewer labels than there are show whether the last labels still "
            "helped."
        )
    if any(not entry.status.terminal for entry in entries):
        batch.watch([entry.job for entry in entries])
    elif sum(entry.result is not None for entry in entries) < len(specs):
        _offer(shown, task, method, specs, len(specs) - sum(entry.result is not None for entry in entries))


def _offer(shown: Shown, task: Task, method: str, specs: Sequence[RunSpec], missing: int) -> None:
    known = [result for result in shown.results if result.method == method]
    seconds = seconds_of(state.workspace(), specs, state.device(), known)
    about = f"about **{wording.duration(seconds)}**" if seconds is not None else "of unknown length"
    budgets = [labels.name(task, budget) for budget in sorted({spec.labels_per_class for spec in specs})]
    with st.container(border=True):
        st.markdown(
            f":material/show_chart: {wording.count(missing, 'run')} with "
            f"{wording.listed(budgets)} labels per class, one after the other: {about}. "
            "They wait in the queue and go on when this page is closed."
        )
        if st.button(f"Start {wording.count(missing, 'run')}", icon=":material/play_arrow:", key="more-labels-start"):
            request_measurements(state.workspace(), specs, state.device())
            queues.queue(state.device())
            st.rerun()


def _curve(curve: Sequence[LabelPoint], task: Task, method: str) -> None:
    st.markdown(f"**{would_more_help(curve)}**")
    places = list(range(len(curve)))  # the numbers of labels, at equal steps
    names = [labels.name(task, each.labels_per_class) for each in curve]
    figure = go.Figure()
    figure.add_scatter(
        x=places,
        y=[100 * each.accuracy for each in curve],
        mode="lines+markers",
        line={"color": COLOR, "width": 3},
        marker={"size": 9, "color": COLOR},
        error_y={
            "array": [100 * (each.interval.high - each.accuracy) for each in curve],
            "arrayminus": [100 * (each.accuracy - each.interval.low) for each in curve],
            "color": COLOR,
            "thickness": 1.5,
        },
        customdata=[each.labeled_images for each in curve],
        hovertemplate="%{y:.1f}\u00a0% with %{customdata:,} labels<extra></extra>",
    )
    figure.update_xaxes(
        title="Labels per class", tickvals=places, ticktext=names, range=[-0.2, len(curve) - 0.8], gridcolor=GRID
    )
    figure.update_yaxes(title="Held-out accuracy, %", gridcolor=GRID, zeroline=False)
    figure.update_layout(height=320, margin={"l": 0, "r": 8, "t": 8, "b": 0}, dragmode=False, showlegend=False)
    accuracy, low, high = "Held-out accuracy, %", "Low, %", "High, %"
    table = pd.DataFrame(
        {
            "Labels per class": names,
            "Labels": [each.labeled_images for each in curve],
            accuracy: [100 * each.accuracy for each in curve],
            low: [100 * each.interval.low for each in curve],
            high: [100 * each.interval.high for each in curve],
            "Seeds": [len(each.by_seed) for each in curve],
        }
    )
    exhibits.draw(
        figure,
        table,
        {"Labels": tables.COUNT, **dict.fromkeys((accuracy, low, high), tables.PERCENT)},
        name=f"accuracy by labels {task.name}",
        alt=f"Held-out accuracy of {method} at {wording.listed(names)} labels per class",
        key="more-labels-curve",
    )
    kinds = dict.fromkeys(each.interval.method for each in curve)
    said = f"{escape(method)}, higher is better. Lines: 95\u00a0% {wording.listed(list(kinds))}."
    if curve[-1].labels_per_class >= all_labels(task) and any(len(each.by_seed) > 1 for each in curve):
        said += " Each seed draws its own labels; with all of them, seeds differ in initialization and order only."
    st.caption(said)


def _worth(task: Task) -> None:
    """The images that are worth a label next, one click away."""
    waiting = len(unlabeled_rows(task)) if is_own(task) else 0
    if not waiting:
        return
    count = min(WORTH, waiting)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        asked = st.toggle(
            f"The next {wording.count(count, 'image')} worth a label",
            key="worth a label",
            help="Those that cover the images without a label best.",
        )
        if st.button("Label them", icon=":material/label:", type="tertiary", key="label the next"):
            state.set_part("label")
            page.go("task")
    if asked:
        found = cached.worth_a_label(task, count)
        images.grid(task, [images.Thumbnail(int(row), "worth a label") for row in found.rows])
        by = f"by the features of {found.teacher}" if found.teacher else "by small copies of the images"
        st.caption(f"Far from each other and from the labeled ones, {escape(by)}.")
