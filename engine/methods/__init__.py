"""The methods that can be compared: a file for each, and a line of the list here.

What a method does, what it needs and what can be set of it stands in its file. Everything else in the program asks
these records, and knows no method by name.
"""

from __future__ import annotations

import re
from importlib import import_module

from engine.errors import UnknownNameError
from engine.methods.distill_weighted import DEFAULT_P
from engine.methods.method import FIRST_RECIPE, RECIPE, Material, Method, Recipe, Settings, names_of
from engine.methods.variants import FORMER, LATER, variant, with_p

FILES = (  # in the order of every list and chart
    "fine_tune",
    "linear_probe",
    "fixmatch",
    "distill_nearest",
    "distill_weighted",
    "distill_equal",
    "distill_random",
    "distill_consensus",
)
METHODS: dict[str, Method] = {
    method.key: method for method in (import_module(f"engine.methods.{name}").METHOD for name in FILES)
}
REFERENCE = METHODS["fine-tune"]  # what every comparison states its differences to
SINGLE = METHODS["distill-nearest"]  # with one teacher, it is what that teacher can teach
_VARIANT = re.compile(r"(?P<base>[a-z-]+)\((?P<settings>[a-z_]+=[^()]*|[0-9.]+(e[+-]?[0-9]+)?|inf)\)")


def register(method: Method) -> None:
    """Add a method as its line in the list would. Raises ValueError for a key that is taken."""
    if method.key in METHODS:
        raise ValueError(f"There is a method {method.key!r} already.")
    METHODS[method.key] = method


def get_method(name: str) -> Method:
    """The method called `name`; "distill-weighted(4)" sets its p, "distill-consensus(neighbors=0)" other fields.

    Raises UnknownNameError, or InvalidInputError for a field that it does not have or a value that the field cannot
    have.
    """
    if match := _VARIANT.fullmatch(name):
        return variant(get_method(match["base"]), match["settings"])
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    return METHODS[name]


def preselected() -> list[str]:
    """The keys of the methods that a comparison takes unless told otherwise."""
    return [key for key, method in METHODS.items() if method.preselected]


def place(name: str) -> int:
    """Where a method stands in every list and chart: variants where their base does, unknown ones last."""
    keys = list(METHODS)
    base = name.partition("(")[0]
    return keys.index(base) if base in keys else len(keys)


__all__ = [
    "DEFAULT_P",
    "FIRST_RECIPE",
    "FORMER",
    "LATER",
    "METHODS",
    "RECIPE",
    "REFERENCE",
    "SINGLE",
    "Material",
    "Method",
    "Recipe",
    "Settings",
    "get_method",
    "names_of",
    "place",
    "preselected",
    "register",
    "with_p",
]
