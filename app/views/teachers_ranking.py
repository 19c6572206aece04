"""The Teachers page's ranking: bars, their table with all records, and the record of the chosen teacher."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import origin, page, wording
from engine.runs import Ranking
from engine.similarity import METRICS, Metric
from engine.tasks import Task
from engine.teachers import TeacherRecord

LINE_LETTERS = 23  # of a title beside its bar
ROW_PIXELS = 34  # height of one bar with its air
RELATIONS = {"other": "another collection", "disjoint": "same collection, other parts of it"}
COLORS = {"other": "#2f86a6", "disjoint": "#c2702a"}  # at least 3:1 against the backgrounds of both themes
PATTERNS = {"other": "", "disjoint": "/"}  # so that color is not the only sign
INITS = {"imagenet": "from ImageNet weights", "random": "from random weights", "published": "by its publisher"}

Row = tuple[TeacherRecord, str, float | None, int | None]  # record, relation to the task, similarity, rank


@st.fragment
@page.guarded
def draw(task: Task, ranking: Ranking, relations: Mapping[str, str]) -> None:
    """Bars and the chosen teacher's record side by side; choosing redraws only this part of the page.

    relations: of each teacher to the task.
    """
    names = [ranked.teacher.name for ranked in ranking.ranked] or [teacher.name for teacher in ranking.candidates]
    records = {teacher.name: teacher for teacher in ranking.candidates}
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if ranking.ranked:
            _bars(task, ranking)
    with right if ranking.ranked else left:
        chosen = state.teacher() if state.teacher() in records else names[0]
        st.selectbox(
            "Record of the teacher",
            names,
            format_func=lambda name: records[name].title,
            **state.bound("teacher", chosen, _choose_listed),
        )
        _record(records[chosen], relations[chosen])
    origin.cannot_teach(ranking)
    _table(ranking, relations)


def _bars(task: Task, ranking: Ranking) -> None:
    metric = METRICS[ranking.metric]
    figure = go.Figure()
    for relation, described in RELATIONS.items():
        found = [ranked for ranked in ranking.ranked if ranked.relation == relation]
        if found:
            figure.add_bar(
                x=[ranked.similarity for ranked in found],
                y=[short_title(ranked.teacher) for ranked in found],
                customdata=[[ranked.teacher.name] for ranked in found],
                text=[_shown(metric, ranked.similarity) for ranked in found],
                textposition="outside",
                cliponaxis=False,
                name=f"from {described}",
                orientation="h",
                marker={"color": COLORS[relation], "pattern_shape": PATTERNS[relation]},
                unselected={"marker": {"opacity": 0.45}, "textfont": {"color": "#808a88"}},
                hovertemplate="%{y}: %{x:.4g}<extra></extra>",
            )
    order = [short_title(ranked.teacher) for ranked in reversed(ranking.ranked)]
    figure.update_yaxes(categoryorder="array", categoryarray=order, automargin=True)
    figure.update_xaxes(title=f"{metric.title} ({metric.unit}), higher is better", zeroline=True)
    figure.update_layout(
        height=90 + ROW_PIXELS * len(order),
        margin={"l": 0, "r": 48, "t": 28, "b": 0},
        dragmode=False,
        showlegend=any(ranked.relation == "disjoint" for ranked in ranking.ranked),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        barmode="overlay",
    )
    best = ranking.ranked[0]
    event = st.plotly_chart(
        figure,
        key=f"similarity {ranking.metric} {state.note('teachers.chart', 0)}",
        config={"displayModeBar": False},
        on_select="rerun",
        selection_mode="points",
        alt=f"{metric.title} of {len(order)} teachers to the task {task.record.title}, higher is better; the most "
        f"similar is {best.teacher.title} with {_shown(metric, best.similarity)}",
    )
    _choose_clicked([point["customdata"] for point in event["selection"]["points"]])


def _shown(metric: Metric, similarity: float) -> str:
    """A similarity with the digits that matter: one after the point where 100 is perfect, else four in all."""
    return f"{similarity:.1f}" if metric.scale == 100.0 else f"{similarity:.4g}"


def _choose_listed(name: str) -> None:
    """A choice from the list; the chart gets another key, so that it forgets the bar that was clicked before."""
    state.set_teacher(name)
    state.set_note("teachers.chart", state.note("teachers.chart", 0) + 1)
    state.set_note("teachers.clicked", None)


def _choose_clicked(clicked: list[str | list[str]]) -> None:
    """A click on a bar chooses its teacher, once: the chart keeps its selection when another control changes it."""
    found = clicked[0] if clicked else None
    name = found[0] if isinstance(found, list) else found
    if name != state.note("teachers.clicked"):
        state.set_note("teachers.clicked", name)
        if name is not None:
            state.set_teacher(name)


def _table(ranking: Ranking, relations: Mapping[str, str]) -> None:
    rows: list[Row] = [(r.teacher, r.relation, r.similarity, r.rank) for r in ranking.ranked]
    record_table(
        rows or [(teacher, relations[teacher.name], None, None) for teacher in ranking.candidates],
        METRICS[ranking.metric].title,
    )


def record_table(rows: Sequence[Row], metric: str = "Similarity") -> None:
    """All teachers as a table, with what their records say."""
    table = pd.DataFrame([_row(*row, metric=metric) for row in rows])
    if table[metric].isna().all():
        table = table.drop(columns=["Rank", metric])
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        alt="All teachers with similarity, architecture, classes, collection, input size, cost, accuracy and license",
        column_config={
            metric: st.column_config.NumberColumn(format="%.4g"),
            "Teacher": st.column_config.TextColumn(width=290),
            "Held-out accuracy, %": st.column_config.NumberColumn(
                format="%.1f", help="On images of the teacher's own collection that it did not learn from."
            ),
            "Parameters, M": st.column_config.NumberColumn(format="%.2f"),
            "GFLOPs": st.column_config.NumberColumn(
                format="%.3f", help="Multiply-accumulates / 1e9 of one image at the input size, as timm counts."
            ),
        },
    )


def _row(teacher: TeacherRecord, relation: str, similarity: float | None, rank: int | None, metric: str) -> dict:
    return {
        "Rank": rank,
        "Teacher": teacher.title,
        "Origin": origin.WORDS[teacher.origin],
        metric: similarity,
        "Classes": len(teacher.classes),
        "Collection": teacher.collection,
        "Relation to the task": RELATIONS.get(relation, ""),
        "Architecture": teacher.architecture,
        "Input size, px": teacher.input_size or None,
        "Parameters, M": teacher.parameters / 1e6 if teacher.has_network else None,
        "GFLOPs": teacher.gflops if teacher.has_network else None,
        "Held-out accuracy, %": None if teacher.held_out_accuracy is None else 100 * teacher.held_out_accuracy,
        "Accuracy is": teacher.accuracy_source,
        "License": teacher.license,
    }


def _record(teacher: TeacherRecord, relation: str) -> None:
    """Everything that is known of one teacher."""
    named = [name.split(",")[0] for name in teacher.classes[:8]]  # ImageNet's names are lists of synonyms
    classes = ", ".join(named) + (", …" if len(teacher.classes) > 8 else "")
    facts = {
        "Classes": f"{len(teacher.classes):,}: {classes}" if teacher.classes else "none, so no pseudo-labels",
        "Collection": teacher.collection + (f" ({', '.join(teacher.parts)})" if teacher.parts else " (all of it)"),
        "Saw before": ", ".join(teacher.further_collections),
        "Training": _training(teacher),
        "Held-out accuracy": _held_out(teacher),
        "Network": _network(teacher),
        "Note": "" if teacher.has_network else teacher.accuracy_note,
        "License": teacher.license,
        "Made by": teacher.command,
    }
    with st.container(border=True):
        origin.badge(teacher)
        if relation == "disjoint":
            st.badge("Same collection, other parts of it", icon=":material/join_inner:", color="orange")
            st.caption("Its images and the task's are of one kind, but none is in both. That is allowed, and marked.")
        st.markdown("  \n".join(f":gray[{name}:] {page.escape(value)}" for name, value in facts.items() if value))


def _training(teacher: TeacherRecord) -> str:
    if teacher.training_images is None:
        return f"on images whose number is not known{', by its publisher' if teacher.init == 'published' else ''}"
    return f"{teacher.training_images:,} images, {INITS.get(teacher.init, teacher.init)}"


def _held_out(teacher: TeacherRecord) -> str:
    if teacher.held_out_accuracy is None:
        return "not known"
    images = f" of {teacher.held_out_images:,} images" if teacher.held_out_images else ""
    accuracy = wording.percent(teacher.held_out_accuracy)
    return f"{accuracy}{images}, {teacher.accuracy_source}. {teacher.accuracy_note}"


def _network(teacher: TeacherRecord) -> str:
    if not teacher.has_network:
        return f"not here, only what it says of the images of task {teacher.weights.task}"
    return (
        f"{teacher.architecture} at {teacher.input_size} × {teacher.input_size} pixels, "
        f"{teacher.parameters / 1e6:.2f} M parameters, {teacher.gflops:.3f} GFLOPs per image"
    )


def short_title(teacher: TeacherRecord) -> str:
    """A teacher's title in lines that leave room for the bars on a narrow screen."""
    lines = textwrap.wrap(teacher.title, LINE_LETTERS)
    return "<br>".join(html.escape(line, quote=False) for line in lines)  # Plotly takes tags for tags
