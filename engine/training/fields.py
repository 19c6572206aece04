"""Values that a user may set: fields of a frozen dataclass, whose types say their label, their range and their meaning.

One declaration serves whoever reads such a value (a file, a form, the command line) and whoever asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_type_hints

import msgspec

from engine.errors import InvalidInputError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")
FINITE = 10**15  # a number above is no setting

_FIELD = re.compile(r"\$\.(\w+)")


@dataclass(frozen=True)
class NumberInput:
    """How a form asks for a number: its range there, which may be narrower than what is allowed, step and C format."""

    least: float
    most: float
    step: float
    form: str


@dataclass(frozen=True)
class Field:
    """A field as a form draws it. choices: each value with its words; without them and without `shown`, a form leaves
    the field to the command line.
    """

    name: str
    label: str
    meaning: str
    default: Any
    shown: NumberInput | None
    choices: Mapping[Any, str] | None


def number(
    label: str,
    meaning: str,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = FINITE,
    below: float | None = None,
    shown: NumberInput | None = None,
    choices: Mapping[Any, str] | None = None,
) -> msgspec.Meta:
    """What belongs to a number: `least` and `most` are allowed themselves, `above` and `below` are not."""
    ends: dict[str, Any] = {"ge": least, "gt": above, "lt": below, "le": most if below is None else None}
    about = {"shown": shown, "choices": choices}
    meta: msgspec.Meta = msgspec.Meta(**ends, title=label, description=meaning, extra=about)
    return meta


def share(label: str, meaning: str, *, shown_to: float = 1.0, step: float = 0.05) -> msgspec.Meta:
    """What belongs to a share, from 0 to 1, both allowed. shown_to and step: of the form's input, which begins at 0."""
    return number(label, meaning, least=0, most=1, shown=NumberInput(0.0, shown_to, step, "%.2f"))


def choice(label: str, meaning: str, choices: Mapping[Any, str] | None = None) -> msgspec.Meta:
    """What belongs to a field that has one of a few values; a form shows it if `choices` gives each its words."""
    return msgspec.Meta(title=label, description=meaning, extra={"shown": None, "choices": choices})


def made(kind: type[T], values: Mapping[str, Any], what: str) -> T:
    """The dataclass `kind`, all of whose fields have defaults, with these values. what: what they are of, such as "The
    training spec".

    Raises InvalidInputError that names the field which does not exist, or the value that it cannot have.
    """
    defaults = {field.name: field.default for field in fields(kind)}
    known = list(defaults)
    if unknown := sorted(set(values) - set(known)):
        raise InvalidInputError(f"{what} has no field {', '.join(unknown)}: it knows {', '.join(known) or 'none'}.")
    try:
        return msgspec.convert({**defaults, **values}, kind)  # it would leave out what it is not told
    except msgspec.ValidationError as error:
        found = _FIELD.search(str(error))
        if found is None:
            raise InvalidInputError(f"{what} cannot be read: {error}.") from error
        name = found[1]
        allowed = _in_words(get_type_hints(kind, include_extras=True)[name])
        raise InvalidInputError(
            f"{name} is {values[name]!r}: {_nearest(values[name], kind, name)}{allowed}."
        ) from error


def _nearest(value: Any, kind: type, name: str) -> str:
    """The choice that a misspelled value is nearest to, as the beginning of a sentence; else how that begins."""
    hint = get_type_hints(kind)[name]
    choices = [one for one in get_args(hint) if isinstance(one, str)]
    close = get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    return f"did you mean {close[0]}? It is " if close else "choose "


def own_fields(kind: type) -> list[Field]:
    """The fields that a class declares itself, not those of the classes below it, in their order."""
    hints = get_type_hints(kind, include_extras=True)
    return [_field(field, hints[field.name]) for field in fields(kind) if field.name in kind.__annotations__]


def _field(field: Any, hint: Any) -> Field:
    meta = _meta(hint)
    about = meta.extra or {}
    return Field(
        field.name, meta.title or field.name, meta.description or "", field.default, about.get("shown"),
        about.get("choices"),
    )  # fmt: skip


def _meta(hint: Any) -> msgspec.Meta:
    return next((part for part in getattr(hint, "__metadata__", ()) if isinstance(part, msgspec.Meta)), msgspec.Meta())


def _in_words(hint: Any) -> str:
    """The values that a field may have, such as "a number from 0 to 1"."""
    kind = get_args(hint)[0] if hasattr(hint, "__metadata__") else hint
    if kind is bool:
        return "true or false"
    if kind is str:
        return "a text"
    if kind not in (int, float):
        return f"one of {', '.join(map(str, get_args(kind)))}"
    return f"a {'whole ' if kind is int else ''}number {_range(_meta(hint))}".rstrip()


def _range(meta: msgspec.Meta) -> str:
    most = meta.le if meta.le is not None and meta.le < FINITE else None
    end = f"to {most:g}" if most is not None else f"to below {meta.lt:g}" if meta.lt is not None else ""
    if meta.gt is not None:
        return f"above {meta.gt:g} {end}".strip()
    if meta.ge is not None:
        return f"from {meta.ge:g} {end or 'up'}"
    return end
