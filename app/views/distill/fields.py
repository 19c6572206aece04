"""The settings that a user may change beyond the first few, each as its record describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from engine import devices
from engine.methods import METHODS
from engine.training import Field, TrainSpec, own_fields

APART = ("architecture", "size", "images")  # what the form asks for beside the methods
ON_A_GPU = ("precision",)


def draw(device: str, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Widgets for the settings of all methods and for what these share, and all that they say.

    defaults: of the fields of TrainSpec. A field whose default depends on the method is left out while it is empty.
    """
    chosen: dict[str, Any] = {}
    for kind in _kinds():
        if fields := [field for field in own_fields(kind) if _is_shown(field)]:
            chosen |= _section(getattr(kind, "section", ""), fields, {})
    apart = APART if devices.kind(device) == "cuda" else (*APART, *ON_A_GPU)
    shared = [field for field in own_fields(TrainSpec) if _is_shown(field) and field.name not in apart]
    return chosen | _section("Optimization", shared, defaults)


def _kinds() -> list[type]:
    """The classes that declare settings, in the order of the methods; one that several methods have comes once."""
    kinds = [kind for method in METHODS.values() for kind in reversed(method.settings.__mro__)]
    return [kind for kind in dict.fromkeys(kinds) if hasattr(kind, "__dataclass_fields__")]


def _is_shown(field: Field) -> bool:
    return field.shown is not None or field.choices is not None


def _section(title: str, fields: list[Field], defaults: Mapping[str, Any]) -> dict[str, Any]:
    st.markdown(f"**{title}**")
    with st.grid(4, min_column_width=180):
        found = {field.name: _ask(field, defaults.get(field.name, field.default)) for field in fields}
    return {name: value for name, value in found.items() if value is not None}


def _ask(field: Field, default: Any) -> Any:
    key = f"distill-{field.name}"
    if field.choices is not None:
        values = list(field.choices)
        return st.selectbox(
            field.label,
            values,
            index=values.index(default),
            format_func=field.choices.__getitem__,
            key=key,
            persist_state="session",
            help=field.meaning,
        )
    assert field.shown is not None
    others = {m.title: m.shared[field.name] for m in METHODS.values() if field.name in m.shared}
    own = "".join(f"; {title} {value:g}" for title, value in others.items())
    kind = type(field.shown.step)  # whole numbers stay whole
    return st.number_input(
        field.label,
        kind(field.shown.least),
        kind(field.shown.most),
        None if others else kind(default),
        field.shown.step,
        field.shown.form,
        key=key,
        help=f"{field.meaning} {'Left empty:' if others else 'Default'} {default:g}{own}.",
        placeholder=field.shown.form % default,
        persist_state="session",
    )
