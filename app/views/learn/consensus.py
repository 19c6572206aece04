"""Lesson: what all teachers agree on. Probes, their average, and label propagation, one image at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
import streamlit as st

from app import cached, state
from app.components import exhibits, images, tables, wording
from app.components.escaping import escape
from app.views.learn import frame
from app.views.learn.address import LessonChoices
from app.views.learn.lesson import Answer, CheckQuestion, Lesson
from engine.lessons import ConsensusStages, LessonMaterial, consensus_stages, probe_answers

OFFERED, SHOWN_CLASSES, NEIGHBORS = 4, 3, 12
IMAGE, GUESS = "image", "class"


def render(material: LessonMaterial, choices: LessonChoices) -> None:
    """An image whose label is held back, and the question; then three steps from single teachers to a consensus."""
    stages: ConsensusStages = cached.lesson_value(
        "consensus", material, lambda: consensus_stages(material, probe_answers(material))
    )
    place = _place(material, choices)
    left, right = st.columns([1, 3], gap="large")
    with left:
        images.grid(
            material.task, [images.Thumbnail(int(material.rows[place]), "an image whose label is held back")], size=168
        )
        _walk(material, stages, place, choices)
    with right:
        guess = _ask(material, stages, place, choices)
        shown = frame.reveal(choices, "Ask the teachers", ready=guess is not None)
    if guess is None or not shown:
        return
    _verdict(material, stages, place, guess)
    _draw_steps(material, stages, place)
    _draw_neighbors(material, stages, place)
    _draw_accuracies(material, stages)


def _place(material: LessonMaterial, choices: LessonChoices) -> int:
    held = material.rows[~material.known]
    row = choices.whole(IMAGE, held.tolist(), int(held[0]))
    return int(np.flatnonzero(material.rows == row)[0])


def _walk(material: LessonMaterial, stages: ConsensusStages, place: int, choices: LessonChoices) -> None:
    def take(places: npt.NDArray[np.int64]) -> None:
        later = places[places > place]
        choices.put(IMAGE, int(material.rows[later[0] if len(later) else places[0]]))
        for name in (GUESS, frame.SHOWN):
            choices.put(name, None)

    st.button("Another image", icon=":material/shuffle:", on_click=partial(take, np.flatnonzero(~material.known)))
    changed = ~material.known & (stages.averaged.argmax(axis=1) != stages.spread.argmax(axis=1))
    if changed.any():
        st.button("One that the neighbors change", on_click=partial(take, np.flatnonzero(changed)))


def _ask(material: LessonMaterial, stages: ConsensusStages, place: int, choices: LessonChoices) -> str | None:
    names = [material.task.classes[label] for label in _offered(material, stages, place)]
    chosen = choices.get(GUESS)
    st.radio(
        "Its label is held back. Which class will the teachers together find most probable?",
        names,
        format_func=escape,
        **state.bound("learn class", chosen if chosen in names else None, partial(choices.put, GUESS)),
    )
    return chosen if chosen in names else None


def _offered(material: LessonMaterial, stages: ConsensusStages, place: int) -> list[int]:
    """A few classes to choose from, in the order of the task: the right one, and the likeliest of each step."""
    wanted = [int(material.labels[place]), int(stages.spread[place].argmax()), int(stages.averaged[place].argmax())]
    wanted += np.argsort(-stages.averaged[place], kind="stable").tolist()
    return sorted(list(dict.fromkeys(wanted))[:OFFERED])


def _verdict(material: LessonMaterial, stages: ConsensusStages, place: int, guess: str) -> None:
    classes = material.task.classes
    said, truth = classes[int(stages.spread[place].argmax())], classes[material.labels[place]]
    text = (
        f"They say **{escape(said)}** with {wording.percent(float(stages.spread[place].max()))}, and the label that "
        f"was held back is **{escape(truth)}**: "
        + ("right. " if said == truth else "wrong. ")
        + ("As you said." if guess == said else f"You said {escape(guess)}.")
    )
    (st.success if guess == said else st.info)(text, icon=":material/check:" if guess == said else ":material/info:")


def _draw_steps(material: LessonMaterial, stages: ConsensusStages, place: int) -> None:
    first, second = st.columns([3, 2], gap="large")
    with first:
        st.markdown("**1. A probe on each teacher** learns your few labels, and answers in your classes")
        exhibits.draw_table(
            probe_table(material, stages, place),
            {"α": ".3f", "Probability, %": tables.PERCENT},
            name=f"probes {material.task.name}",
            alt="What the probe on each teacher's features says of this image, with the teacher's weight",
            key="learn probes",
            height="content",
        )
    with second:
        st.markdown("**2. Their mean**, by weight, squared and scaled to sum to 1")
        _draw_likeliest(material.task.classes, stages.averaged[place])
        st.markdown("**3. Its neighbors** are asked, fifty times over")
        _draw_likeliest(material.task.classes, stages.spread[place])


def _draw_likeliest(classes: Sequence[str], said: npt.NDArray[np.float32]) -> None:
    for label in np.argsort(-said, kind="stable")[:SHOWN_CLASSES]:
        share = min(1.0, float(said[label]))
        st.progress(share, text=f"{escape(classes[label])} · {wording.percent(share)}")


def probe_table(material: LessonMaterial, stages: ConsensusStages, place: int) -> pd.DataFrame:
    """What each teacher's probe says of an image, the heaviest teacher first."""
    classes = material.task.classes
    return pd.DataFrame(
        [
            {
                "Teacher": teacher.title,
                "α": stages.alpha[teacher.name],
                "Says": classes[int(stages.single[teacher.name][place].argmax())],
                "Probability, %": 100 * float(stages.single[teacher.name][place].max()),
            }
            for teacher in material.teachers
            if teacher.name in stages.alpha
        ]
    )


