"""Import: what this session brought, and what it chose about it. Forgotten when something else is brought."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app import state
from app.components import wording
from engine import intake
from engine.images import Reading
from engine.intake import UPLOAD, Columns, ImportRequest
from engine.tasks import Interpretation

NONE = "(none)"  # no column
_BROUGHT = "import.brought"  # source, images, title


def brought() -> ImportRequest | None:
    """What is looked at now; None while nothing was brought."""
    fields = state.note(_BROUGHT)
    return None if fields is None else ImportRequest(**fields)


def bring(source: str, images: str, title: str) -> None:
    """Look at a source from now on."""
    state.set_note(_BROUGHT, {"source": source, "images": images, "title": title})


def forget() -> None:
    """Look at nothing: what was brought is on its way to be a task."""
    state.set_note(_BROUGHT, None)


def let_go(wanted: ImportRequest) -> None:
    """Forget what was brought with its uploaded files, and draw the page once more."""
    for source in (wanted.source, wanted.images):
        if source.startswith(UPLOAD):
            intake.remove_upload(source, state.home())
    forget()
    st.rerun()


def source_words(wanted: ImportRequest) -> str:
    """What the user calls the source."""
    parts = [
        intake.upload_title(source) if source.startswith(UPLOAD) else source
        for source in (wanted.source, wanted.images)
        if source
    ]
    return wording.listed(parts)


def columns(of: ImportRequest) -> Columns:
    """The columns that were chosen by hand."""
    return Columns(**state.note(_key(of, "columns"), {}))


def choose_column(of: ImportRequest, name: str) -> Callable[[str | None], None]:
    """What a widget calls to choose one column, or with None to have it guessed again."""

    def put(column: str | None) -> None:
        chosen = {**state.note(_key(of, "columns"), {}), name: "" if column == NONE else column}
        state.set_note(_key(of, "columns"), chosen)

    return put


def answers(of: ImportRequest) -> dict[str, str]:
    """What was answered to the import's questions, where no column says it."""
    found: dict[str, str] = state.note(_key(of, "answers"), {})
    return found


def answer(of: ImportRequest, key: str) -> Callable[[str], None]:
    """What a widget calls to answer one of them."""
    return lambda value: state.set_note(_key(of, "answers"), {**answers(of), key: value})


def choose_interpretation(of: ImportRequest, one: Interpretation) -> None:
    """Understand the source so."""
    state.set_note(_key(of, "columns"), {**state.note(_key(of, "columns"), {}), **one.changes.get("columns", {})})
    state.set_note(_key(of, "answers"), {**answers(of), **one.changes.get("answers", {})})


def reading(of: ImportRequest) -> Reading | None:
    """How the images are read, if that was chosen by hand."""
    found: Reading | None = state.note(_key(of, "reading"))
    return found


def choose_reading(of: ImportRequest, wanted: Reading) -> None:
    """Read the images so."""
    state.set_note(_key(of, "reading"), wanted)


def chosen(of: ImportRequest, what: str, default: Any = None) -> Any:
    """Another small choice about this source."""
    return state.note(_key(of, what), default)


def choose(of: ImportRequest, what: str) -> Callable[[Any], None]:
    """What a widget calls to make such a choice."""
    return lambda value: state.set_note(_key(of, what), value)


def undo_choices(of: ImportRequest) -> None:
    """Take back columns, answers and reading: with them the source cannot be read."""
    state.set_note(_key(of, "columns"), {})
    state.set_note(_key(of, "answers"), {})
    state.set_note(_key(of, "reading"), None)


def _key(of: ImportRequest, what: str) -> str:
    return f"import.{what} {of.source}"
