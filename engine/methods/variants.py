"""Variants of a method, for ablations: "distill-weighted(4)" sets p, "distill-consensus(neighbors=0)" a setting."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from engine.errors import InvalidInputError
from engine.methods.method import Method, names_of
from engine.training import TrainSpec

# Fields that no variant changes: a comparison's runs have them in common.
SHARED = ("images", "architecture", "start", "size", "precision")
FORMER = {"spread": "propagation"}  # names of settings in version 0.1, which runs and recorded comparisons still have
# Settings that came later, with the values at which students are trained as before: a spec that lacks one means these.
LATER = {"from_teachers": False, "labels_rise": 0.0}


def with_p(base: Method, p: float) -> Method:
    """The method with another exponent of the similarities."""
    return _with(base, p, {})


def variant(base: Method, text: str) -> Method:
    """The method with other settings; `text` is like "neighbors=0,sharpness=1", or p alone.

    Raises InvalidInputError for a field that it does not have, or a value that the field cannot have.
    """
    if "=" not in text:
        text = f"p={text}"
    chosen: dict[str, Any] = {}
    for setting in text.split(","):
        name, _, value = (part.strip() for part in setting.partition("="))
        if name in SHARED:
            raise InvalidInputError(f"{name} is the same for all methods of a comparison: set it for all of them.")
        chosen[FORMER.get(name, name)] = _value(value)
    p = chosen.pop("p", base.p)
    if p != base.p and not base.p_varies:
        raise InvalidInputError(f"{base.key} has no p to choose.")
    if p is not None and (isinstance(p, bool) or not (isinstance(p, int | float) and p >= 0)):
        raise InvalidInputError(f"{base.key}: p is {p!r} and must be a number from 0 up.")
    return _with(base, None if p is None else float(p), chosen)


def _value(text: str) -> Any:
    for read in (json.loads, float):  # float knows "inf" and ".5"
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _with(base: Method, p: float | None, chosen: Mapping[str, Any]) -> Method:
    known = [name for name in (*names_of(base.settings), *names_of(TrainSpec)) if name not in SHARED]
    if unknown := sorted(set(chosen) - set(known)):
        raise InvalidInputError(f"{base.key} has no field {', '.join(unknown)}: it knows {', '.join(known)}.")
    changed = tuple(sorted(chosen.items()))
    if p == base.p and not changed:
        return base
    key = ",".join(f"{name}={json.dumps(value)}" for name, value in changed)
    title = "".join(f", {name.replace('_', ' ')} {value}" for name, value in changed)
    if p != base.p:
        assert p is not None
        number = f"{p:g}" if float(f"{p:g}") == p else repr(p)  # the shorter one, if it is the same number
        key = f"p={number},{key}" if changed else number
        title = f", p = {'∞' if math.isinf(p) else number}{title}"
    found = replace(base, key=f"{base.key}({key})", title=f"{base.title}{title}", p=p, changed=changed)
    found.recipe()  # refuses a value that the field cannot have
    return found
