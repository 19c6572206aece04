"""Import: what this session brought, and what it chose about it. Forgotten when something else is brought."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from app import state
from app.components import wording
from app.views.importing.draft import Choices, ImportDraft
from engine import intake
from engine.intake import UPLOAD, Columns, ImportRequest
from engine.tasks import Interpretation

NONE = "(none)"  # no column


def brought() -> ImportRequest | None:
    """What is proposed now; None while nothing was brought."""
    return ImportDraft.current().brought


def bring(source: str, images: str, title: str) -> None:
    """Propose a task of this source from now on."""
    draft = ImportDraft.current()
    draft.brought, draft.since = ImportRequest(source=source, images=images, title=title), time.time_ns()


def since() -> int:
    """When that was brought, in nanoseconds since the epoch."""
    return ImportDraft.current().since


def forget() -> None:
    """Propose nothing: what was brought is on its way to be a task."""
    ImportDraft.current().brought = None


def let_go(wanted: ImportRequest) -> None:
    """Forget what was brought with its uploaded files, and draw the page once more."""
    for source in (wanted.source, wanted.images):
        if source.startswith(UPLOAD):
            intake.remove_upload(state.workspace(), source)
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


def choices(of: ImportRequest) -> Choices:
    """What was chosen by hand about a source."""
    return ImportDraft.current().choices[of.source]


def as_chosen(of: ImportRequest) -> ImportRequest:
    """The source with what was chosen by hand about it."""
    chosen = choices(of)
    return replace(of, columns=Columns(**chosen.columns), reading=chosen.reading, answers=dict(chosen.answers))


def choose_column(of: ImportRequest, name: str) -> Callable[[str | None], None]:
    """What a widget calls to choose one column, or with None to have it guessed again."""
    return lambda column: choices(of).columns.update({name: "" if column == NONE else column})


def answer(of: ImportRequest, key: str) -> Callable[[str], None]:
    """What a widget calls to answer one of the import's questions, where no column says it."""
    return lambda value: choices(of).answers.update({key: value})


def choose_interpretation(of: ImportRequest, one: Interpretation) -> None:
    """Understand the source so."""
    choices(of).columns.update(one.changes.get("columns", {}))
    choices(of).answers.update(one.changes.get("answers", {}))


def undo_choices(of: ImportRequest) -> None:
    """Take back columns, answers and reading: with them the source cannot be read."""
    chosen = choices(of)
    chosen.columns, chosen.answers, chosen.reading = {}, {}, None
