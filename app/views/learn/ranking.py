"""Lesson: guess the order of the teachers, then see the ranking."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import exhibits, images, wording
from app.components.escaping import escape, escape_chart
from app.views.learn import bars, frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import JudgedOrder, LessonMaterial, judge_order
from engine.similarity import METRICS
from engine.teachers import TeacherRecord

TEACHERS, PICTURES = 6, 18
GUESS = "order"
APART = ","  # between names in the URL; no teacher's name has one


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """A few images, the teachers without their places, and the question; then the ranking and what the guess is
    worth.
    """
    teachers = material.spread(TEACHERS)
    by_name = {teacher.name: teacher for teacher in sorted(teachers, key=lambda teacher: teacher.title)}
    _draw_images(material)
    guess = _ask(by_name, choices)
    complete = len(guess) == len(by_name)
    if not frame.reveal(choices, "Show the ranking", ready=complete):
        return
    judged = judge_order(guess, material.similarities)
    _verdict(judged, len(guess))
    _draw_ranking(material, teachers, guess)
    st.markdown(
        f"By {METRICS['parc'].title}, on {int(material.drawn.sum()):,} labeled images: are those with different labels "
        "farther apart in a teacher's features than those with the same? No test image was looked at. A rank says who "
        "is before whom, and not by how much: other labels would move it, by what Teachers shows as intervals."
    )
    frame.again(choices, "Guess again", GUESS)


def _draw_images(material: LessonMaterial) -> None:
    first = {int(label): place for place, label in reversed(list(enumerate(material.labels.tolist())))}
    items = [
        images.Thumbnail(int(material.rows[place]), name, caption=name)
        for label, place in sorted(first.items())[:PICTURES]
        for name in [material.task.classes[label]]
    ]
    images.grid(material.task, items, size=72)


def _ask(by_name: Mapping[str, TeacherRecord], choices: LessonChoices) -> list[str]:
    """The teachers in the order of the guess, as far as it goes."""
    chosen = _guess(by_name, choices)
    st.multiselect(
        f"Which of these {len(by_name)} teachers fit these images? Choose all of them, the most similar first",
        list(by_name),
        format_func=lambda name: by_name[name].title,
        placeholder="The most similar first",
        **state.bound("learn order", chosen, lambda names: choices.put(GUESS, APART.join(names))),
    )
    if len(chosen) < len(by_name):
        lines = [
            f"- {escape(t.title)}: {wording.count(len(t.classes), 'class', 'classes')}, "
            + (f"{t.training_images:,} training images" if t.training_images else "training images not known")
            for t in by_name.values()
            if t.name not in chosen
        ]
        st.markdown("\n".join(lines))
    return chosen


def _verdict(judged: JudgedOrder, teachers: int) -> None:
    value = judged.correlation.value
    if value is None:
        st.info("All of these teachers score the same: there is no order to guess.", icon=":material/info:")
        return
    said = (
        f"Rank correlation of your order and the ranking: **{wording.number(value, '.2f')}** (1 is the same order, 0 "
        f"none at all, −1 the reverse). Of all orders of {teachers}, {wording.percent(judged.as_good_by_chance)} "
        "do as well or better."
    )
    if value > 0.5:
        st.success(said, icon=":material/check:")
    else:
        st.info(said, icon=":material/info:")


def _draw_ranking(material: LessonMaterial, teachers: Sequence[TeacherRecord], guess: Sequence[str]) -> None:
    table = ranking_table(material, teachers, guess)
    figure = go.Figure()
    figure.add_bar(
        x=table["PARC"],
        y=[bars.short(teacher.title) for teacher in teachers],
        orientation="h",
        marker={"color": bars.COLOR},
        text=[
            f"{wording.number(value, '.1f')} · you: {own}"
            for value, own in zip(table["PARC"], table["Your rank"], strict=True)
        ],
        textposition="outside",
        cliponaxis=False,
        hovertemplate=[f"{escape_chart(t.title)}: %{{x:.1f}}<extra></extra>" for t in teachers],
    )
    bars.lay_out(figure, len(teachers), "PARC (rank correlation × 100), higher is more similar", max(table["PARC"]))
    figure.update_yaxes(autorange="reversed")
    best = teachers[0]
    exhibits.draw(
        figure,
        table,
        {"PARC": ".1f", "Rank": ".0f", "Your rank": ".0f"},
        name=f"guessed order {material.task.name}",
        alt=f"PARC of {len(teachers)} teachers; the most similar is {best.title}, which was guessed to be number "
        f"{guess.index(best.name) + 1}",
        key="learn ranking",
    )


def ranking_table(material: LessonMaterial, teachers: Sequence[TeacherRecord], guess: Sequence[str]) -> pd.DataFrame:
    """The teachers in the order of the ranking, with the place that each was guessed to have."""
    return pd.DataFrame(
        {
            "Teacher": [teacher.title for teacher in teachers],
            "PARC": [material.similarities[teacher.name] for teacher in teachers],
            "Rank": range(1, len(teachers) + 1),
            "Your rank": [guess.index(teacher.name) + 1 for teacher in teachers],
        }
    )


def _guess(by_name: Collection[str], choices: LessonChoices) -> list[str]:
    """The order as far as it was chosen."""
    return [name for name in dict.fromkeys(choices.get(GUESS).split(APART)) if name in by_name]


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    """A guess that is not whole yet is none."""
    asked = {teacher.name for teacher in material.spread(TEACHERS)}
    guess = _guess(asked, choices)
    return {"guess": tuple(guess) if len(guess) == len(asked) else ()}


LESSON = Lesson(
    key="ranking",
    title="Guess the order of the teachers",
    promise="Which teacher fits these images? Commit yourself first; then see what the features say, and what your "
    "guess was worth.",
    names=(GUESS, *frame.OF_ALL),
    render=render,
    formulas=(r"\rho=1-\frac{6\sum_s d_s^2}{n\,(n^2-1)}",),
    symbols="d: difference of the two ranks of teacher s, yours and that of the similarity; n: how many teachers. "
    "Spearman's rank correlation; it does not ask how far apart the similarities are.",
    code=("engine.lessons.order_guess:judge_order", "engine.similarity.pairs:parc"),
    question=CheckQuestion(
        "The first teacher has a similarity of 18.1, the second one of 17.6. What do you know?",
        (
            Answer(
                "The first one will make the better student.",
                "A similarity predicts what a student becomes, and often wrongly. “Was it true?” on the page Teachers "
                "holds predicted and measured against each other.",
            ),
            Answer(
                "With other labels of the same task the order of these two could be the reverse.",
                "Yes. The page Teachers draws half of the labels again and again, and says how often the first one "
                "stays first. With five labels a class, that is often not very often.",
                right=True,
            ),
            Answer(
                "Both are poor: 100 would be perfect.",
                "Only ties reach 100. With ten classes a perfect teacher gets about 52, with a hundred 17: scores of "
                "two tasks are never compared.",
            ),
        ),
    ),
    notebook=_notebook,
    minutes=6,
    click="Put the teachers in the order that the room agrees on, *Show the ranking*",
    themselves="Write down their own order first; the best correlation in the room wins",
)
