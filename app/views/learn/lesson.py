"""What a lesson is: a record with its text, its code and the function that asks and shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.views.learn.address import LessonChoices
from engine.lessons import LessonMaterial


@dataclass(frozen=True)
class Answer:
    """An answer that can be chosen, and what is said to it."""

    text: str
    feedback: str
    right: bool = False


@dataclass(frozen=True)
class CheckQuestion:
    """The question at the end of a lesson."""

    text: str
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Lesson:
    """One lesson. key: in the URL, and of its notebook. promise: what one knows afterwards, in a sentence. names: of
    what is chosen in it, for the URL. render: asks first, then shows. formulas: LaTeX, with their letters in
    `symbols`.
    code: what computes it, by name. notebook: what was chosen, as its notebook takes it. minutes: in a lecture; click:
    what a lecturer clicks; themselves: what students do. lack: why it cannot be about some material, as the end of a
    sentence about the task; empty where it can.
    """

    key: str
    title: str
    promise: str
    names: tuple[str, ...]
    render: Callable[[LessonMaterial, LessonChoices], None]
    formulas: tuple[str, ...]
    symbols: str
    code: tuple[str, ...]
    question: CheckQuestion
    notebook: Callable[[LessonMaterial, LessonChoices], Mapping[str, object]]
    minutes: int
    click: str
    themselves: str
    lack: Callable[[LessonMaterial], str] = lambda material: ""
