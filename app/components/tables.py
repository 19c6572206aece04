"""Tables that fit a screen, with numbers as they stand everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from app.components import wording

# One style of decimals in all tables. Shares and probabilities stand in percent, which their column's name says.
PERCENT = ".1f"
POINTS = "+.1f"  # differences of percents
COUNT = ",d"
SECONDS = ",.1f"
SIGNIFICANT = ".4g"  # four digits, for scores whose scale is not known


def written(table: pd.DataFrame, forms: Mapping[str, str]) -> Styler:
    """A table whose numbers are written with a real minus, and still sort as numbers.

    forms: Python's format of each column of numbers; a column that is not there is passed over.
    """
    named = {name: _writer(form) for name, form in forms.items() if name in table}
    return table.style.format(named, na_rep="")


def _writer(form: str) -> str | Callable[[object], str] | None:
    return partial(wording.number, form=form)


def without_alike(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """A table without those of `columns` that are alike in all rows, and these in words."""
    alike = [column for column in columns if column in rows and len(rows) > 1 and rows[column].nunique() == 1]
    said = "; ".join(f"{column.lower()}: {rows[column].iloc[0]}" for column in alike)
    return rows.drop(columns=alike), f"The same for all: {said}. " if alike else ""
