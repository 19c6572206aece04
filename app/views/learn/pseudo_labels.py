"""Lesson: what a pseudo-label is. One image through six teachers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import streamlit as st

from app import state
from app.components import images, wording
from app.components.escaping import escape
from app.views.learn import frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import LessonMaterial, TeacherOpinion, alike, opinions
from engine.teachers import TeacherRecord

TEACHERS, ALIKE = 6, 8
COLUMNS = 3
IMAGE, GUESS, ASKED = "image", "guess", "of"


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """The image and the question; then what each teacher says, and which images it answers alike."""
    teachers = sorted(material.spread(TEACHERS, with_classes=True), key=lambda teacher: teacher.title)
    if not teachers:
        st.info("No teacher of this task has classes of its own, so there is no pseudo-label.", icon=":material/info:")
        return
    place = _place(material, choices)
    left, right = st.columns([1, 3], gap="large")
    with left:
        label = material.task.classes[material.labels[place]]
        images.grid(material.task, [images.Thumbnail(int(material.rows[place]), label, caption=label)], size=168)
        st.button("Another image", icon=":material/shuffle:", on_click=partial(_next, material, choices, place))
    with right:
        guess = _ask(teachers, choices)
        shown = frame.reveal(choices, "Send it through the teachers", ready=guess is not None)
    if guess is None or not shown:
        return
    said = opinions(material, place, teachers)
    _verdict(said, guess, label)
    _draw_opinions(said)
    _draw_alike(material, place, said, choices)


def _place(material: LessonMaterial, choices: LessonChoices) -> int:
    row = choices.whole(IMAGE, material.rows.tolist(), int(material.rows[material.drawn][0]))
    return int(np.flatnonzero(material.rows == row)[0])


def _next(material: LessonMaterial, choices: LessonChoices, place: int) -> None:
    """A labeled image of another class, and the question anew."""
    drawn = np.flatnonzero(material.drawn)
    further = drawn[material.labels[drawn] != material.labels[place]]
    later = further[further > place]
    choices.put(IMAGE, int(material.rows[later[0] if len(later) else further[0]]))
    for name in (frame.SHOWN, GUESS):
        choices.put(name, None)


def _ask(teachers: Sequence[TeacherRecord], choices: LessonChoices) -> str | None:
    by_name = {teacher.name: teacher for teacher in teachers}
    chosen = choices.get(GUESS)
    st.radio(
        f"Each of these {len(teachers)} teachers answers in classes of its own, not in yours. Which will be surest of "
        "this image?",
        list(by_name),
        format_func=lambda name: (
            f"{escape(by_name[name].title)} ({wording.count(len(by_name[name].classes), 'class', 'classes')})"
        ),
        **state.bound("learn surest", chosen if chosen in by_name else None, partial(choices.put, GUESS)),
    )
    return chosen if chosen in by_name else None


def _verdict(said: Sequence[TeacherOpinion], guess: str, label: str) -> None:
    surest = max(said, key=lambda opinion: opinion.surest)
    own = next(opinion for opinion in said if opinion.teacher.name == guess)
    words = f"{escape(surest.likeliest[0][0])} with {wording.percent(surest.surest)}"
    if own.surest >= surest.surest:
        st.success(f"Yes: **{escape(surest.teacher.title)}** is surest. It says {words}.", icon=":material/check:")
    else:
        st.info(
            f"**{escape(surest.teacher.title)}** is surest: it says {words}. {escape(own.teacher.title)} says "
            f"{escape(own.likeliest[0][0])} with {wording.percent(own.surest)}.",
            icon=":material/info:",
        )
    st.markdown(
        f"Your task calls this image “{escape(label)}”, and no teacher was asked that. Its whole answer, over all "
        "classes of its own, is its **pseudo-label**. How sure it is says nothing about whether it fits."
    )


def _draw_opinions(said: Sequence[TeacherOpinion]) -> None:
    for start in range(0, len(said), COLUMNS):
        for column, opinion in zip(st.columns(COLUMNS), said[start : start + COLUMNS], strict=False):
            with column.container(border=True, height="stretch"):
                st.markdown(f"**{escape(opinion.teacher.title)}**")
                for name, probability in opinion.likeliest:
                    st.progress(min(1.0, probability), text=f"{escape(name)} · {wording.percent(probability)}")
                st.caption(
                    f"As unsure as a fair choice among {wording.number(opinion.effective_classes, '.1f')} of its "
                    f"{len(opinion.teacher.classes):,} classes."
                )


def _draw_alike(material: LessonMaterial, place: int, said: Sequence[TeacherOpinion], choices: LessonChoices) -> None:
    st.markdown("**What the student can learn from it**")
    by_name = {opinion.teacher.name: opinion.teacher for opinion in said}
    chosen = choices.get(ASKED) if choices.get(ASKED) in by_name else said[0].teacher.name
    st.selectbox(
        "Images that this teacher answers like this one",
        list(by_name),
        format_func=lambda name: by_name[name].title,
        width=420,
        **state.bound("learn alike", chosen, partial(choices.put, ASKED)),
    )
    found = alike(material, place, chosen, ALIKE)
    same = [other for other in found if material.labels[other] == material.labels[place]]
    images.grid(
        material.task,
        [
            images.Thumbnail(int(material.rows[other]), name, caption=name, marked=other in same)
            for other in found
            for name in [material.task.classes[material.labels[other]]]
        ],
        size=72,
    )
    others = np.delete(material.labels, place)
    chance = float(np.mean(others == material.labels[place]))
    st.caption(
        f"✓ {len(same)} of these {len(found)} are of the class of the image; by chance it would be "
        f"{wording.number(chance * len(found), '.1f')}. The student is to answer alike what the teacher answers "
        "alike: where a teacher fits, that brings your classes together, though it knows none of them."
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    return {"image": material.task.images.image_ids[material.rows[_place(material, choices)]]}


LESSON = Lesson(
    key="pseudo-labels",
    title="What a pseudo-label is",
    promise="One image goes through six teachers that were trained on other classes, and still say something of use.",
    names=(IMAGE, GUESS, ASKED, *frame.OF_ALL),
    render=render,
    formulas=(
        r"q_s(x)=\operatorname{softmax}\bigl(z_s(x)\bigr)",
        r"\mathcal{L}_s=-\frac1n\sum_{x}\sum_{k} q_{s,k}(x)\,\log\operatorname{softmax}\bigl(h_s(\varphi(x))\bigr)_k",
    ),
    symbols="z: what teacher s says of image x over its own Z classes. φ: the student's features; h: a head on them "
    "for this teacher, thrown away at the end. The student is to answer as the teacher does, on labeled and unlabeled "
    "images alike.",
    code=("engine.features.forward:Forward.__call__", "engine.training.losses:distillation_loss"),
    question=CheckQuestion(
        "A teacher of handwritten digits calls an image of your task a “7”, with 95\u00a0%. What does the student "
        "learn from that?",
        (
            Answer(
                "That the image is a 7.",
                "The student has a head for the digits, but only while it trains: it is thrown away, and the student "
                "never answers in digits.",
            ),
            Answer(
                "To place the image near others that this teacher answers in the same way.",
                "Yes: what stays are the features under the head. Whether that helps depends on how well the teacher's "
                "idea of alike fits your classes, which is what a similarity measures.",
                right=True,
            ),
            Answer(
                "Nothing, since 7 is not one of your classes.",
                "No class of a teacher needs to be one of yours: the loss compares answers over the teacher's classes.",
            ),
        ),
    ),
    notebook=_notebook,
    minutes=6,
    click="Choose what most hands are for, *Send it through the teachers*; then another teacher below the images",
    themselves="Find an image of which the surest teacher is wrong in every sense, and say why that does no harm",
    lack=lambda material: "" if material.pseudo_labels else "has no teacher with classes of its own",
)
