"""The label of each image, by the cells of a label column or by one-hot columns; what is in doubt is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.intake.layouts.table_cells import are_names, is_no_label, several_labels
from engine.tasks.names import clean_text
from engine.tasks.questions import Question, answered

NO_LABEL, SEVERAL = "no-label-words", "several-labels"  # keys of questions


@dataclass(frozen=True)
class Labels:
    """Labels by image, None where there is none, with what is said of them and asked."""

    of: Mapping[str, str | None]
    notes: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()

    @property
    def count(self) -> int:
        """How many images have a label."""
        return sum(label is not None for label in self.of.values())


def one_hot_labels(columns: Sequence[str], positive: Mapping[str, Sequence[str]]) -> Labels:
    """Labels by one-hot columns; positive: image -> the columns that say 1. Only one of them is a label."""
    none = sum(not found for found in positive.values())
    several = sum(len(found) > 1 for found in positive.values())
    text = f"Each of {len(columns)} columns is a class, with 1 for its images: {', '.join(columns)[:120]}."
    if none:
        text += f" Images without a 1, and so without a label: {none:,}."
    if several:
        text += f" Images with several, which is not supported yet, so that they have no label: {several:,}."
    of = {file: clean_text(found[0]) if len(found) == 1 else None for file, found in positive.items()}
    return Labels(of, (text,))


def cell_labels(column: str, texts: Mapping[str, Sequence[str]], answers: Mapping[str, str]) -> Labels:
    """Labels by the cells of a column; texts: image -> the different texts of its rows, without empty ones.

    Raises InvalidInputError for an answer that the questions do not have.
    """
    values = dict.fromkeys(text for found in texts.values() for text in found)
    empty = [value for value in values if is_no_label(value)]
    filled = [value for value in values if value not in empty]
    lists = several_labels(filled)
    names = are_names(filled, lists)
    usual = "name" if names else "single"

    def labels(no_label: str, several: str) -> dict[str, str | None]:
        dropped = set(empty) if no_label == "empty" else set()
        known = {} if several == "name" else lists
        return {file: _label(_parts(found, dropped, known), several) for file, found in texts.items()}

    def count(no_label: str, several: str) -> int:
        return Labels(labels(no_label, several)).count

    no_label, several = answers.get(NO_LABEL, "empty"), answers.get(SEVERAL, usual)
    questions = []
    if empty:
        words = ", ".join(repr(value) for value in empty[:3])
        text = f"Some cells of {column!r} say {words}, as programs write for an empty one."
        titles = {
            "empty": (f"{words}: there is no label", count("empty", several)),
            "class": (f"{words}: that is a class like the others", count("class", several)),
        }
        questions.append(answered(answers, NO_LABEL, text, titles, "empty"))
    many = [file for file, found in texts.items() if len(_parts(found, set(empty), lists)) > 1]
    if many:
        titles = {
            "single": ("Images with several labels have none", count(no_label, "single")),
            "combined": ("Each combination is a class of its own", count(no_label, "combined")),
        }
        if any(len(parts) > 1 for parts in lists.values()):  # and not only images in several rows
            name = {"name": ("Each text is one class, as it is written", count(no_label, "name"))}
            titles = {**name, **titles} if names else {**titles, **name}
        elif several == "name":  # an answer about another column, whose texts may be lists
            answers = {key: answer for key, answer in answers.items() if key != SEVERAL}
        questions.append(answered(answers, SEVERAL, _several_text(column, texts, many, names), titles, usual))
    return Labels(labels(no_label, several), questions=tuple(questions))


def _several_text(column: str, texts: Mapping[str, Sequence[str]], many: Sequence[str], names: bool) -> str:
    shown = " and ".join(repr(text[:60]) for text in texts[many[0]][:2])
    if names:
        return (
            f"{len(many):,} images have texts of several words in {column!r}, such as {shown}: one class each, or "
            "several labels, which is not supported yet."
        )
    return (
        f"{len(many):,} images have several labels in {column!r}, such as {shown}. That is not supported yet: choose a "
        "column that has one label an image, or go on with the other images."
    )


def _parts(texts: Sequence[str], dropped: set[str], lists: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The different labels in an image's cells."""
    kept = [text for text in texts if text not in dropped]
    return list(dict.fromkeys(part for text in kept for part in lists.get(text, (text,))))


def _label(parts: Sequence[str], several: str) -> str | None:
    if len(parts) > 1:
        return clean_text(" + ".join(parts)) if several == "combined" else None
    return parts[0] if parts else None
