"""The methods that can be compared. What each does is one line here; how, is in training and weighting."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from engine.errors import InvalidInputError, UnknownNameError

DEFAULT_P = 12.0  # ours


@dataclass(frozen=True)
class Method:
    """One way to get a student.

    key: its name in commands, specs and URLs. title: its name on screen.
    objective: what training minimizes. p: the exponent of the weights (0 equal ... infinity nearest), None where no
    teacher takes part. by_lot: one teacher is drawn instead of weighted.
    """

    key: str
    title: str
    summary: str
    objective: str
    p: float | None = None
    by_lot: bool = False


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
)
METHODS = {method.key: method for method in _ALL}
_WITH_P = re.compile(r"distill-weighted\((?P<p>[0-9.]+(e[+-]?[0-9]+)?|inf)\)")


def get_method(name: str) -> Method:
    """The method called `name`; "distill-weighted(4)" sets its p.

    Raises UnknownNameError, or InvalidInputError for a p that is not a number from 0 up.
    """
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
    shown = "∞" if math.isinf(p) else f"{p:g}"
    return Method(f"distill-weighted({p:g})", f"DistillWeighted, p = {shown}", base.summary, base.objective, p=p)
