"""A question before something is deleted."""

from __future__ import annotations

import sys

from engine.errors import InvalidInputError


def confirmed(question: str, *, yes: bool) -> bool:
    """Whether it may be done: `yes` says so already, else whoever sits at the terminal is asked.

    Raises InvalidInputError where nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidInputError("Nobody can be asked here: say --yes to do it without a question.")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
