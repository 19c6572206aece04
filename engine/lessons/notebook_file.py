"""Lessons as notebooks (Jupyter's format 4.5, which is JSON): the same numbers from `import engine`, and the formula by
hand beside them.

A notebook's code is text with places for the task and what was chosen on the page; values go in as Python literals.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from engine.errors import UnknownNameError
from engine.lessons import notebook_cells
from engine.tasks import Draw
from engine.workspace import HOME

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


@dataclass(frozen=True)
class LessonNotebook:
    """A notebook's text: cells apart by a line of "# %%", those of prose begin with "# %% [markdown]". defaults: of the
    names that its code may use beside `task`.
    """

    title: str
    cells: str
    defaults: Mapping[str, object]


LESSON_NOTEBOOKS = {key: LessonNotebook(*found) for key, found in notebook_cells.NOTEBOOKS.items()}


def notebook(key: str, task: str, draw: Draw | None, **chosen: object) -> str:
    """The notebook of a lesson on a task, as the text of an .ipynb file. draw: the labels that the page shows; None for
    the images that come with the program. chosen: what the page shows, by the names of its `defaults`.

    Raises UnknownNameError for another lesson or name.
    """
    if key not in LESSON_NOTEBOOKS:
        raise UnknownNameError("lesson", key, LESSON_NOTEBOOKS)
    found = LESSON_NOTEBOOKS[key]
    if unknown := sorted(set(chosen) - set(found.defaults)):
        raise UnknownNameError("value of a lesson", unknown[0], found.defaults)
    drawn = {} if draw is None else {"labels_per_class": draw.labels_per_class, "seed": draw.seed}
    values = {"task": task, **drawn, **found.defaults, **chosen}
    beginning = notebook_cells.BEGINNING_RECORDED if draw is None else notebook_cells.BEGINNING
    given = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    cells = [
        _prose(
            f"# {found.title}\n\nMade by Distill Workbench. It needs its Python environment, and computes in the "
            f"workspace that `{HOME}` names. The first cell may take a minute: teachers look at the images once."
        ),
        _code(f"{given}\n\n{beginning}"),
    ]
    for kind, text in _parts(found.cells):
        cells.append(_prose(text) if kind else _code(text))
    named = [{**cell, "id": f"{place:02d}-{_digest(str(cell))}"} for place, cell in enumerate(cells)]
    about = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return json.dumps({"cells": named, "metadata": about, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def _parts(text: str) -> list[tuple[bool, str]]:
    """The cells of a text: whether it is prose, and what stands in it."""
    found = re.split(r"^# %%( \[markdown\])?\n", text.strip() + "\n", flags=re.MULTILINE)[1:]
    return [(kind is not None, body.strip()) for kind, body in zip(found[::2], found[1::2], strict=True)]


def _prose(text: str) -> dict[str, object]:
    return {"cell_type": "markdown", "metadata": {}, "source": text.splitlines(keepends=True)}


def _code(text: str) -> dict[str, object]:
    empty: dict[str, object] = {"execution_count": None, "outputs": []}
    return {"cell_type": "code", "metadata": {}, "source": text.splitlines(keepends=True), **empty}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
