"""Lesson: from similarity to weights. The exponent p, the effective number of teachers, and what students became."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import cached, state
from app.components import exhibits, tables, wording
from app.components.escaping import escape, escape_chart
from app.views.learn import bars, frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import LessonMaterial, WeightStep, probe_answers, students_of, weight_steps
from engine.methods import DEFAULT_P

STEPS = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, DEFAULT_P, 16.0, 24.0, 32.0, 64.0, 128.0, math.inf)
GUESS, EXPONENT = "effective", "p"


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """The similarities and the question; then p, the weights, and what the weighted teachers get right."""
    ranges = _ranges(len(material.teachers))
    guess = choices.whole(GUESS, range(len(ranges)), -1)
    _draw_similarities(material)
    st.radio(
        f"DistillWeighted takes these similarities to the power p = {DEFAULT_P:g}. As how many teachers with equal "
        f"shares do the {len(material.teachers)} then count?",
        range(len(ranges)),
        format_func=lambda number: _range_in_words(*ranges[number]),
        horizontal=True,
        **state.bound("learn effective", guess if guess >= 0 else None, partial(choices.put, GUESS)),
    )
    if not frame.reveal(choices, "Compute the weights", ready=guess >= 0):
        return
    steps = _steps(material)
    _verdict(next(step for step in steps if step.p == DEFAULT_P), *ranges[guess])
    step = _choose_step(steps, choices)
    _numbers(material, step)
    left, right = st.columns(2, gap="medium")
    with left:
        _draw_weights(material, step)
    with right:
        _draw_accuracies(steps, step)
        held = int((~material.known).sum())
        st.caption(
            f"Of {held:,} images held back: one more that is right is {wording.number(100 / held, '.1f')} points, so "
            "the small steps of this curve say nothing. Whoever chose p at its peak would choose it by chance."
        )
    _draw_students(material)


def _ranges(teachers: int) -> tuple[tuple[float, float], ...]:
    """The answers to choose from: effective numbers of teachers, from and below."""
    between = (2.0, 4.0) if teachers > 2 else (1.5,)
    edges = [1.0, *(edge for edge in between if edge < teachers), float(teachers)]
    return tuple(pairwise(edges))


def _range_in_words(low: float, high: float) -> str:
    return f"{low:g} to {high:g}"


def _steps(material: LessonMaterial) -> tuple[WeightStep, ...]:
    return cached.lesson_value("weights", material, lambda: weight_steps(material, probe_answers(material), STEPS))


def _verdict(step: WeightStep, low: float, high: float) -> None:
    said = f"It is **{wording.number(step.effective, '.1f')}**: the exponential of the entropy of α."
    right = low <= step.effective <= high
    (st.success if right else st.info)(said, icon=":material/check:" if right else ":material/info:")


def _choose_step(steps: Sequence[WeightStep], choices: LessonChoices) -> WeightStep:
    by_name = {_name(step.p): step for step in steps}
    chosen = choices.get(EXPONENT) if choices.get(EXPONENT) in by_name else _name(DEFAULT_P)
    st.select_slider(
        "Drag the exponent p, from equal shares to the one nearest teacher",
        list(by_name),
        **state.bound("learn p", chosen, partial(choices.put, EXPONENT)),
    )
    return by_name[chosen]


def _name(p: float) -> str:
    return "∞" if math.isinf(p) else f"{p:g}"


def _numbers(material: LessonMaterial, step: WeightStep) -> None:
    first, second = material.teachers[:2]
    values = [material.similarities[teacher.name] for teacher in (first, second)]
    with st.container(horizontal=True, gap="medium"):
        st.metric("Effective number of teachers", f"{step.effective:.1f} of {len(material.teachers)}")
        st.metric("Take part", str(sum(share > 0 for share in step.alpha.values())), help="α of 0.001 or more.")
        if min(values) > 0 and not math.isinf(step.p):
            ratio = (values[0] / values[1]) ** step.p
            st.metric(
                "First ÷ second",
                f"{ratio:,.3g}",
                help=f"({values[0]:.1f} ÷ {values[1]:.1f}) to the power p: the ratio of their weights.",
            )
        st.metric(
            "Right of the images held back",
            wording.percent(step.accuracy),
            help="The class that the mean of all teachers' probes finds most probable, each probe with its weight α.",
        )


def _draw_similarities(material: LessonMaterial) -> None:
    table = pd.DataFrame(
        {
            "Teacher": [teacher.title for teacher in material.teachers],
            "PARC": [material.similarities[teacher.name] for teacher in material.teachers],
        }
    )
    exhibits.draw_table(
        table,
        {"PARC": ".1f"},
        name=f"similarities {material.task.name}",
        alt="PARC of each teacher, the most similar first",
        key="learn similarities",
        height="content",
    )


def _draw_weights(material: LessonMaterial, step: WeightStep) -> None:
    values = [step.alpha[teacher.name] for teacher in material.teachers]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[bars.short(teacher.title) for teacher in material.teachers],
            orientation="h",
            marker={"color": bars.COLOR},
            text=[f"{value:.3f}" if value else "left out" for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate=[f"{escape_chart(t.title)}: α = %{{x:.4f}}<extra></extra>" for t in material.teachers],
        )
    )
    bars.lay_out(figure, len(values), "Weight α; all sum to 1", max(values))
    figure.update_yaxes(autorange="reversed")
    table = pd.DataFrame({"Teacher": [teacher.title for teacher in material.teachers], "α": values})
    exhibits.draw(
        figure,
        table,
        {"α": ".3f"},
        name=f"weights {material.task.name} p {_name(step.p)}",
        alt=f"Weights at p = {_name(step.p)}; the largest is {material.teachers[0].title} with {max(values):.3f}",
        key="learn weights",
    )


def _draw_accuracies(steps: Sequence[WeightStep], chosen: WeightStep) -> None:
    names = [_name(step.p) for step in steps]
    figure = go.Figure()
    figure.add_scatter(
        x=names,
        y=[100 * step.accuracy for step in steps],
        mode="lines+markers",
        line={"color": bars.COLOR, "width": 2.5},
        marker={"size": [14 if step.p == chosen.p else 7 for step in steps], "color": bars.COLOR},
        hovertemplate="p = %{x}: %{y:.1f}\u00a0%<extra></extra>",
    )
    figure.update_layout(
        height=80 + bars.ROW_PIXELS * max(6, len(chosen.alpha)),
        margin={"l": 0, "r": 8, "t": 8, "b": 8},
        dragmode=False,
        showlegend=False,
    )
    figure.update_xaxes(title="Exponent p", type="category", gridcolor=bars.GRID)
    figure.update_yaxes(title="Images held back that are right, %", gridcolor=bars.GRID, zeroline=False)
    table = pd.DataFrame(
        {
            "p": names,
            "Effective teachers": [step.effective for step in steps],
            "Right, %": [100 * step.accuracy for step in steps],
        }
    )
    best = max(steps, key=lambda step: step.accuracy)
    exhibits.draw(
        figure,
        table,
        {"Effective teachers": ".1f", "Right, %": tables.PERCENT},
        name="accuracy over p",
        alt=f"Share of images held back that the weighted probes get right, over p; the highest is "
        f"{wording.percent(best.accuracy)} at p = {_name(best.p)}",
        key="learn accuracy over p",
    )


def _draw_students(material: LessonMaterial) -> None:
    """What students became: of the task's newest comparison, or the recorded one."""
    found = students_of(state.workspace(), material.task.name)
    if found is None:
        st.caption(
            "No student of this task has been compared yet: the curve above is of probes, which take no training."
        )
        return
    compared, students = found
    st.markdown("**And the students?**")
    table = pd.DataFrame(
        [
            {
                "Method": one.mean.title,
                "p": "" if one.p is None else _name(one.p),
                "Effective teachers": "" if one.effective is None else f"{one.effective:.1f}",
                "Held-out accuracy, %": 100 * one.mean.accuracy,
                "Low, %": 100 * one.mean.interval.low,
                "High, %": 100 * one.mean.interval.high,
                "Seeds": len(one.mean.seeds),
            }
            for one in students
        ]
    )
    forms = dict.fromkeys(("Held-out accuracy, %", "Low, %", "High, %"), tables.PERCENT)
    exhibits.draw_table(
        table,
        forms,
        name=f"students {material.task.name}",
        alt="Held-out accuracy of each method's student, with the exponent of its weights",
        key="learn students",
    )
    where = "the comparison that came with the program" if compared.recorded else "the newest comparison here"
    st.caption(
        f"From {where} of {escape(material.task.record.title)}. More of them, such as p = 0 (DistillEqual) and p = ∞ "
        "(DistillNearest), are trained on Distill. The curve above has no student in it: probes on frozen features "
        "follow the weights at once."
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    chosen = choices.get(EXPONENT)
    return {"p": next((step for step in STEPS if _name(step) == chosen and not math.isinf(step)), DEFAULT_P)}


LESSON = Lesson(
    key="weights",
    title="From similarity to weights",
    promise="One number, p, decides between asking everyone and asking the one nearest teacher.",
    names=(GUESS, EXPONENT, *frame.OF_ALL),
    render=render,
    formulas=(
        r"\alpha_s=\frac{\bar e_s^{\,p}}{\sum_k \bar e_k^{\,p}}",
        r"n_{\text{eff}}=\exp\Bigl(-\sum_s\alpha_s\log\alpha_s\Bigr)",
    ),
    symbols="e: the similarity of teacher s, with a bar: not below 0. p = 0 gives equal shares (DistillEqual), p = ∞ "
    "the nearest teacher alone (DistillNearest). Shares below 0.001 are dropped.",
    code=("engine.weighting:weights", "engine.weighting:effective_number", "engine.weighting:active"),
    question=CheckQuestion(
        "One teacher has 3 times the weight of another at p = 6. What is it at p = 12?",
        (
            Answer("6 times", "Not in proportion: p is an exponent. The ratio is a power, (e₁ ÷ e₂) to the power p."),
            Answer(
                "9 times",
                "Yes: doubling p squares every ratio. So small differences of similarity, which the labels hardly "
                "settle, decide more and more: a large p trusts the ranking.",
                right=True,
            ),
            Answer(
                "3 times, p changes all weights alike", "Only at p = 0 are all alike; every step up favors the first."
            ),
        ),
    ),
    notebook=_notebook,
    minutes=6,
    click="*Compute the weights*, then drag p to 0, to 6 and to ∞",
    themselves="Find the p at which most images held back are right, and say why not to choose it in this way",
)
