"""Lesson: a secretly biased data set. Find the bias in the confusion matrix, repair it, train again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app import cached, state
from app.components import confusion, exhibits, images, tables, wording
from app.components.escaping import escape
from app.views.learn import frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import (
    BiasedLabels,
    LessonMaterial,
    TrainedOn,
    biased,
    can_be_biased,
    doubted,
    repaired,
    trained_on,
)

SECRET, TRUE, SAID, FIXED = "secret", "class", "as", "fixed"
SECRETS = range(1000)
APART = "-"  # between rows in the URL
PAIRS = 50  # of the most confused classes, in the table


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """A confusion matrix and the question; then the images of the suspected class, and what repairing them brings."""
    secret = choices.whole(SECRET, SECRETS, 0)
    bias: BiasedLabels | None = cached.lesson_value(f"bias {secret}", material, lambda: biased(material, secret))
    assert bias is not None, "the page shows this lesson for material that can be biased"
    before = _trained(material, f"before {secret}", bias.labels)
    st.markdown(
        "Somebody labeled one class in a hurry: most of its labels say another class. Probes on all teachers' "
        f"features were trained on these labels, and are right on **{wording.percent(before.accuracy)}** of "
        f"{int((~material.known).sum()):,} images whose labels were checked. (The labels are wrong here alone: "
        "nothing of your task is changed.)"
    )
    left, right = st.columns([3, 2], gap="large")
    with left:
        _draw_matrix(material, before, "before")
    with right:
        guess = _ask(material, choices)
        shown = frame.reveal(choices, "Is that it?", ready=None not in guess and guess[0] != guess[1])
        if shown:
            _verdict(material, bias, guess)
        _another(secret, choices)
    if shown:
        _repair(material, bias, before, secret, choices)


def _trained(material: LessonMaterial, name: str, labels: npt.NDArray[np.int64]) -> TrainedOn:
    found: TrainedOn = cached.lesson_value(f"trained {name}", material, lambda: trained_on(material, labels))
    return found


def _draw_matrix(material: LessonMaterial, found: TrainedOn, key: str) -> None:
    """The confusion matrix, as Results draws it."""
    classes, matrix = material.task.classes, found.confusion
    exhibits.draw(
        confusion.figure(matrix, classes, confusion.worst_classes(matrix), shares=False),
        confusion.pairs_table(matrix, classes, PAIRS),
        {"Images": tables.COUNT, "Of class, %": tables.PERCENT},
        name=f"confusion {material.task.name} {key}",
        alt=f"Confusion matrix of {int(matrix.sum()):,} images, {int(np.trace(matrix)):,} of them on the diagonal",
        key=f"learn confusion {key}",
    )


def _ask(material: LessonMaterial, choices: LessonChoices) -> tuple[str | None, str | None]:
    names = [material.task.classes[label] for label in np.unique(material.labels[material.known])]
    found: list[str | None] = []
    for name, label in ((TRUE, "Which class was labeled in a hurry?"), (SAID, "As which one does it pass?")):
        chosen = choices.get(name) if choices.get(name) in names else None
        st.selectbox(
            label,
            names,
            index=None,
            placeholder="Read it off the matrix",
            **state.bound(f"learn biased {name}", chosen, partial(choices.put, name)),
        )
        found.append(chosen)
    return found[0], found[1]


def _verdict(material: LessonMaterial, bias: BiasedLabels, guess: Sequence[str | None]) -> None:
    true, said = (material.task.classes[label] for label in (bias.true, bias.said))
    text = f"Images of **{escape(true)}** were labeled **{escape(said)}**. "
    if tuple(guess) == (true, said):
        st.success(f"{text}You found it.", icon=":material/check:")
    elif tuple(guess) == (said, true):
        st.info(f"{text}You have the two classes, the other way round.", icon=":material/info:")
    else:
        st.info(f"{text}The cell in the row of the one and the column of the other is it.", icon=":material/info:")


def _another(secret: int, choices: LessonChoices) -> None:
    def begin() -> None:
        choices.put(SECRET, (secret + 1) % len(SECRETS))
        for name in (TRUE, SAID, FIXED, frame.SHOWN):
            choices.put(name, None)

    st.button("Another secret", icon=":material/shuffle:", on_click=begin)


def _repair(
    material: LessonMaterial, bias: BiasedLabels, before: TrainedOn, secret: int, choices: LessonChoices
) -> None:
    said = material.task.classes[bias.said]
    places = np.flatnonzero(material.known & (bias.labels == bias.said)).tolist()
    rows = [int(material.rows[place]) for place in places]
    st.markdown(
        f"**Repair it.** These are the labeled images that say {escape(said)}. Which of them are something else?"
    )
    images.grid(
        material.task,
        [
            images.Thumbnail(row, f"image {number}, labeled {said}", caption=str(number))
            for number, row in enumerate(rows, start=1)
        ],
        size=84,
    )
    marked = [row for row in rows if str(row) in choices.get(FIXED).split(APART)]
    st.pills(
        "Wrong labels, by number",
        rows,
        selection_mode="multi",
        format_func=lambda row: str(rows.index(row) + 1),
        **state.bound(
            "learn wrong labels",
            marked,
            lambda found: choices.put(FIXED, APART.join(str(row) for row in sorted(found))),
        ),
    )
    if not marked:
        st.caption("Choose the numbers, and the probes are trained again at once, with these labels corrected.")
        return
    chosen = [place for place, row in zip(places, rows, strict=True) if row in marked]
    labels = repaired(material, bias.labels, chosen)
    after = _trained(material, f"after {secret} {sorted(marked)}", labels)
    right = _trained(material, "right", material.labels)
    _found(material, bias, chosen)
    _compare(bias, before, after, right)


def _found(material: LessonMaterial, bias: BiasedLabels, chosen: Sequence[int]) -> None:
    hit, wrong = len(set(chosen) & set(bias.wrong)), len(bias.wrong)
    harmless = len(chosen) - hit
    text = f"You found {hit} of {wording.count(wrong, 'wrong label')}"
    stay = "which stays as it was" if harmless == 1 else "which stay as they were"
    text += f", and doubted {wording.count(harmless, 'right one')}, {stay}." if harmless else "."
    (st.success if hit == wrong and not harmless else st.info)(text, icon=":material/label:")
    suspects: tuple[int, ...] = cached.lesson_value(
        f"doubted {bias.true} {bias.said} {bias.wrong}", material, lambda: doubted(material, bias.labels)
    )
    st.caption(
        f"Without a person: the rule of confident learning (Results, section Labels) suspects {len(suspects)} of all "
        f"{int(material.known.sum()):,} labels here, {len(set(suspects) & set(bias.wrong))} of the {wrong} wrong ones "
        "among them. It brings what is worth a look to the front, and a person decides."
    )


def _compare(bias: BiasedLabels, before: TrainedOn, after: TrainedOn, right: TrainedOn) -> None:
    table = pd.DataFrame(
        {
            "Trained on": ["the biased labels", "your repaired labels", "labels that were never wrong"],
            "Right, %": [100 * one.accuracy for one in (before, after, right)],
            "Of the class, %": [
                100 * one.confusion[bias.true, bias.true] / one.confusion[bias.true].sum()
                for one in (before, after, right)
            ],
            "Taken for the other": [int(one.confusion[bias.true, bias.said]) for one in (before, after, right)],
        }
    )
    exhibits.draw_table(
        table,
        {"Right, %": tables.PERCENT, "Of the class, %": tables.PERCENT},
        name="before and after",
        alt="Accuracy before and after the repair, and with labels that were never wrong",
        key="learn repaired",
    )
    st.caption(
        "The students of a run would be trained for minutes; probes on the teachers' features, which are what is "
        "shown, take less than a second, and suffer from wrong labels in the same way."
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    return {"secret": choices.whole(SECRET, SECRETS, 0)}


LESSON = Lesson(
    key="bias",
    title="A secretly biased data set",
    promise="Some labels lie. Find out which, from the errors alone; put them right; train again.",
    names=(SECRET, TRUE, SAID, FIXED, *frame.OF_ALL),
    render=render,
    formulas=(
        r"C_{jk}=\bigl|\{x:\ y(x)=j,\ \hat y(x)=k\}\bigr|",
        r"\hat p_k(x)\ \ge\ \frac{1}{n_k}\sum_{x':\,\tilde y(x')=k}\hat p_k(x'),\quad k\ne\tilde y(x)",
    ),
    symbols="C: the confusion matrix; y: the true class; ŷ: what is said. Below, when the rule of confident learning "
    "suspects a label (Northcutt and others, 2021): p̂ is what probes on all other images say of x, ỹ its label; of "
    "several such k the most probable one counts.",
    code=("engine.evaluation.confusion:confusion_matrix", "engine.consensus.doubts:doubts", "engine.probes:left_out"),
    question=CheckQuestion(
        "Had the held-out images been labeled by the same hasty hand, what would the confusion matrix show?",
        (
            Answer("The same.", "Its rows are the labels of these images: where they lie as well, rows change."),
            Answer(
                "The error would count as right, and hide.",
                "Yes: what was learned wrong is then tested wrong. That is why held-out labels deserve a second look "
                "first, and why accuracy alone never shows a bias that both share.",
                right=True,
            ),
            Answer("More errors than now.", "Fewer: the wrong lesson agrees with the wrong test."),
        ),
    ),
    notebook=_notebook,
    minutes=7,
    click="Read the matrix with the room, *Is that it?*; mark the wrong labels together, and see the table",
    themselves="*Another secret*: find and repair it in two minutes",
    lack=lambda material: "" if can_be_biased(material) else "has no two classes with four labels to spare",
)
