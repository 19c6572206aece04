"""Lesson: one pair of images, one term of PARC. From a bar of the ranking to the matrix of pairs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import cached, state
from app.components import exhibits, images, tables, wording
from app.components.escaping import escape, escape_chart
from app.views.learn import bars, frame
from app.views.learn.address import LessonChoices
from app.views.learn.draft import LearnDraft
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import LessonMaterial
from engine.similarity import PairTerms, pair_terms
from engine.teachers import TeacherRecord

TEACHER, PAIR, GUESS = "by", "pair", "place"
PLACES = ("in the nearest third", "in the middle", "in the farthest third")
LISTED = 10  # pairs that lower PARC most, in the table
NAMED = 20  # classes up to which the matrix names them
MATRIX_PIXELS = 460
NEAR_AND_FAR = [[0.0, "#0f6b6b"], [0.5, "#cfdcd8"], [1.0, "#f3e3cf"]]
MARK = "#d1345b"


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """The ranking's bars and a pair with its question; then the pair's term, and the matrix that all terms stand in."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        teacher = _choose_teacher(material, choices)
    found: PairTerms = cached.lesson_value(f"pairs {teacher.name}", material, lambda: _terms(material, teacher))
    first, second = _pair(material, choices)
    with right:
        _draw_pair(material, found, first, second, choices)
        guess = _ask(teacher, found, choices)
        shown = frame.reveal(choices, "Measure it", ready=guess >= 0)
    if not shown:
        return
    _verdict(material, found, first, second, guess)
    _draw_term(material, found, first, second)
    _draw_matrix(material, teacher, found, first, second)


def _terms(material: LessonMaterial, teacher: TeacherRecord) -> PairTerms:
    return pair_terms(material.features[teacher.name][material.drawn], material.labels[material.drawn])


def _choose_teacher(material: LessonMaterial, choices: LessonChoices) -> TeacherRecord:
    """A click on a bar, or the list below, chooses whose features the pair is measured in."""
    by_name = {teacher.name: teacher for teacher in material.teachers}
    values = [material.similarities[name] for name in by_name]
    figure = go.Figure(
        go.Bar(
            x=values,
            y=[bars.short(teacher.title) for teacher in by_name.values()],
            customdata=[[name] for name in by_name],
            orientation="h",
            marker={"color": bars.COLOR},
            text=[wording.number(value, ".1f") for value in values],
            textposition="outside",
            cliponaxis=False,
            hovertemplate="%{y}: %{x:.1f}<extra></extra>",
        )
    )
    bars.lay_out(figure, len(values), "PARC; click a bar", max(values), smallest=min(values))
    figure.update_yaxes(autorange="reversed")
    table = pd.DataFrame({"Teacher": [teacher.title for teacher in by_name.values()], "PARC": values})
    points = exhibits.draw(
        figure,
        table,
        {"PARC": ".1f"},
        name=f"ranking {material.task.name}",
        alt=f"PARC of {len(values)} teachers, the most similar first; the list below chooses one as well",
        key=f"learn bars {material.task.name}",
        pick="points",
    )
    _take_click([point["customdata"] for point in points if "customdata" in point], choices)
    chosen = choices.get(TEACHER) if choices.get(TEACHER) in by_name else material.teachers[0].name
    st.selectbox(
        "Teacher",
        list(by_name),
        format_func=lambda name: f"{by_name[name].title}, PARC {wording.number(material.similarities[name], '.1f')}",
        **state.bound("learn pairs teacher", chosen, partial(choices.put, TEACHER)),
    )
    return by_name[chosen]


def _take_click(clicked: list[list[str]], choices: LessonChoices) -> None:
    """A click counts once: the chart keeps its selection when the list changes the teacher."""
    draft, name = LearnDraft.current(), clicked[0][0] if clicked else ""
    if name != draft.clicked:
        draft.clicked = name
        if name:
            choices.put(TEACHER, name)


def _pair(material: LessonMaterial, choices: LessonChoices) -> tuple[int, int]:
    """Places of the two images among those that are ranked on."""
    rows = material.rows[material.drawn].tolist()
    texts = choices.get(PAIR).split("-")
    if len(texts) == 2 and all(text.isdecimal() and len(text) < 10 and int(text) in rows for text in texts):
        first, second = (rows.index(int(text)) for text in texts)
        if first != second:
            return first, second
    return 0, len(rows) // 2


def _extreme(material: LessonMaterial, found: PairTerms, *, same: bool) -> tuple[int, int]:
    """The pair that lowers PARC most: the farthest with the same label, or the nearest with different ones."""
    labels = material.labels[material.drawn]
    alike = labels[:, None] == labels
    wanted = np.triu(alike if same else ~alike, 1)
    order = np.where(wanted, found.distances if same else -found.distances, -np.inf)
    first, second = np.unravel_index(int(order.argmax()), order.shape)
    return int(first), int(second)


