"""The methods that can be compared. What each does is one line here; how, is in training and weighting."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import InvalidInputError, UnknownNameError
from engine.training import recipe

DEFAULT_P = 12.0  # ours
CONSENSUS_P = 6.0  # on the development tasks better than 12, and as good as 3


@dataclass(frozen=True)
class Method:
    """One way to get a student.

    key: its name in commands, specs and URLs. title: its name on screen.
    objective: what training minimizes. p: the exponent of the weights (0 equal ... infinity nearest), None where no
    teacher takes part. by_lot: one teacher is drawn instead of weighted. settings: fields of TrainSpec in which a
    variant differs from its method.
    """

    key: str
    title: str
    summary: str
    objective: str
    p: float | None = None
    by_lot: bool = False
    settings: tuple[tuple[str, Any], ...] = ()


FINE_TUNE = Method(
    "fine-tune", "Fine-tuning", "The student starts from ImageNet and learns from your labels alone.", "fine-tune"
)
_ALL = (
    FINE_TUNE,
    Method(
        "linear-probe",
        "Linear probe",
        "The student's ImageNet features stay as they are; only a linear classifier is learned from your labels.",
        "linear-probe",
    ),
    Method(
        "fixmatch",
        "FixMatch",
        "The student labels your unlabeled images itself, and learns from those of which it is sure.",
        "fixmatch",
    ),
    Method(
        "distill-nearest",
        "DistillNearest",
        "The student learns from your labels and from the one teacher that fits your images best.",
        "distill",
        p=math.inf,
    ),
    Method(
        "distill-weighted",
        "DistillWeighted",
        "The student learns from your labels and from all teachers, the more the better they fit.",
        "distill",
        p=DEFAULT_P,
    ),
    Method(
        "distill-equal",
        "DistillEqual",
        "The student learns from your labels and from all teachers alike.",
        "distill",
        p=0.0,
    ),
    Method(
        "distill-random",
        "DistillRandom",
        "The student learns from your labels and from one teacher drawn by lot: a control.",
        "distill",
        by_lot=True,
    ),
    Method(
        "distill-consensus",
        "DistillConsensus",
        "The student learns from your labels and from what all teachers agree on for each image, in your own classes.",
        "consensus",
        p=CONSENSUS_P,
    ),
)
METHODS = {method.key: method for method in _ALL}
# Fields that no variant changes: the objective makes the method, and a comparison's runs have the others in common.
SHARED = ("objective", "images", "architecture", "start", "size", "precision")
P_MAY_VARY = ("distill-weighted", "distill-consensus")  # p is what makes the others what they are
_VARIANT = re.compile(r"(?P<base>[a-z-]+)\((?P<settings>[a-z_]+=[^()]*)\)")
_WITH_P = re.compile(r"distill-weighted\((?P<p>[0-9.]+(e[+-]?[0-9]+)?|inf)\)")


def get_method(name: str) -> Method:
    """The method called `name`; "distill-weighted(4)" sets its p, "distill-consensus(neighbors=0)" fields of its spec.

    Raises UnknownNameError, or InvalidInputError for a p that is not a number from 0 up or a field that does not exist.
    """
    if match := _VARIANT.fullmatch(name):
        return _variant(get_method(match["base"]), match["settings"])
    if match := _WITH_P.fullmatch(name):
        try:
            p = float(match["p"])
        except ValueError:
            raise InvalidInputError(f"{name!r}: p must be a number from 0 up, such as distill-weighted(4).") from None
        return weighted(p)
    if name not in METHODS:
        raise UnknownNameError("method", name, METHODS)
    return METHODS[name]


def weighted(p: float) -> Method:
    """DistillWeighted with another exponent."""
    base = METHODS["distill-weighted"]
    if p == DEFAULT_P:
        return base
    number = f"{p:g}" if float(f"{p:g}") == p else repr(p)  # the shorter one, if it is the same number
    shown = "∞" if math.isinf(p) else number
    return Method(f"distill-weighted({number})", f"DistillWeighted, p = {shown}", base.summary, base.objective, p=p)


def _variant(base: Method, text: str) -> Method:
    """A method with other settings, for ablations; `text` is like "neighbors=0,sharpness=1"."""
    settings: dict[str, Any] = {}
    for setting in text.split(","):
        name, _, value = (part.strip() for part in setting.partition("="))
        if name in SHARED:
            raise InvalidInputError(f"{name} is the same for all methods of a comparison: set it for all of them.")
        try:
            settings[name] = json.loads(value)
        except ValueError:
            settings[name] = value
    if "p" in settings and base.key not in P_MAY_VARY:
        raise InvalidInputError(f"{base.key} has no p to choose: {' and '.join(P_MAY_VARY)} have one.")
    p = settings.pop("p", base.p)
    if p is not None and (isinstance(p, bool) or not (isinstance(p, int | float) and p >= 0)):
        raise InvalidInputError(f"{base.key}: p is {p!r} and must be a number from 0 up.")
    recipe(base.objective, **settings)  # refuses an unknown field or value
    fields = dict(sorted(settings.items()))
    if not fields and p is not None and base.key == "distill-weighted":
        return weighted(float(p))  # the same method, under the name that it has already
    shown = {**({"p": p} if p != base.p else {}), **fields}
    if not shown:
        return base
    key = ",".join(f"{name}={json.dumps(value)}" for name, value in shown.items())
    title = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in shown.items())
    return replace(base, key=f"{base.key}({key})", title=f"{base.title}, {title}", p=p, settings=tuple(fields.items()))
