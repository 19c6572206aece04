"""Results: the students' held-out accuracy side by side, what it rests on, and the student to take away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import streamlit as st

from app import state
from app.components import charts, page, tables, wording
from app.components.charts import Axis
from app.components.escaping import escape
from app.components.methods import student_title
from app.views.results import finish, labels, replay, sources
from app.views.results.sources import Shown, Source
from engine.delivery import student_archive
from engine.evaluation import PairedDifference
from engine.methods import place, preselected
from engine.runs import Comparison, damaged_comparisons
from engine.tasks import Task
from engine.wording import ALL_LABELS_INTERVALS, MINUS
from engine.workspace import Workspace

POLL_SECONDS = 3.0  # between two refreshes for newly finished runs
CARDS = 4  # methods that get a number in large type; the table has them all


def render() -> None:
    """Draw the page."""
    page.header("Results", "How well each student does on images that nobody trained on: higher is better.")
    task = page.required_task()
    workspace = state.workspace()
    found = sources.sources(workspace, task.name)
    for problem in damaged_comparisons(workspace, task.name):
        st.error(escape(problem), icon=":material/error:")
    if not found:
        page.missing("No comparison of this task has been run yet.", "distill", "Start one on Distill")
        return
    source = _choose(found, task)
    shown = sources.load(workspace, source, task.name)
    _draw_origin(shown, task)
    for problem in shown.problems:
        st.error(escape(problem), icon=":material/error:")
    if source.comparison is not None and shown.unfinished:
        _watch(workspace, source.comparison, shown)
    if not shown.results:
        page.missing("No run of this comparison has finished yet.", "distill", "Watch it on Distill")
        return
    _draw_results(shown)
    if source.comparison is not None:
        _draw_download(workspace, shown)
    finish.render(shown, task, _favorite(shown))
    labels.render(shown, task)


def _choose(found: list[Source], task: Task) -> Source:
    by_id = {source.id: source for source in found}
    chosen = state.comparison()
    current = chosen if chosen in by_id else found[0].id
    if chosen is not None and chosen != current:
        st.warning(
            f"There is no comparison {escape(repr(chosen))} of the task {escape(task.record.title)}: this is "
            "the newest one that there is.",
            icon=":material/link_off:",
        )
    st.selectbox(
        "Comparison",
        list(by_id),
        format_func=lambda key: by_id[key].label,
        **state.bound("results-comparison", current, state.set_comparison),
    )
    return by_id[current]


def _draw_origin(shown: Shown, task: Task) -> None:
    document = shown.document
    if changed := sources.what_changed(document.get("shared", {}), task):
        st.warning(
            f"The task has changed since these runs: {wording.listed(changed)}. What is shown here is of the older "
            "revision; start a new comparison for the task as it is now.",
            icon=":material/history:",
        )
    if shown.recorded:
        when = wording.moment(document.get("created", ""))
        st.badge("Recorded", icon=":material/inventory_2:", color="violet")
        st.caption(
            f"These runs came with the program: made {when} on {escape(sources.machine(document))}. "
            "Start your own on Distill."
        )
        if command := document.get("command"):
            st.code(command, language="bash", wrap_lines=True)
    if differs := wording.differs_sentence(document.get("differs", ())):
        st.warning(differs, icon=":material/warning:")
    shared = wording.shared_sentence(_in_titles(document.get("shared", {}), task))
    st.caption(escape(f"{shared} {sources.arithmetic(shown.results)}".rstrip()))


def _in_titles(shared: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What runs share, with titles in the place of names that only the program uses."""
    named = {"task": task.record.title, "student": student_title(str(shared.get("student", "")))}
    return {key: named.get(key, value) for key, value in shared.items()}


def _watch(workspace: Workspace, comparison: Comparison, shown: Shown) -> None:
    """Say how many runs are still to come, and draw the page again when one has finished."""

    @st.fragment(run_every=POLL_SECONDS)
    @page.guarded
    def refresh() -> None:
        if sources.finished_runs(workspace, comparison) != len(shown.results):
            st.rerun()
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(
                f":material/hourglass_top: {wording.count(shown.unfinished, 'run')} not done yet.", width="content"
            )
            page.link("distill", "See them on Distill")

    refresh()


def _draw_results(shown: Shown) -> None:
    _draw_cards(shown)
    replay.draw(shown)
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown("**Held-out accuracy** :gray[(higher is better)]")
        charts.draw_accuracies(shown.means, shown.by_seed, "results-bars")
        st.caption(_intervals_sentence(shown))
    with right:
        _draw_curves(shown)
    _draw_table(shown)
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


def _intervals_sentence(shown: Shown) -> str:
    kinds = sorted({mean.interval.method for mean in shown.means})
    said = f"Points are to fine-tuning. Lines: 95\u00a0% {wording.listed(kinds)}."
    if any("images" in kind for kind in kinds):
        return f"{said} With one seed it covers the choice of test images, not the choice of labels: more seeds do."
    if "all_labels" in shown.document.get("shared", {}):
        return f"{said} {ALL_LABELS_INTERVALS} Marks: single seeds. Differences are paired by seed."
    return f"{said} They cover the choice of labels. Marks: single seeds. Differences are paired by seed."


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
    charts.draw_curves(shown.curves, axis, f"results-curves-{axis}")
    more = st.expander("Curves as a table", icon=":material/table:", on_change="rerun", key="results-curve-table")
    if more.open:
        with more:
            st.dataframe(
                tables.written(charts.curve_table(shown.curves), charts.CURVE_FORMS),
                hide_index=True,
                alt="Points of the curves above",
            )


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
    st.download_button(
        "Download the table (CSV)",
        table.to_csv(index=False),
        f"{shown.document.get('comparison', shown.id)}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
    )


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
    for problem in sorted({result.ranking_problem for result in shown.results if result.ranking_problem}):
        st.caption(f":material/info: No ranking was possible: {escape(problem)}")


def _draw_download(workspace: Workspace, shown: Shown) -> None:
    st.subheader("Take a student away", anchor=False)
    by_run = {result.run: result for result in shown.results}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        run = st.selectbox(
            "Student",
            sorted(by_run, key=lambda key: (by_run[key].method != _favorite(shown), by_run[key].seed)),
            format_func=lambda key: (
                f"{by_run[key].title}, seed {by_run[key].seed} · {wording.percent(by_run[key].held_out_accuracy)}"
            ),
            key=f"results-student-{shown.id}",
            width=420,
        )
        st.download_button(
            "Download (ZIP)",
            lambda: student_archive(workspace.runs / run),
            f"{run}.zip",
            "application/zip",
            icon=":material/download:",
            on_click="ignore",
            type="primary",
        )
    st.caption(
        "Holds the weights (safetensors), the classes and the preprocessing, the result, and how to load it with timm. "
        "No teacher is needed any more."
    )


def _favorite(shown: Shown) -> str:
    """The method offered first, whatever its accuracy: of those that teachers took part in the last one that a
    comparison takes unless told otherwise, or the first one.
    """
    taught = [result.method for result in shown.results if result.active_alpha]
    favored = (method for key in reversed(preselected()) for method in taught if place(method) == place(key))
    return str(next(favored, (taught or [""])[0]))


if __name__ == "__main__":
    render()
