"""What an import cannot know for certain: a question with its likeliest interpretations, of which one is in force.

A layout asks by putting a `Question` into its `Inventory`. The page and the command line show it under "please check";
with `strict` an import refuses instead of guessing.

What an interpretation changes are fields of an `ImportRequest`, as JSON values:

    {"columns": {"label": "ClassId"}}      a column of the table ("" = none); the other columns stay
    {"answers": {"masks": "leave-out"}}    for whatever has no field of its own: a layout reads `found.answers["masks"]`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.errors import InvalidInputError


@dataclass(frozen=True)
class Interpretation:
    """One way to understand a source."""

    key: str  # of its kind within the question, such as "ClassId" or "leave-out"
    title: str  # in words, short
    labeled_images: int  # how many images would have a label
    changes: Mapping[str, Any]  # fields of an ImportRequest that choose it


@dataclass(frozen=True)
class Question:
    """A guess that is not nearly certain."""

    key: str  # such as "label-column"
    text: str  # what is to be checked, a sentence
    interpretations: tuple[Interpretation, ...]  # two or more, the likeliest first
    chosen: str  # key of the interpretation in force
    decided: bool = False  # whether the user chose it, so that nothing is a guess any more

    def __post_init__(self) -> None:
        """Refuse a question that nobody can answer."""
        keys = [one.key for one in self.interpretations]
        if len(set(keys)) < 2 or len(set(keys)) < len(keys) or self.chosen not in keys:
            raise InvalidInputError(f"The question {self.key!r} needs two interpretations, one of them chosen: {keys}.")

    @property
    def in_force(self) -> Interpretation:
        """The interpretation that counts."""
        return next(one for one in self.interpretations if one.key == self.chosen)


def answered(
    answers: Mapping[str, str], key: str, text: str, titles: Mapping[str, tuple[str, int]], default: str
) -> Question:
    """A question that an entry of `answers` decides; titles: key of an interpretation -> (title, labeled images).

    Raises InvalidInputError for an answer that is none of them, naming them.
    """
    chosen = answers.get(key, default)
    if chosen not in titles:
        raise InvalidInputError(f"{chosen!r} is no answer to {key!r}: choose {' or '.join(map(repr, titles))}.")
    ways = [Interpretation(k, title, count, {"answers": {key: k}}) for k, (title, count) in titles.items()]
    return Question(key, text, tuple(ways), chosen, key in answers)


def undecided(questions: Sequence[Question]) -> list[Question]:
    """Those that are guesses still."""
    return [question for question in questions if not question.decided]


_OPTIONS = {"label": "--labels", "group": "--groups", "path": "--paths", "split": "--split-column"}
_OF_ANSWERS = {"encoding": "--encoding", "names-encoding": "--names-encoding"}  # the others are --answer


def as_option(one: Interpretation) -> str:
    """What chooses an interpretation on the command line.

    Example:
        >>> as_option(Interpretation("ClassId", "ClassId is the label", 12, {"columns": {"label": "ClassId"}}))
        '--labels ClassId'

    """
    import shlex

    columns = {name: value for name, value in one.changes.get("columns", {}).items() if value is not None}
    words = [f"{_OPTIONS[name]} {shlex.quote(value)}" for name, value in columns.items()]
    for key, value in one.changes.get("answers", {}).items():
        option = _OF_ANSWERS.get(key)
        words.append(f"{option} {shlex.quote(value)}" if option else f"--answer {shlex.quote(f'{key}={value}')}")
    return " ".join(words)


def refuse_guesses(questions: Sequence[Question]) -> None:
    """Raises InvalidInputError with the first question that is open, and how to answer it."""
    for question in undecided(questions):
        ways = "; or ".join(f"{as_option(one)} ({one.title})" for one in question.interpretations)
        raise InvalidInputError(f"{question.text} Nothing is guessed here; say which: {ways}.")


def questions_as_json(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """The JSON value of questions."""
    return [asdict(question) for question in questions]


def questions_from(values: Sequence[Mapping[str, Any]]) -> tuple[Question, ...]:
    """The questions in a JSON value, as `questions_as_json` wrote them. Raises KeyError or TypeError for another."""
    return tuple(
        Question(**{**value, "interpretations": tuple(Interpretation(**one) for one in value["interpretations"])})
        for value in values
    )
