"""What was chosen in a lesson, in the URL as well: a lecturer's link opens the lesson as it was."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import streamlit as st

from app import state
from app.views.learn.draft import LearnDraft

LESSON = "lesson"  # its key in the URL
LONGEST = 3_200  # characters of a value that are read: the rows of all images of a lesson, a number of 7 digits each


@dataclass(frozen=True)
class LessonChoices:
    """What was chosen in one lesson, by name; what a name may hold is its lesson's business."""

    lesson: str

    def get(self, name: str) -> str:
        """The value, empty where nothing was chosen."""
        draft = LearnDraft.current()
        return draft.values.get((draft.subject, self.lesson, name), "")

    def whole(self, name: str, allowed: Sequence[int], usual: int) -> int:
        """The value as one of the `allowed` numbers, or `usual`."""
        text = self.get(name)
        found = int(text) if text.isdecimal() and len(text) < 10 else usual
        return found if found in allowed else usual

    def put(self, name: str, value: object) -> None:
        """Choose a value; None or an empty one forgets it."""
        draft, text = LearnDraft.current(), "" if value is None else str(value)
        if text:
            draft.values[draft.subject, self.lesson, name] = text
        else:
            draft.values.pop((draft.subject, self.lesson, name), None)
        _write(name, text)


def named_lesson(keys: Collection[str]) -> str:
    """The lesson that a link brought, or the one that is open; one of `keys`."""
    draft, brought = LearnDraft.current(), st.query_params.get(LESSON)
    if brought in keys and brought != draft.written.get(LESSON):
        draft.lesson = str(brought)
    return draft.lesson if draft.lesson in keys else next(iter(keys))


def synchronize(names: Mapping[str, Sequence[str]], lesson: str, subject: str) -> None:
    """Take up what a link brought for a lesson, and put what is chosen into the URL. Once a run.

    names: of the values of each lesson. subject: the task that the lesson is about; what was chosen for another one is
    there again when that comes back.
    """
    draft = LearnDraft.current()
    draft.subject = subject
    brought = {
        name: value[:LONGEST] for name, value in st.query_params.items() if value and value != draft.written.get(name)
    }
    for name in names[lesson]:
        if name in brought:
            draft.values[subject, lesson, name] = brought[name]
    _write_all(names, lesson)


def open_lesson(key: str) -> None:
    """Open another lesson."""
    LearnDraft.current().lesson = key
    _write(LESSON, key)


def link(subject: str, lesson: str, names: Sequence[str]) -> str:
    """The address that opens the lesson as it is now, whatever else the receiver has chosen."""
    values = {name: value for name in names if (value := LessonChoices(lesson).get(name))}
    labels = {name: st.query_params[name] for name in ("labels", "draw") if name in st.query_params}
    chosen = {"task": subject} if subject == state.task_name() else {}
    base = (st.context.url or "").split("?")[0]
    return f"{base}?{urlencode({**chosen, **labels, LESSON: lesson, **values})}"


def _write_all(names: Mapping[str, Sequence[str]], lesson: str) -> None:
    here = LessonChoices(lesson)
    for name in dict.fromkeys(name for of_lesson in names.values() for name in of_lesson):
        _write(name, here.get(name) if name in names[lesson] else "")
    _write(LESSON, lesson)


def _write(name: str, value: str) -> None:
    LearnDraft.current().written[name] = value
    if not value:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != value:
        st.query_params[name] = value
