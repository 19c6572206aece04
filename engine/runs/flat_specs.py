"""Specs as version 0.1 wrote them: one flat `train` held what all methods share and the settings of all methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.errors import InvalidInputError
from engine.methods import FORMER, LATER, METHODS, get_method, names_of
from engine.training import TrainSpec, made

OBJECTIVE = "objective"  # a field that every flat spec had, and none has today


def modern(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A run's spec in today's shape; one that has it already comes back as it is.

    Raises InvalidInputError for a flat one that lacks a field or has another.
    """
    flat = value.get("train")
    if not isinstance(flat, Mapping) or OBJECTIVE not in flat:
        return _with_later(value)
    method = get_method(str(value.get("method")))
    named: dict[str, Any] = {FORMER.get(str(name), str(name)): inner for name, inner in flat.items()}
    own, shared = names_of(method.settings), names_of(TrainSpec)
    named = {**{name: LATER[name] for name in own if name in LATER}, **named}
    known: set[str] = {OBJECTIVE, *shared, *(name for each in METHODS.values() for name in names_of(each.settings))}
    if odd := sorted((set(named) - known) | ({*own, *shared} - set(named))):
        raise InvalidInputError(f"The training spec lacks or does not know {', '.join(odd)}: another version made it.")
    settings = {name: named[name] for name in own}
    train = {name: named[name] for name in shared}
    if not made(method.settings, settings, method.title).takes_unlabeled:
        train["unlabeled_batch"] = 0  # it stood there, and was not used
    return {**value, "train": train, "settings": settings}


def without_later(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as they were written before those that came later, where these change nothing: runs keep their names."""
    return {name: value for name, value in settings.items() if name not in LATER or value != LATER[name]}


def _with_later(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """A spec of today's shape, with the settings that it was written before."""
    settings = value.get("settings")
    if not isinstance(settings, Mapping):
        return value
    own = names_of(get_method(str(value.get("method"))).settings)
    later = {name: before for name, before in LATER.items() if name in own}
    return {**value, "settings": {**later, **settings}}
