"""The Teachers page's ranking: bars, their table with all records, and the record of the chosen teacher."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import origin, page, plots, tables, wording
from app.components.escaping import escape, escape_chart
from app.views.teachers.draft import TeachersDraft
from engine.evaluation import Interval
from engine.runs import MetricPlaces, Place, Ranking
from engine.similarity import METRICS, Metric
from engine.teachers import TeacherRecord

LINE_LETTERS = 23  # of a title beside its bar
NAMED = 3  # teachers that the first one is not distinguished from; more are counted
FORMS = {  # of the table's numbers
    "First in, %": tables.PERCENT,
    "Rank": ".0f",
    "Input size, px": ".0f",
    "Parameters, M": wording.PARAMETERS,
    "GFLOPs": wording.GFLOPS,
    "Held-out accuracy, %": tables.PERCENT,
}
# Columns that would not fit: the chosen teacher's record has them, and so has the table's list of columns.
MORE = ("Architecture", "Input size, px", "Parameters, M", "Held-out accuracy, %", "Accuracy is", "License", "Origin")
ROW_PIXELS = 34  # height of one bar with its air
RELATIONS = {"other": "another collection", "disjoint": "same collection, other parts of it"}
COLORS = {"other": "#2f86a6", "disjoint": "#c2702a"}  # at least 3:1 against the backgrounds of both themes
PATTERNS = {"other": "", "disjoint": "/"}  # so that color is not the only sign
INITS = {"imagenet": "from ImageNet weights", "random": "from random weights", "published": "by its publisher"}


@dataclass(frozen=True)
class Row:
    """A line of the table; what is None is not known yet."""

    teacher: TeacherRecord
    relation: str  # to the task
    similarity: float | None = None
    rank: int | None = None
    place: Place | None = None  # with the interval


@st.fragment
@page.guarded
def draw(
    ranking: Ranking, places: MetricPlaces | None, records: Sequence[TeacherRecord], relations: Mapping[str, str]
) -> None:
    """Bars and the chosen teacher's record side by side; choosing redraws only this part of the page.

    places: the same teachers with intervals, None while there are none. records: of the teachers that are shown, in
    their order. relations: of each teacher to the task.
    """
    if not records:
        st.info("No teacher is left: loosen the filter.", icon=":material/filter_list:")
        return
    by_name = {record.name: record for record in records}
    left, right = st.columns([3, 2], gap="medium")
    with left:
        if ranking.ranked:
            _sureness(ranking, places)
            _bars(ranking, places, [record.name for record in records])
    with right if ranking.ranked else left:
        chosen = named if (named := state.teacher()) in by_name else records[0].name
        st.selectbox(
            "Record of the teacher",
            list(by_name),
            format_func=lambda name: by_name[name].title,
            **state.bound("teacher", chosen, _choose_listed),
        )
        _record(by_name[chosen], relations[chosen])
    origin.cannot_teach(ranking)
    _table(ranking, places, records, relations)


def _sureness(ranking: Ranking, places: MetricPlaces | None) -> None:
    """How sure the first place is, in a sentence."""
    if places is None or not places.places:
        return
    titles = {record.name: escape(record.title) for record in ranking.candidates}
    if places.undecided is None:
        if places.doubt:
            st.caption(f":material/info: No intervals: {escape(places.doubt)}")
        return
    leading = [place.teacher for place in places.places if place.rank == 1]
    if len(leading) > 1:
        st.markdown(f"{len(leading)} teachers have the same value: this metric does not distinguish them here.")
        return
    first, share = leading[0], places.places[0].probability_first or 0.0
    alike = {name for pair in places.undecided if first in pair for name in pair} - {first}
    others = [titles[place.teacher] for place in places.places if place.teacher in alike]
    named = wording.listed(others) if len(others) <= NAMED else f"{len(others)} of the {len(titles) - 1} others"
    said = (
        f"These labels do not distinguish it from {named}."
        if others
        else "It is distinguished from each of the others, taken one by one at 95\u00a0%."
    )
    st.markdown(f"**{titles[first]}** stays first in {wording.percent(share, 0)} of the resamples. {said}")


def _bars(ranking: Ranking, places: MetricPlaces | None, names: Sequence[str]) -> None:
    metric = METRICS[ranking.metric]
    by_name = {ranked.teacher.name: ranked for ranked in ranking.ranked}
    intervals = {place.teacher: place.interval for place in places.places if place.interval} if places else {}
    figure = go.Figure()
    for relation, described in RELATIONS.items():
        found = [by_name[name] for name in names if by_name[name].relation == relation]
        if found:
            figure.add_bar(
                x=[ranked.similarity for ranked in found],
                y=[short_title(ranked.teacher) for ranked in found],
                customdata=[[ranked.teacher.name] for ranked in found],
                error_x=_error_bars([(r.similarity, intervals.get(r.teacher.name)) for r in found]),
                name=f"from {described}",
                orientation="h",
                marker={"color": COLORS[relation], "pattern_shape": PATTERNS[relation], "opacity": 0.5},
                unselected={"marker": {"opacity": 0.35}},
                hovertext=[
                    f"{escape_chart(ranked.teacher.title)}: {_shown(metric, ranked.similarity)}" for ranked in found
                ],
                hovertemplate="%{hovertext}<extra></extra>",
            )
    shown = [by_name[name] for name in names]
    ends = [
        max(r.similarity, 0.0, intervals[r.teacher.name].high if r.teacher.name in intervals else 0.0) for r in shown
    ]
    figure.add_scatter(
        x=ends,
        y=[short_title(ranked.teacher) for ranked in shown],
        mode="text",
        text=[f"  {_shown(metric, ranked.similarity)}" for ranked in shown],
        textposition="middle right",
        hoverinfo="skip",
        cliponaxis=False,
        showlegend=False,
    )
    order = [short_title(ranked.teacher) for ranked in reversed(shown)]
    figure.update_yaxes(categoryorder="array", categoryarray=order, automargin=True, ticksuffix=" ")
    figure.update_xaxes(title=f"{metric.title} ({metric.unit}), higher is better", zeroline=True)
    figure.update_layout(
        height=90 + ROW_PIXELS * len(order),
        margin={"l": 0, "r": 48, "t": 28, "b": 0},
        dragmode=False,
        showlegend=any(ranked.relation == "disjoint" for ranked in shown),
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0},
        barmode="overlay",
    )
    best = ranking.ranked[0]
    event = plots.plot(
        figure,
        key=f"similarity {ranking.metric} {TeachersDraft.current().chart}",
        on_select="rerun",
        selection_mode="points",
        alt=f"{metric.title} of {len(order)} teachers, higher is better; the most similar is {best.teacher.title} with "
        f"{_shown(metric, best.similarity)}",
    )
    if intervals:
        st.caption(f"Lines are 95\u00a0% intervals ({next(iter(intervals.values())).method}).")
    _choose_clicked([point["customdata"] for point in event["selection"]["points"] if "customdata" in point])


def _error_bars(values: Sequence[tuple[float, Interval | None]]) -> dict[str, Any] | None:
    """Plotly's error bars of values with their intervals; None where no value has one."""
    if all(interval is None for _, interval in values):
        return None
    return {
        "type": "data",
        "symmetric": False,
        "array": [interval.high - value if interval else 0.0 for value, interval in values],
        "arrayminus": [value - interval.low if interval else 0.0 for value, interval in values],
        "color": "#808a88",
        "thickness": 2,
        "width": 5,
    }


