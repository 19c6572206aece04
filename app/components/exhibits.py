"""An exhibit: a chart whose numbers are a table too. The chart is saved as SVG or PNG, the table as CSV.

Whoever draws a chart of results draws it with `draw`, and a table that stands by itself with `draw_table`: then every
one of them can be saved in the same way, has a text for screen readers, and writes its numbers in the same form.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import state
from app.components import plots, tables
from app.drafts import Draft
from engine.wording import spreadsheet_text

FORMATS: dict[str, str] = {"svg": "SVG", "png": "PNG"}  # of a saved chart, as Plotly names them
PNG_SCALE = 3  # pixels of the PNG for one on the screen: sharp in print at the width of a column


@dataclass
class _Saving(Draft):
    """The format in which this session saves charts."""

    format: str = "svg"


def config(name: str) -> dict[str, Any]:
    """Plotly's configuration of a chart that saves as the file `name`: the camera in its corner, and nothing else."""
    chosen = _Saving.current().format
    saved = {"format": chosen, "filename": file_name(name), "scale": PNG_SCALE if chosen == "png" else 1}
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage"]],
        "toImageButtonOptions": saved,
    }


def draw(
    figure: go.Figure,
    table: pd.DataFrame,
    forms: Mapping[str, str],
    *,
    name: str,
    alt: str,
    key: str,
    show_table: bool = True,
    pick: Literal["points"] | None = None,
) -> Sequence[Mapping[str, Any]]:
    """Draw a chart, and below it how to read it as a table and how to save it; gives the points that are picked.

    table: the chart's numbers, one row for a mark. forms: Python's format of each column of numbers, as
    `tables.written` takes them. name: of the files, in a few words. alt: what the chart says, in a sentence.
    show_table: not where the same table stands beside the chart anyway. pick: what a click picks; None for nothing.
    """
    choosing: dict[str, Any] = {} if pick is None else {"on_select": "rerun", "selection_mode": pick}
    event = plots.plot(figure, key=key, config=config(name), alt=alt, **choosing)
    title = "Table and files" if show_table else "Files"
    more = st.expander(title, icon=":material/table:", on_change="rerun", key=f"{key} files")
    if more.open:
        with more:
            _draw_files(table, forms if show_table else None, name, key)
    return () if pick is None else list(event["selection"]["points"])


def draw_table(
    table: pd.DataFrame,
    forms: Mapping[str, str],
    *,
    name: str,
    alt: str,
    key: str,
    pick: bool = False,
    **options: Any,
) -> list[int]:
    """Draw a table, and a button that saves it as CSV; gives the places of the rows that are picked.

    pick: whether a row can be picked. options: what `st.dataframe` takes besides, such as column_config.
    """
    choosing: dict[str, Any] = {"on_select": "rerun", "selection_mode": "single-row"} if pick else {}
    event = st.dataframe(tables.written(table, forms), hide_index=True, alt=alt, key=key, **choosing, **options)
    download_csv(lambda: table, name, f"{key} csv")
    return [row for row in event["selection"]["rows"] if row < len(table)] if pick else []


def download_csv(table: Callable[[], pd.DataFrame], name: str, key: str) -> None:
    """The button that saves a table as CSV. It is made when somebody asks for it."""
    st.download_button(
        "CSV",
        lambda: csv(table()),
        f"{file_name(name)}.csv",
        "text/csv",
        icon=":material/download:",
        on_click="ignore",
        key=key,
        help=f"Save the table as {file_name(name)}.csv",
    )


def csv(table: pd.DataFrame) -> str:
    """A table as CSV: numbers with a point and a plain minus, in six digits, more than any of them is sure of. What a
    spreadsheet would compute begins with an apostrophe.
    """
    safe = table.map(lambda value: spreadsheet_text(value) if isinstance(value, str) else value)
    return safe.rename(columns=spreadsheet_text).to_csv(index=False, float_format="%.6g")


def file_name(name: str) -> str:
    """A name in words as that of a file: small letters, digits and hyphens; never empty."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:80] or "table"


def _draw_files(table: pd.DataFrame, forms: Mapping[str, str] | None, name: str, key: str) -> None:
    if forms is not None:
        st.dataframe(tables.written(table, forms), hide_index=True, alt="The numbers of the chart above")
    saving = _Saving.current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        download_csv(lambda: table, name, f"{key} csv")
        st.segmented_control(
            "The camera above the chart saves",
            list(FORMATS),
            format_func=FORMATS.__getitem__,
            required=True,
            **state.bound(f"{key} format", saving.format, saving.put("format")),
        )
