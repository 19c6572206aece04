"""What the section Errors remembers while a session lives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class MatrixCell:
    """A cell of a student's confusion matrix: images of class `label` that were taken for `predicted`."""

    student: str
    label: int
    predicted: int


@dataclass(frozen=True)
class Correction:
    """Labels of a task that were changed at one time. task: its `task_key`. before: what they were, by row; None for
    no label.
    """

    task: str
    before: Mapping[int, str | None]


@dataclass
class ErrorsView:
    """part: which part is shown. cells: counts or shares. cell: whose images are shown. picked: what was picked in the
    matrix and among the pairs at the last run. pages: page of a grid, by grid. corrections: made here, the last at the
    end; undone: those that were taken back. search: of classes. of_class: whose errors alone are shown, -1 for all.
    case: which images of two students.
    """

    part: str = "matrix"
    cells: str = "counts"
    cell: MatrixCell | None = None
    picked: tuple[MatrixCell | None, ...] = ()
    pages: dict[str, int] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    undone: list[Correction] = field(default_factory=list)
    search: str = ""
    of_class: int = -1
    case: str = "first"