def _shown(metric: Metric, similarity: float) -> str:
    """A similarity with the digits that matter."""
    return wording.number(similarity, _form(metric.title))


def _form(title: str) -> str:
    """How similarities of a metric are written: one digit after the point where 100 is perfect, else four in all."""
    return (
        ".1f" if title in {metric.title for metric in METRICS.values() if metric.scale == 100.0} else tables.SIGNIFICANT
    )


def _choose_listed(name: str) -> None:
    """A choice from the list; the chart gets another key, so that it forgets the bar that was clicked before."""
    state.set_teacher(name)
    draft = TeachersDraft.current()
    draft.chart += 1
    draft.clicked = None


def _choose_clicked(clicked: list[str | list[str]]) -> None:
    """A click on a bar chooses its teacher, once: the chart keeps its selection when another control changes it."""
    found = clicked[0] if clicked else None
    name = found[0] if isinstance(found, list) else found
    draft = TeachersDraft.current()
    if name != draft.clicked:
        draft.clicked = name
        if name is not None:
            state.set_teacher(name)


def _table(
    ranking: Ranking, places: MetricPlaces | None, records: Sequence[TeacherRecord], relations: Mapping[str, str]
) -> None:
    ranked = {r.teacher.name: r for r in ranking.ranked}
    found = {place.teacher: place for place in places.places} if places else {}
    rows = [
        Row(
            record,
            relations[record.name],
            ranked[record.name].similarity if ranked else None,
            ranked[record.name].rank if ranked else None,
            found.get(record.name),
        )
        for record in records
    ]
    record_table(rows, METRICS[ranking.metric].title)


