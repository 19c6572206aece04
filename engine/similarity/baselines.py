"""Two rankings that never look at the task: what a metric must beat to be worth its cost."""

from __future__ import annotations

import hashlib
import math

from engine.errors import InvalidInputError


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
    """A number from 0 to 1 by lot: the same for the same `teacher` and `seed`, whoever else is ranked.

    >>> random("mnist", 0) == random("mnist", 0)
    True
    >>> 0 <= random("mnist", 1) < 1
    True
    """
    digest = hashlib.sha256(f"{seed} {teacher}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
