"""Two rankings that do not use the task: what a metric must beat to be worth its cost."""

from __future__ import annotations

import hashlib
import math

from engine.errors import InvalidInputError
from engine.similarity.metric import Card, Described, Metric


def static(training_images: int, parameters: int) -> float:
    """The teacher's size: log10 of its training images plus log10 of its parameters. Higher is better; no fixed range.

    "Take the largest network trained on the most images", as one number (ours). Raises InvalidInputError if one of the
    two is below 1.

    >>> static(1_000_000, 10_000_000)
    13.0
    """
    if training_images < 1 or parameters < 1:
        raise InvalidInputError(
            f"A teacher with {training_images} training images and {parameters} parameters: give 1 or more of each."
        )
    return math.log10(training_images) + math.log10(parameters)


def random(teacher: str, seed: int) -> float:
    """A random number from 0 to 1: the same for the same `teacher` and `seed`, whoever else is ranked.

    >>> random("mnist", 0) == random("mnist", 0)
    True
    >>> 0 <= random("mnist", 1) < 1
    True
    """
    digest = hashlib.sha256(f"{seed} {teacher}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _static(record: Described, seed: int) -> float | None:
    """`static` of a record that has both numbers."""
    if not record.training_images or not record.parameters:
        return None
    return static(record.training_images, record.parameters)


STATIC = Metric(
    key="static",
    title="Size",
    summary="How large is the teacher, and how many images did it learn from? It does not use the task.",
    needs=("record",),
    labels_per_class=0,
    range="no fixed range; higher is larger",
    rule="minmax",
    cost="none",
    reference="ours, as a baseline",
    unit="log10",
    of_record=_static,
    unknown="Of some teachers it is not known how large they are, or how many images they were trained on.",
    card=Card(
        r"\log_{10}(\text{training images})+\log_{10}(\text{parameters})",
        "Both from the teacher's record.",
        "The teacher, and never the task: the same order for every task.",
        "Wherever a small teacher knows your kind of images. A metric that does no better is not worth its cost.",
        "Ours, as a baseline; a fixed order by size beat LogME on the usual benchmark (Singh, Hess, Vanschoren 2025, "
        "How NOT to benchmark your SITE metric, arXiv 2510.06448)",
    ),
)

RANDOM = Metric(
    key="random",
    title="Random",
    summary="A random number. It does not use the task.",
    needs=("record",),
    labels_per_class=0,
    range="0 to 1; means nothing",
    rule="clip",
    cost="none",
    reference="ours, as a baseline",
    unit="random",
    of_record=lambda record, seed: random(record.name, seed),
    card=Card(
        r"u\sim\mathrm{Uniform}(0,1)",
        "Drawn from the teacher's name and the seed.",
        "Nothing.",
        "Always. It shows how good an order by chance alone can look.",
        "Ours, as a baseline",
    ),
)

METRICS = (STATIC, RANDOM)