def record_table(rows: Sequence[Row], metric: str = "Similarity") -> None:
    """Teachers as a table, with what their records say."""
    table = pd.DataFrame([_cells(row, metric) for row in rows]).dropna(axis="columns", how="all")
    narrow, alike = tables.without_alike(table, ("Origin", "Relation to the task"))
    st.dataframe(
        tables.written(narrow, FORMS | dict.fromkeys((metric, "Low", "High"), _form(metric))),
        hide_index=True,
        height="content",
        column_order=[str(name) for name in narrow if name not in MORE],
        alt="All teachers with similarity, architecture, classes, collection, input size, cost, accuracy and license",
        column_config={
            "Low": st.column_config.NumberColumn(help="Of the 95\u00a0% interval."),
            "High": st.column_config.NumberColumn(help="Of the 95\u00a0% interval."),
            "First in, %": st.column_config.NumberColumn(help="Of the resamples."),
            "Teacher": st.column_config.TextColumn(width=290),
            "Held-out accuracy, %": st.column_config.NumberColumn(
                help="On images of the teacher's own collection that it did not learn from."
            ),
            "GFLOPs": st.column_config.NumberColumn(
                help="Multiply-accumulates / 1e9 of one image at the input size, as timm counts."
            ),
        },
    )
    if alike:
        st.caption(alike)


def _cells(row: Row, metric: str) -> dict[str, Any]:
    teacher, interval = row.teacher, row.place.interval if row.place else None
    first = row.place.probability_first if row.place and interval else None
    return {
        "Rank": row.rank,
        metric: row.similarity,  # before the names, which take all of a narrow screen
        "Teacher": teacher.title,
        "Low": interval.low if interval else None,
        "High": interval.high if interval else None,
        "First in, %": None if first is None else 100 * first,
        "Origin": origin.WORDS[teacher.origin],
        "Classes": len(teacher.classes),
        "Collection": teacher.collection,
        "Relation to the task": RELATIONS.get(row.relation, ""),
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
        st.markdown("  \n".join(f":gray[{name}:] {escape(value)}" for name, value in facts.items() if value))


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
        f"{wording.parameters(teacher.parameters)}, {wording.gflops(teacher.gflops)} per image"
    )


def short_title(teacher: TeacherRecord) -> str:
    """A teacher's title in lines that leave room for the bars on a narrow screen."""
    lines = textwrap.wrap(teacher.title, LINE_LETTERS)
    return "<br>".join(map(escape_chart, lines))
