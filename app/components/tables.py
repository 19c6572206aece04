"""Tables that fit a screen, with numbers as they stand everywhere else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import pandas as pd
from pandas.io.formats.style import Styler

from app.components import wording
from app.components.escaping import escape

# One style of decimals, in tables and in sentences. Shares and probabilities stand in percent; their column says so.
PERCENT = ".1f"
POINTS = "+.1f"  # differences of percents
COUNT = ",d"
SECONDS = ",.1f"
SIGNIFICANT = ".4g"  # four digits, for scores whose scale is not known
WEIGHT = ".3f"  # of a teacher, 0 to 1: those below .001 are left out


def written(table: pd.DataFrame, forms: Mapping[str, str]) -> Styler:
    """A table whose numbers are written with a real minus, and still sort as numbers.

    forms: Python's format of each column of numbers; a column that is not there is passed over, and whole numbers that
    have none are counts.
    """
    counts = {name: COUNT for name in table if pd.api.types.is_integer_dtype(table[name])}
    named = {name: _writer(form) for name, form in (counts | dict(forms)).items() if name in table}
    return table.style.format(named, na_rep="")


def literal(table: pd.DataFrame) -> pd.DataFrame:
    """A table for `st.table`, which reads Markdown in every cell: with texts that are shown as they are."""
    return table.map(lambda value: escape(value) if isinstance(value, str) else value)


def _writer(form: str) -> str | Callable[[object], str] | None:
    return partial(wording.number, form=form)


def without_alike(rows: pd.DataFrame, columns: Sequence[str]) -> tuple[pd.DataFrame, str]:
    """A table without those of `columns` that are alike in all rows, and these in words."""
    alike = [column for column in columns if column in rows and len(rows) > 1 and rows[column].nunique() == 1]
    said = "; ".join(f"{column.lower()}: {rows[column].iloc[0]}" for column in alike)
    return rows.drop(columns=alike), f"The same for all: {said}. " if alike else ""
