"""Predict: what the student says of each image, as pictures, as a table, and to be corrected."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st
from PIL import Image

from app import cached, state
from app.components import images, tables, wording
from app.components.escaping import escape
from app.components.images import Picture
from app.views.predict import correct
from app.views.predict.draft import PredictDraft
from engine import jobs
from engine.delivery import (
    QUANTILE,
    KeptPredictions,
    camtrap_observations,
    kept_likeness,
    rows_as_csv,
    rows_as_parquet,
    spec_of_prediction,
    with_threshold,
)
from engine.jobs import Job
from engine.tasks import Task

AT_ONCE = 24  # images of a sheet
PICTURE = 132  # pixels of its side
VIEWS = {"images": "Images", "table": "Table", "correct": "Correct"}
ORDERS = {"source": "As in the source", "least": "Least sure first", "most": "Most sure first", "name": "By class"}
NAMED = 200  # problems that are listed
NAMED_OF_SET = 3  # classes of a set that fit under a picture; the table names all


@dataclass(frozen=True)
class ShownAnswers:
    """The answers on the page. rows: all of them; places: which ones are shown, in their order."""

    job: Job
    kept: KeptPredictions
    rows: pd.DataFrame
    places: Sequence[int]


def draw(task: Task, job: Job) -> None:
    """The answers that there are so far."""
    kept = KeptPredictions.of(job)
    if not len(kept):
        return
    draft = PredictDraft.current()
    frame = cached.predicted_frame(kept)
    rows = frame.assign(unsure=frame["probability"] < draft.unsure)
    _metrics(kept, rows, spec_of_prediction(job).run)
    for note in kept.notes:
        st.caption(escape(note))
    shown = ShownAnswers(job, kept, rows, _places(rows))
    _problems(rows)
    view = st.segmented_control(
        "Show",
        list(VIEWS),
        format_func=VIEWS.__getitem__,
        required=True,
        label_visibility="collapsed",
        **state.bound("predict view", draft.view, draft.put("view")),
    )
    if not len(shown.places):
        st.info("No image is as chosen above.", icon=":material/filter_alt_off:")
    elif view == "table":
        _table(shown)
    elif view == "correct":
        correct.draw(task, shown.job, kept, rows, _sheet(shown))
    else:
        _pictures(shown)
    _downloads(task, shown)


def _metrics(kept: KeptPredictions, rows: pd.DataFrame, run: str) -> None:
    read = rows["problem"].isna()
    whole, student = kept.seconds
    count = max(1, int(read.sum()))
    with_reading = f"With finding, reading and decoding the images it is {1000 * whole / count:.1f}."
    values = [
        ("Images", f"{int(read.sum()):,}", "Those that could be read."),
        ("Unsure", f"{int((rows['unsure'] & read).sum()):,}", "Their probability is below the threshold."),
        ("Milliseconds an image", f"{1000 * student / count:.1f}", f"In the student. {with_reading}"),
    ]
    if rows["unlike"].notna().any():
        values.insert(2, ("None of these?", f"{int(rows['unlike'].fillna(False).sum()):,}", _unlike_help(run)))
    if (~read).any():
        values.append(("Not read", f"{int((~read).sum()):,}", "They are listed below, with the reason."))
    with st.grid(len(values), min_column_width=140):
        for label, value, text in values:
            st.metric(label, value, help=text, border=True)


def _unlike_help(run: str) -> str:
    """What the mark means, and how often it is wrong of images that do belong to the task."""
    text = (
        f"Farther from the student's training images than {100 * QUANTILE:.0f} in 100 of these are from each other, in "
        "its own features: perhaps none of the classes."
    )
    found = kept_likeness(state.workspace().runs / run)
    if found is not None and found.held_out is not None:
        text += f" Of the task's held-out images, {wording.percent(found.held_out)} are marked too."
    return text


def _places(rows: pd.DataFrame) -> list[int]:
    """Which images are shown, in which order, by what is chosen here."""
    draft = PredictDraft.current()
    only = {
        "all": ("All images", rows["problem"].isna()),
        "unsure": ("Unsure ones", rows["unsure"] & rows["problem"].isna()),
    }
    if rows["unlike"].notna().any():
        only["unlike"] = ("None of these?", rows["unlike"].fillna(False).astype(bool))
    if rows["beside_class"].notna().any():
        only["differ"] = ("The students differ", (rows["class"] != rows["beside_class"]) & rows["problem"].isna())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Which",
            list(only),
            format_func=lambda key: only[key][0],
            width=190,
            **state.bound("predict only", draft.only if draft.only in only else "all", _first_sheet("only")),
        )
        classes = sorted(rows["class"].dropna().unique())
        named = st.multiselect(
            "Classes",
            classes,
            placeholder="All",
            width=320,
            **state.bound("predict classes", [c for c in draft.classes if c in classes], _first_sheet("classes")),
        )
        order = st.selectbox(
            "Order",
            list(ORDERS),
            format_func=ORDERS.__getitem__,
            width=190,
            **state.bound("predict order", draft.order, _first_sheet("order")),
        )
        st.slider(
            "Unsure below",
            0.0,
            1.0,
            step=0.01,
            width=220,
            **state.bound("predict unsure", draft.unsure, draft.put("unsure")),
        )
    held = only[chosen][1].to_numpy(dtype=bool)
    if named:
        held &= rows["class"].isin(named).to_numpy()
    return _ordered(rows, np.flatnonzero(held), order)


def _ordered(rows: pd.DataFrame, places: np.ndarray, order: str) -> list[int]:
    some = rows.iloc[places]
    if order == "name":
        some = some.sort_values(["class", "probability"], ascending=[True, False], kind="stable")
    elif order != "source":
        some = some.sort_values("probability", ascending=order == "least", kind="stable")
    return [int(place) for place in some.index]


def _first_sheet(field: str) -> Callable[[object], None]:
    """What a widget calls to keep its value, which begins with the first sheet again."""
    draft = PredictDraft.current()

    def keep(value: object) -> None:
        setattr(draft, field, value)
        draft.sheet = 1

    return keep


def _sheet(shown: ShownAnswers) -> list[int]:
    """The images of the chosen sheet; the choice stands below."""
    draft, sheets = PredictDraft.current(), -(-len(shown.places) // AT_ONCE)
    number = min(draft.sheet, sheets)
    if sheets > 1:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.pagination(sheets, **state.bound("predict sheet", number, draft.put("sheet")))
            st.caption(f"{len(shown.places):,} images")
    return list(shown.places[(number - 1) * AT_ONCE :][:AT_ONCE])


def _pictures(shown: ShownAnswers) -> None:
    places = _sheet(shown)
    copies = shown.kept.thumbnails(places)
    items = []
    for place, copy in zip(places, copies, strict=True):
        row = shown.rows.iloc[place]
        items.append(Picture(opened(copy), f"{row['file']}: {caption(row)}", caption(row)))
    images.pictures(items, PICTURE)
    if not all(copies):
        st.caption("Small copies are kept of the first 10,000 images only; the table has all answers.")


def opened(copy: bytes | None) -> Image.Image:
    """The picture of a small copy; a gray one where none is kept."""
    if copy is None:
        return Image.new("RGB", (8, 8), (160, 160, 160))
    return Image.open(io.BytesIO(copy), formats=("JPEG",)).convert("RGB")


def caption(row: pd.Series) -> str:
    """What is said of an image, in one line."""
    parts = [f"{row['class']} {wording.percent(row['probability'], 0)}"]
    if row["set"] is not None and len(row["set"]) > 1:
        others = [name for name in row["set"] if name != row["class"]]
        parts.append(f"or {wording.listed(others)}" if len(others) <= NAMED_OF_SET else f"or {len(others)} others")
    if row["unsure"]:
        parts.append("unsure")
    if row["unlike"] is True:
        parts.append("none of these?")
    if isinstance(row["beside_class"], str) and row["beside_class"] != row["class"]:
        parts.append(f"beside: {row['beside_class']} {wording.percent(row['beside_probability'], 0)}")
    return " · ".join(parts)


def _table(shown: ShownAnswers) -> None:
    found = shown.rows.iloc[list(shown.places)]
    columns = {
        "file": "File",
        "class": "Class",
        "probability": "Probability, %",
        "unsure": "Unsure",
        "set": "Set",
        "second_class": "Second class",
        "second_probability": "Second, %",
        "unlike": "None of these?",
        "beside_class": "Beside: class",
        "beside_probability": "Beside, %",
    }
    there = [name for name in columns if found[name].notna().any()]
    table = found[there].copy()
    for name in ("probability", "second_probability", "beside_probability"):
        if name in table:
            table[name] = 100 * table[name]
    table = table.rename(columns=columns)
    forms = dict.fromkeys(("Probability, %", "Second, %", "Beside, %"), ".1f")
    if len(table) <= STYLED:
        st.dataframe(tables.written(table, forms), hide_index=True, alt="What the student says of each image")
        return
    config = {name: st.column_config.NumberColumn(format="%.1f") for name in forms}
    st.dataframe(table, hide_index=True, column_config=config, alt="What the student says of each image")


STYLED = 2000  # rows; the browser would get each cell of more twice


def _problems(rows: pd.DataFrame) -> None:
    found = rows["problem"].dropna()
    if not len(found):
        return
    with st.expander(f"{wording.count(len(found), 'file')} could not be read", icon=":material/broken_image:"):
        st.markdown("\n".join(f"- {escape(problem)}" for problem in found[:NAMED]))
        if len(found) > NAMED:
            st.caption("The CSV has them all.")


def _downloads(task: Task, shown: ShownAnswers) -> None:
    run, now = spec_of_prediction(shown.job).run, jobs.status(shown.job)
    when, below = now.finished or datetime.now(UTC), PredictDraft.current().unsure
    name = f"{task.name}-predictions"

    def rows() -> pa.Table:
        return with_threshold(cached.predicted_rows(shown.kept), below)

    ways = (  # label, file, kind of file, what it is, what makes it
        ("CSV", f"{name}.csv", "text/csv", CSV_HELP, lambda: rows_as_csv(rows())),
        ("Parquet", f"{name}.parquet", "application/octet-stream", PARQUET_HELP, lambda: rows_as_parquet(rows())),
        ("Camtrap DP", "observations.csv", "text/csv", CAMTRAP_HELP, lambda: camtrap_observations(rows(), run, when)),
    )
    with st.container(horizontal=True):
        for label, file, mime, text, make in ways:
            st.download_button(
                label,
                make,
                file,
                mime,
                icon=":material/download:",
                on_click="ignore",
                key=f"predict {label}",
                help=text,
            )


CSV_HELP = "Text that a spreadsheet would compute begins with an apostrophe."
PARQUET_HELP = "Text as it is, sets as lists."
CAMTRAP_HELP = (
    "The observation columns of Camtrap DP 1.0, for camera traps. What is not known here stays empty: fill in "
    "deploymentID, eventStart and eventEnd."
)
