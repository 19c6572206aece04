"""Lesson: few labels against many, and tasks on which the method did not help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import cached, state
from app.components import exhibits, methods, tables, wording
from app.components.escaping import escape, escape_chart
from app.views.learn import bars, frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import LabelStep, LessonMaterial, RecordedGain, label_steps, recorded_gains

METHOD, REFERENCES = "distill-consensus", ("fixmatch", "fine-tune")
STROKES = ("letters", "mnist")  # recorded tasks of letters and digits
GUESS, AGAINST = "task-of", "against"


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """What labels are worth here; the question on eight recorded tasks; then where the method helped, and where not."""
    _draw_labels(material)
    st.markdown("**When it does not help**")
    gains = _gains(REFERENCES[0])
    guess = _ask(gains, choices)
    if not frame.reveal(choices, "Show the eight tasks", ready=guess is not None) or guess is None:
        return
    _verdict(gains, guess)
    _draw_gains(choices)


@st.cache_data(max_entries=4, show_spinner=False)
def _gains(reference: str) -> tuple[RecordedGain, ...]:
    return recorded_gains(METHOD, reference)


def _draw_labels(material: LessonMaterial) -> None:
    steps: tuple[LabelStep, ...] = cached.lesson_value("labels", material, lambda: label_steps(material))
    held, first, last = int((~material.known).sum()), steps[0], steps[-1]
    st.markdown(
        f"On **{escape(material.task.record.title)}**, with {wording.count(first.labels_per_class, 'label')} of each "
        f"class, the mean of all teachers' probes is right on {wording.percent(first.consensus)} of {held:,} images "
        f"held back; with {last.labels_per_class}, on {wording.percent(last.consensus)}. No student is trained for "
        "this curve."
    )
    figure = go.Figure()
    series = {
        "the mean of all teachers' probes": ([step.consensus for step in steps], bars.COLOR, "solid", "circle"),
        "the most similar teacher's probe": ([step.nearest for step in steps], bars.OTHER, "dash", "square"),
    }
    for name, (values, color, dash, symbol) in series.items():
        figure.add_scatter(
            x=[str(step.labels_per_class) for step in steps],
            y=[100 * value for value in values],
            mode="lines+markers",
            name=name,
            line={"color": color, "width": 2.5, "dash": dash},
            marker={"size": 9, "symbol": symbol, "color": color},
            hovertemplate=f"{name}: %{{y:.1f}}\u00a0% with %{{x}} of each class<extra></extra>",
        )
    figure.update_layout(
        height=300,
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
    )
    figure.update_xaxes(title="Labels per class, at most", type="category", gridcolor=bars.GRID)
    figure.update_yaxes(title="Images held back that are right, %", gridcolor=bars.GRID, zeroline=False)
    exhibits.draw(
        figure,
        pd.DataFrame(
            {
                "Labels per class": [step.labels_per_class for step in steps],
                "Labeled images": [step.labeled_images for step in steps],
                "Mean of all, %": [100 * step.consensus for step in steps],
                "Most similar, %": [100 * step.nearest for step in steps],
            }
        ),
        dict.fromkeys(("Mean of all, %", "Most similar, %"), tables.PERCENT),
        name=f"labels {material.task.name}",
        alt=f"Images held back that probes get right over labels per class: {wording.percent(first.consensus)} with "
        f"{first.labels_per_class}, {wording.percent(last.consensus)} with {last.labels_per_class}",
        key="learn labels",
    )


def _ask(gains: Sequence[RecordedGain], choices: LessonChoices) -> str | None:
    names, chosen = sorted(gain.task for gain in gains), choices.get(GUESS)
    st.radio(
        f"{methods.title(METHOD)} and {methods.title(REFERENCES[0])} were compared on these {len(names)} tasks, with 5 "
        "labels of each class. On which of them was it farthest behind?",
        names,
        format_func=escape,
        horizontal=True,
        **state.bound("learn failure", chosen if chosen in names else None, partial(choices.put, GUESS)),
    )
    return chosen if chosen in names else None


def _verdict(gains: Sequence[RecordedGain], guess: str) -> None:
    worst, own = gains[-1], next(gain for gain in gains if gain.task == guess)
    said = (
        f"**{escape(worst.task)}**: {wording.points(worst.difference.mean)} points. {methods.title(REFERENCES[0])} was "
        f"right on {wording.percent(worst.accuracies[1])}, {methods.title(METHOD)} on "
        f"{wording.percent(worst.accuracies[0])}."
    )
    if own == worst:
        st.success(said, icon=":material/check:")
    else:
        st.info(
            f"{said} On {escape(own.task)} it was {wording.points(own.difference.mean)} points.", icon=":material/info:"
        )
    why = (
        "A likely reason: a few strokes stay the same letter or digit when they are turned and shifted, which is what "
        "FixMatch's strong views do, and a teacher that saw the task's own classes may not teach it. "
        if worst.task in STROKES
        else ""
    )
    st.markdown(f"{why}A difference whose interval holds 0 is not settled: that is said of gains and of losses alike.")


def _draw_gains(choices: LessonChoices) -> None:
    reference = choices.get(AGAINST) if choices.get(AGAINST) in REFERENCES else REFERENCES[0]
    st.segmented_control(
        "Held against",
        REFERENCES,
        format_func=methods.title,
        required=True,
        **state.bound("learn against", reference, partial(choices.put, AGAINST)),
    )
    gains = _gains(reference)
    values = [100 * gain.difference.mean for gain in gains]
    intervals = [gain.difference.interval for gain in gains]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[escape_chart(gain.task) for gain in gains],
            orientation="h",
            marker={"color": [bars.COLOR if value > 0 else bars.OTHER for value in values], "opacity": 0.6},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [100 * i.high - v if i else 0 for i, v in zip(intervals, values, strict=True)],
                "arrayminus": [v - 100 * i.low if i else 0 for i, v in zip(intervals, values, strict=True)],
                "color": bars.QUIET,
                "thickness": 2,
                "width": 5,
            },
            hovertemplate="%{y}: %{x:+.1f} points<extra></extra>",
        )
    )
    ends = [100 * end for i in intervals if i for end in (i.low, i.high)] + values
    bars.lay_out(
        figure,
        len(gains),
        f"Accuracy over {methods.title(reference)}, points",
        max(ends) / bars.ROOM,
        smallest=min(ends) / bars.ROOM,
    )
    figure.add_vline(x=0, line={"color": bars.QUIET, "width": 1})
    figure.update_yaxes(autorange="reversed")
    exhibits.draw(
        figure,
        gain_table(gains, reference),
        dict.fromkeys((methods.title(METHOD) + ", %", methods.title(reference) + ", %"), tables.PERCENT)
        | dict.fromkeys(("Difference, points", "Low", "High"), tables.POINTS),
        name=f"gains over {reference}",
        alt=f"{methods.title(METHOD)} over {methods.title(reference)} on {len(gains)} tasks, in points: from "
        f"{wording.number(values[-1], '.1f')} on {gains[-1].task} to {wording.number(values[0], '.1f')} on "
        f"{gains[0].task}",
        key="learn gains",
    )
    st.caption(
        "Recorded with the program: held-out accuracy of the same student, mean of the seeds, each of which draws its "
        "own 5 labels of each class. Lines are 95\u00a0% intervals over seeds (t), paired."
    )


def gain_table(gains: Sequence[RecordedGain], reference: str) -> pd.DataFrame:
    """A row for each task, accuracies in percent and differences in points with their intervals."""
    return pd.DataFrame(
        [
            {
                "Task": gain.task,
                f"{methods.title(METHOD)}, %": 100 * gain.accuracies[0],
                f"{methods.title(reference)}, %": 100 * gain.accuracies[1],
                "Difference, points": 100 * gain.difference.mean,
                "Low": 100 * gain.difference.interval.low if gain.difference.interval else None,
                "High": 100 * gain.difference.interval.high if gain.difference.interval else None,
                "Seeds": len(gain.difference.seeds),
            }
            for gain in gains
        ]
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    return {"reference": choices.get(AGAINST) if choices.get(AGAINST) in REFERENCES else REFERENCES[0]}


LESSON = Lesson(
    key="labels",
    title="Few labels against many, and when it does not help",
    promise="What a label is worth here; and tasks, recorded, on which a method without teachers did better.",
    names=(GUESS, AGAINST, *frame.OF_ALL),
    render=render,
    formulas=(
        r"\bar d=\frac1n\sum_{i=1}^{n}(a_i-b_i)",
        r"\bar d\pm t_{.975,\,n-1}\cdot\frac{s_d}{\sqrt n}",
    ),
    symbols="a, b: held-out accuracies of two methods with seed i, which draws the same labels for both; n: seeds; s: "
    "the standard deviation of their differences; t: Student's quantile, 4.3 for three seeds.",
    code=("engine.evaluation.intervals:paired_difference", "engine.evaluation.intervals:t_interval"),
    question=CheckQuestion(
        "On your task the difference of two methods is +4.9 points, with an interval of −1.6 to +11.3. What do you "
        "say?",
        (
            Answer("The first one is better.", "The interval holds 0: other labels might have turned it around."),
            Answer("They are equally good.", "Not that either: a gain of 11 points is as compatible with it as none."),
            Answer(
                "These runs do not tell; more seeds would.",
                "Yes. The interval shrinks with the root of the seeds, and t falls from 4.3 with three to 2.8 with "
                "five.",
                right=True,
            ),
        ),
    ),
    notebook=_notebook,
    minutes=6,
    click="Read the curve, then take the room's guess and *Show the eight tasks*; hold it against fine-tuning as well",
    themselves="Guess how far more labels would raise the curve; say of which tasks the interval holds 0",
)