def _draw_pair(material: LessonMaterial, found: PairTerms, first: int, second: int, choices: LessonChoices) -> None:
    rows, labels = material.rows[material.drawn], material.labels[material.drawn]
    names = [material.task.classes[labels[place]] for place in (first, second)]
    pictures = zip((first, second), names, strict=True)
    images.grid(
        material.task, [images.Thumbnail(int(rows[place]), name, caption=name) for place, name in pictures], size=124
    )

    def take(pair: tuple[int, int]) -> None:
        choices.put(PAIR, f"{rows[pair[0]]}-{rows[pair[1]]}")
        for name in (GUESS, frame.SHOWN):
            choices.put(name, None)

    # The next pair walks through all of them with a step that shares no divisor with their number.
    count = len(rows) * (len(rows) - 1) // 2
    place = np.flatnonzero(np.triu(np.ones((len(rows), len(rows)), dtype=bool), 1).ravel())
    here = int(np.searchsorted(place, min(first, second) * len(rows) + max(first, second)))
    step = next(number for number in range(count // 3 + 1, count + 2) if np.gcd(number, count) == 1)
    further = divmod(int(place[(here + step) % count]), len(rows))
    with st.container(horizontal=True):
        st.button("Another pair", icon=":material/shuffle:", on_click=partial(take, further))
        st.button("Farthest with one label", on_click=partial(take, _extreme(material, found, same=True)))
        st.button("Nearest with two labels", on_click=partial(take, _extreme(material, found, same=False)))


def _ask(teacher: TeacherRecord, found: PairTerms, choices: LessonChoices) -> int:
    guess, count = choices.whole(GUESS, range(len(PLACES)), -1), len(found.distances) * (len(found.distances) - 1) // 2
    st.radio(
        f"All {count:,} pairs are ordered by their distance in the features of {escape(teacher.title)}. Where is "
        "this one?",
        range(len(PLACES)),
        format_func=PLACES.__getitem__,
        **state.bound("learn place", guess if guess >= 0 else None, partial(choices.put, GUESS)),
    )
    return guess


def _verdict(material: LessonMaterial, found: PairTerms, first: int, second: int, guess: int) -> None:
    share = float(found.places[first, second])
    said = (
        f"It lies {PLACES[min(2, int(3 * share))]}: {wording.percent(share)} of all pairs are nearer. Its term is "
        f"**{wording.signed(float(found.terms[first, second]), 4)}** of a PARC of {wording.number(found.value, '.1f')}."
    )
    right = min(2, int(3 * share)) == guess
    (st.success if right else st.info)(said, icon=":material/check:" if right else ":material/info:")
    labels = material.labels[material.drawn]
    same = labels[first] == labels[second]
    helps = found.terms[first, second] > 0
    st.markdown(
        f"These two have {'one label' if same else 'different labels'}, and lie "
        f"{'farther apart' if share > 0.5 else 'nearer'} than most pairs: that speaks "
        f"**{'for' if helps else 'against'}** this teacher."
    )


def _draw_term(material: LessonMaterial, found: PairTerms, first: int, second: int) -> None:
    labels = material.labels[material.drawn]
    alike = labels[:, None] == labels
    upper = np.triu(np.ones_like(alike), 1)
    with st.container(horizontal=True, gap="medium"):
        distance = f"{found.distances[first, second]:.3f}"
        st.metric("Distance", distance, help="1 − correlation of the standardized features.")
        st.metric("Term of this pair", wording.signed(float(found.terms[first, second]), 4))
        for title, which in (("Pairs with one label", alike), ("Pairs with two labels", ~alike)):
            chosen = upper & which
            st.metric(
                f"{title}: {int(chosen.sum()):,}",
                wording.signed(float(found.terms[chosen].sum()), 1),
                help="The sum of their terms.",
            )
        st.metric("All terms: PARC", wording.number(found.value, ".1f"))


def _draw_matrix(material: LessonMaterial, teacher: TeacherRecord, found: PairTerms, first: int, second: int) -> None:
    labels = material.labels[material.drawn]
    order = np.argsort(labels, kind="stable")
    figure = go.Figure(
        go.Heatmap(
            z=found.places[np.ix_(order, order)],
            colorscale=NEAR_AND_FAR,
            zmin=0,
            zmax=1,
            hoverinfo="skip",
            showscale=False,
        )
    )
    place = np.argsort(order)
    marks = [(int(place[first]), int(place[second])), (int(place[second]), int(place[first]))]
    figure.add_scatter(
        x=[mark[0] for mark in marks],
        y=[mark[1] for mark in marks],
        mode="markers",
        marker={"symbol": "square-open", "size": 13, "color": MARK, "line": {"width": 3}},
        hoverinfo="skip",
    )
    present = np.unique(labels)
    middles = [float(np.mean(np.flatnonzero(labels[order] == label))) for label in present]
    names = [escape_chart(material.task.classes[label]) for label in present]
    ticks = {"tickvals": middles, "ticktext": names} if len(present) <= NAMED else {"showticklabels": False}
    figure.update_xaxes(**ticks, tickangle=-45, automargin=True, showgrid=False, zeroline=False, constrain="domain")
    figure.update_yaxes(**ticks, autorange="reversed", automargin=True, showgrid=False, zeroline=False, scaleanchor="x")
    figure.update_layout(height=MATRIX_PIXELS, margin={"l": 0, "r": 0, "t": 8, "b": 0})
    figure.update_layout(dragmode=False, showlegend=False)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        exhibits.draw(
            figure,
            worst_pairs(material, found),
            {"Distance": ".3f", "Nearer pairs, %": tables.PERCENT, "Term": "+.4f"},
            name=f"pairs {material.task.name} {teacher.name}",
            alt=f"Matrix of all pairs of images, class by class, in the features of {teacher.title}: dark pairs are "
            "near. The table has the pairs that lower PARC most",
            key="learn matrix",
        )
    with right:
        st.caption(
            "Rows and columns are the images, class by class; dark is near. A teacher that fits has dark squares "
            "along the diagonal, where both images have one label, and light ones elsewhere. The frame marks your "
            "pair. The table below the matrix lists the pairs that lower PARC most."
        )


def worst_pairs(material: LessonMaterial, found: PairTerms) -> pd.DataFrame:
    """The pairs with the lowest terms: those that speak against the teacher most."""
    rows, labels = material.rows[material.drawn], material.labels[material.drawn]
    terms = np.where(np.triu(np.ones_like(found.terms), 1) > 0, found.terms, np.inf)
    places = [np.unravel_index(int(place), terms.shape) for place in np.argsort(terms, axis=None)[:LISTED]]
    ids, classes = material.task.images.image_ids, material.task.classes
    return pd.DataFrame(
        [
            {
                "First": ids[rows[i]],
                "Its class": classes[labels[i]],
                "Second": ids[rows[j]],
                "Its class too": classes[labels[j]],
                "Distance": float(found.distances[i, j]),
                "Nearer pairs, %": 100 * float(found.places[i, j]),
                "Term": float(found.terms[i, j]),
            }
            for i, j in places
        ]
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    chosen = choices.get(TEACHER)
    return {"teacher": chosen if chosen in material.features else material.teachers[0].name}


LESSON = Lesson(
    key="pairs",
    title="One pair, one term",
    promise="A bar of the ranking is a sum over all pairs of images. Take it apart down to one pair.",
    names=(TEACHER, PAIR, GUESS, *frame.OF_ALL),
    render=render,
    formulas=(
        r"\mathrm{PARC}=100\cdot\rho\bigl(d_{ij},\,[y_i\neq y_j]\bigr)_{i<j}",
        r"=\sum_{i<j}\underbrace{\frac{100}{N}\cdot\frac{r_{ij}-\bar r}{\sigma_r}"
        r"\cdot\frac{[y_i\neq y_j]-\bar b}{\sigma_b}}_{\text{the term of a pair}}",
    ),
    symbols="d: 1 − correlation of the features of images i and j, each dimension standardized first; r: the rank of d "
    "among all N pairs; y: the labels; b: 1 where they differ; a bar is a mean, σ a standard deviation.",
    code=("engine.similarity.pairs:parc", "engine.similarity.pairs:pair_terms"),
    question=CheckQuestion(
        "Two images have one label and lie far apart in a teacher's features. What does their term do?",
        (
            Answer("It raises PARC: they are told apart well.", "Far apart is good for different labels only."),
            Answer(
                "It lowers PARC.",
                "Yes: a high rank is above the mean, “different” is 0 and below its mean, so the product is negative. "
                "One such pair weighs much, since pairs with one label are few.",
                right=True,
            ),
            Answer(
                "Nothing: only pairs with different labels count.",
                "All pairs count. Those with one label are few, and each of their terms is the larger for it.",
            ),
        ),
    ),
    notebook=_notebook,
    minutes=7,
    click="*Measure it*, then *Nearest with two labels*; click the bar of the last teacher, and measure the same pair",
    themselves="Find one pair that speaks for the last teacher and against the first",
)
