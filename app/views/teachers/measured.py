"""Was it true? What a student became with each teacher alone, against what the ranking had predicted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
import streamlit as st

from app import queues, state
from app.components import batch, labels, plots, tables, wording
from app.components.escaping import escape
from app.components.methods import title
from app.views.teachers import point_chart
from app.views.teachers.point_chart import TeacherPoint
from engine.runs import (
    MEASURED_IMAGES,
    Entry,
    Measured,
    Measurements,
    Ranking,
    estimate_seconds,
    known_speed,
    measurements,
    order_verdict,
    request_measurements,
    single_teacher_runs,
    single_teacher_specs,
    unfinished_measurements,
)
from engine.similarity import METRICS
from engine.student import student_title
from engine.tasks import Task
from engine.teachers import TeacherRecord

MOST_IMAGES = 100_000_000
PERCENT = dict.fromkeys(("Held-out accuracy, %", "Low, %", "High, %"), ".1f")


def draw(task: Task, ranking: Ranking, records: Sequence[TeacherRecord], relations: Mapping[str, str]) -> None:
    """The verdict and its chart as far as runs have ended, and the button that queues them."""
    runs = single_teacher_runs(state.workspace(), task, state.labels_per_class())
    titles = {record.name: record.title for record in ranking.candidates}
    found = measurements(runs)
    batch.say_problems(_without_result(runs, found), lambda entry: _title(entry, titles))
    if found is None:
        st.markdown(
            "Nobody knows yet whether this ranking is true. One short run with each teacher alone shows it: one point "
            "a teacher, the similarity against what the student became."
        )
    else:
        _verdict(task, ranking, found, records, relations)
    if unfinished_measurements(runs):
        _watch(runs)
    else:
        _offer(task, found)


def _without_result(runs: Sequence[Entry], found: Measurements | None) -> list[Entry]:
    """Runs of the budget that is shown, or else of the newest one, of which nothing came and nothing took the place."""
    budgets = [entry.spec.train.images for entry in runs if entry.spec.teachers]
    images = found.images if found is not None else budgets[0] if budgets else None  # the newest first
    of_budget = [entry for entry in runs if entry.spec.train.images == images]
    done = {_what(entry) for entry in of_budget if entry.result is not None}
    return [entry for entry in of_budget if _what(entry) not in done]


def _what(entry: Entry) -> tuple[str, tuple[str, ...], int]:
    return entry.spec.method, tuple(entry.spec.teachers or ()), entry.spec.seed


def _title(entry: Entry, titles: Mapping[str, str]) -> str:
    """A run by its method, and by its teacher where it has one."""
    teachers = [titles.get(name, name) for name in entry.spec.teachers or ()]
    return title(entry.spec.method) + (f" with {wording.listed(teachers)}" if teachers else "")


def _verdict(
    task: Task,
    ranking: Ranking,
    found: Measurements,
    records: Sequence[TeacherRecord],
    relations: Mapping[str, str],
) -> None:
    predicted = {r.teacher.name: r.similarity for r in ranking.ranked}
    titles = {record.name: record.title for record in ranking.candidates}
    held = order_verdict(predicted, found.teachers)
    icon = {True: ":material/check:", False: ":material/close:", None: ":material/hourglass_empty:"}[held.helped]
    st.markdown(f"{icon} **{escape(held.sentence)}**")
    st.markdown(_in_accuracies(ranking, found, titles))
    methods = dict.fromkeys(m.interval.method for m in found.teachers)
    shown = [m for m in found.teachers if m.teacher in predicted and m.teacher in {record.name for record in records}]
    if shown:
        _chart(ranking, found, [(m, predicted[m.teacher]) for m in shown], relations)
    st.caption(
        f"Each point is a student {student_title(found.student)} with {found.images:,} student images and "
        f"{labels.in_words(task, found.labels_per_class)}, one teacher alone. Bars are 95\u00a0% intervals "
        f"({'; '.join(methods)}). The best of several is partly the luckiest. Held-out images judge the ranking here; "
        "they choose nothing."
    )
    table = st.expander("Predicted and measured as a table", key="measured table", on_change="rerun")
    if table.open:
        table.dataframe(
            tables.written(
                measured_table(ranking, found), {METRICS[ranking.metric].title: tables.SIGNIFICANT} | PERCENT
            ),
            hide_index=True,
            alt="Similarity and held-out accuracy of each teacher",
        )


def measured_table(ranking: Ranking, found: Measurements) -> pd.DataFrame:
    """One row for each measured teacher, the best first."""
    predicted = {r.teacher.name: (r.similarity, r.rank) for r in ranking.ranked}
    titles = {record.name: record.title for record in ranking.candidates}
    return pd.DataFrame(
        [
            {
                "Teacher": titles.get(m.teacher, m.teacher),
                METRICS[ranking.metric].title: predicted.get(m.teacher, (None, None))[0],
                "Rank": predicted.get(m.teacher, (None, None))[1],
                "Held-out accuracy, %": round(100 * m.accuracy, 1),
                "Low, %": round(100 * m.interval.low, 1),
                "High, %": round(100 * m.interval.high, 1),
                "Seeds": len(m.seeds),
            }
            for m in sorted(found.teachers, key=lambda m: -m.accuracy)
        ]
    )


def _in_accuracies(ranking: Ranking, found: Measurements, titles: Mapping[str, str]) -> str:
    """What following the ranking would have brought, in percent."""
    measured = {m.teacher: m for m in found.teachers}
    best = max(found.teachers, key=lambda m: m.accuracy)
    mean = sum(m.accuracy for m in found.teachers) / len(found.teachers)
    parts = []
    first = next((r.teacher.name for r in ranking.ranked if r.teacher.name in measured), None)
    if first is not None:
        also = " and was the best" if first == best.teacher else ""
        gave = wording.percent(measured[first].accuracy)
        parts.append(f"The first of the ranking, {escape(titles[first])}, gave {gave}{also}")
    if first != best.teacher:
        title = escape(titles.get(best.teacher, best.teacher))
        parts.append(f"the best, {title}, {wording.percent(best.accuracy)}")
    parts.append(f"the mean of all {len(found.teachers)} {wording.percent(mean)}")
    if found.fine_tuning is not None:
        parts.append(f"and no teacher at all (fine-tuning) {wording.percent(found.fine_tuning.accuracy)}")
    return ", ".join(parts) + "."


def _chart(
    ranking: Ranking, found: Measurements, shown: Sequence[tuple[Measured, float]], relations: Mapping[str, str]
) -> None:
    metric, records = METRICS[ranking.metric], {record.name: record for record in ranking.candidates}
    points = [
        TeacherPoint(records[m.teacher], similarity, 100 * m.accuracy, 100 * m.interval.low, 100 * m.interval.high)
        for m, similarity in shown
    ]

    def said(point: TeacherPoint) -> str:
        return f"{wording.percent(point.y / 100)} at {wording.number(point.x, tables.SIGNIFICANT)}"

    figure = point_chart.figure(ranking, points, relations, said)
    if found.fine_tuning is not None:
        figure.add_hline(
            y=100 * found.fine_tuning.accuracy,
            line={"dash": "dash", "color": point_chart.ERRORS},
            annotation={"text": "fine-tuning, no teacher", "font": {"size": 12}},
            annotation_position="bottom left",
        )
    figure.update_xaxes(title=f"Predicted: {metric.title} ({metric.unit})")
    figure.update_yaxes(title="Measured: held-out accuracy, %")
    plots.plot(
        figure,
        key="predicted and measured",
        alt=f"Held-out accuracy of students of {wording.count(len(shown), 'teacher')} over {metric.title}; the table "
        "below has the same numbers",
    )
    point_chart.legend(ranking, points)


def _offer(task: Task, found: Measurements | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        images = st.number_input(
            "Image budget of each run",
            100,
            MOST_IMAGES,
            found.images if found else MEASURED_IMAGES,
            step=1000,
            key="teachers-measure-images",
            persist_state="session",
            width=220,
            help="Student images with gradient. A small budget is enough to see which teacher teaches better.",
        )
        specs = single_teacher_specs(
            state.workspace(),
            task,
            labels_per_class=state.labels_per_class(),
            seeds=[state.seed()],
            device=state.device(),
            images=int(images),
        )
        if st.button(
            f"Measure {wording.count(len(specs) - 1, 'teacher')}",
            type="secondary" if found else "primary",
            icon=":material/play_arrow:",
        ):
            request_measurements(state.workspace(), specs, state.device())
            queues.queue(state.device())
            st.rerun()
    speed = known_speed(state.workspace(), specs[-1].recipe, state.device())
    about = f", about {wording.duration(len(specs) * estimate_seconds(speed, specs[-1].train))}" if speed else ""
    st.caption(
        f"{wording.count(len(specs), 'short run')}, one with each teacher alone and one of fine-tuning, on draw "
        f"{state.seed()}{about}. They wait in the queue and go on when this page is closed."
    )


def _watch(runs: Sequence[Entry]) -> None:
    """How far the queued runs are, beside those of the same budget that have ended."""
    budgets = {entry.spec.train.images for entry in runs if not entry.status.terminal}
    batch.watch([entry.job for entry in runs if entry.spec.train.images in budgets])
