"""The lines of the program that compute what a lesson shows, read from the program that runs, so that they cannot go
stale.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name

from engine.installation import FOLDER


@dataclass(frozen=True)
class Excerpt:
    """A function or class as it stands in its file. path: from the project's folder; line: its first one, from 1."""

    name: str
    path: str
    line: int
    text: str


def excerpt(name: str) -> Excerpt:
    """The source of what is called `name`, such as "engine.weighting:effective_number".

    Raises ImportError or AttributeError if there is no such thing: a lesson names what exists, and a test holds it to
    that.

    >>> excerpt("engine.weighting:effective_number").path
    'engine/weighting.py'
    """
    found = resolve_name(name)
    lines, first = inspect.getsourcelines(found)
    path = Path(inspect.getfile(found)).relative_to(FOLDER).as_posix()
    return Excerpt(name.partition(":")[2], path, first, "".join(lines).rstrip())