def _draw_neighbors(material: LessonMaterial, stages: ConsensusStages, place: int) -> None:
    found = stages.neighbors[place][:NEIGHBORS]
    st.markdown("**Its neighbors**, in all teachers' features at once, the nearest first; ✓ those with a known label")
    items = []
    for other, _ in found:
        known = bool(material.known[other])
        name = material.task.classes[material.labels[other] if known else int(stages.averaged[other].argmax())]
        text = name if known else f"{name}?"
        items.append(images.Thumbnail(int(material.rows[other]), text, caption=text, marked=known))
    images.grid(material.task, items, size=72)
    labeled = sum(bool(material.known[other]) for other, _ in found)
    st.caption(
        f"{labeled} of these {len(found)} have a label. The others pass on what was said of them (with a question "
        "mark: before their own neighbors were asked): so a label reaches images that are like it only through others."
    )


def _draw_accuracies(material: LessonMaterial, stages: ConsensusStages) -> None:
    held = int((~material.known).sum())
    st.markdown(f"**Right of all {held:,} images held back**")
    with st.container(horizontal=True, gap="medium"):
        for title, value in zip(
            ("The most similar teacher's probe", "The mean of all", "After the neighbors"),
            stages.accuracies,
            strict=True,
        ):
            st.metric(title, wording.percent(value))
    last, before = stages.accuracies[2], stages.accuracies[1]
    said = "helped" if last > before else "hurt" if last < before else "changed nothing"
    st.caption(
        f"On these images asking the neighbors {said}. It needs many unlabeled images to lead from one to the next: "
        f"in a run the graph holds all {len(material.task.train_rows):,} training images, here only "
        f"{len(material.rows):,}."
    )


def _notebook(material: LessonMaterial, choices: LessonChoices) -> Mapping[str, object]:
    return {"image": material.task.images.image_ids[material.rows[_place(material, choices)]]}


LESSON = Lesson(
    key="consensus",
    title="What all teachers agree on",
    promise="DistillConsensus asks the teachers in your own classes: follow one image through its three steps.",
    names=(IMAGE, GUESS, *frame.OF_ALL),
    render=render,
    formulas=(
        r"\bar p(x)\propto\Bigl(\sum_s\alpha_s\,p_s(x)\Bigr)^{2}",
        r"F\leftarrow 0.8\,S F+0.2\,Y",
    ),
    symbols="p: what a ridge probe on teacher s says of image x; Y: the sharpened mean of all images, with the known "
    "labels put in; S: the graph of nearest neighbors, scaled; F: what is said in the end, after 50 rounds (Zhou and "
    "others, 2004).",
    code=("engine.consensus.ensemble:consensus", "engine.consensus.graph:propagate", "engine.probes:fit_ridge"),
    question=CheckQuestion(
        "None of an image's neighbors has a label. Can asking them still help?",
        (
            Answer("No: there is nothing to pass on.", "What the probes say of the neighbors is passed on as well."),
            Answer(
                "Yes: they pass on what was said of them, and of their own neighbors.",
                "Yes. Over many rounds labels travel along chains of images that are alike, which is why unlabeled "
                "images are worth having.",
                right=True,
            ),
            Answer("Only if they are test images.", "Test images are in no probe, no graph and no average."),
        ),
    ),
    notebook=_notebook,
    minutes=7,
    click="*Ask the teachers*, then *One that the neighbors change*",
    themselves="Label five images before the teachers do, and count who was right more often",
)
