"""Errors: the confusion matrix, whose cells and pairs lead to their images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import exhibits, tables, wording
from app.components.confusion import IN_TABLE, NAMED, figure, pairs_table, shares_of, worst_classes
from app.components.escaping import escape
from app.views.results import image_grid
from app.views.results.draft import ResultsDraft
from app.views.results.errors_view import ErrorsView, MatrixCell
from engine.delivery import Judged
from engine.evaluation import confusion_matrix, most_confused

PAIRS, MORE_PAIRS = 10, 50  # of the most confused classes; more where the matrix is too large to be read


def draw(found: Judged) -> None:
    """The matrix, the most confused pairs beside it, and the images of the cell that is picked."""
    matrix = confusion_matrix(found.predicted, found.labels, len(found.classes))
    left, right = st.columns([5, 4], gap="medium")
    with left:
        picked = _draw_matrix(found, matrix)
    with right:
        paired = _draw_pairs(found, matrix)
    cell = _newest(found.key, picked, paired)
    if cell is None:
        st.caption("Click a cell or a pair of classes to see its images.")
    else:
        _draw_images(found, cell)


def matrix_table(matrix: NDArray[np.int64], classes: Sequence[str], *, shares: bool) -> pd.DataFrame:
    """The matrix with a row for each class and a column for each class it is taken for: images, or percent of a row."""
    values = 100 * shares_of(matrix) if shares else matrix
    columns = {f"as {name}": values[:, number] for number, name in enumerate(classes)}
    return pd.DataFrame({"True class": list(classes), "Images": matrix.sum(axis=1), **columns})


def _draw_matrix(found: Judged, matrix: NDArray[np.int64]) -> MatrixCell | None:
    shares = (
        st.segmented_control(
            "Cells",
            ("counts", "shares"),
            format_func={"counts": "Images", "shares": "Share of the class"}.__getitem__,
            required=True,
            label_visibility="collapsed",
            **state.bound("confusion cells", _view().cells, _put_cells),
        )
        == "shares"
    )
    drawn = worst_classes(matrix)
    if len(drawn) < len(found.classes):
        st.caption(
            f"The {len(drawn)} of {len(found.classes):,} classes that are confused most; the CSV has all of them."
        )
    table = matrix_table(matrix, found.classes, shares=shares)
    forms = {name: tables.PERCENT if shares else tables.COUNT for name in table.columns[2:]}
    right = int(np.trace(matrix))
    points = exhibits.draw(
        figure(matrix, found.classes, drawn, shares=shares),
        table,
        {"Images": tables.COUNT, **forms},
        name=f"confusion matrix {found.task.name} {found.title}",
        alt=f"Confusion matrix of {found.title}: {right:,} of {len(found):,} test images lie on the diagonal; the "
        "table beside it names the most confused classes",
        key=f"confusion {found.key} {shares}",
        show_table=len(found.classes) <= IN_TABLE,
        pick="points",
    )
    chosen = [point["customdata"] for point in points if "customdata" in point]
    return _cell(found, *chosen[0]) if chosen else None


def _draw_pairs(found: Judged, matrix: NDArray[np.int64]) -> MatrixCell | None:
    st.markdown("**Most confused**")
    table = pairs_table(matrix, found.classes, PAIRS if len(found.classes) <= NAMED else MORE_PAIRS)
    if table.empty:
        st.caption("No image was taken for another class.")
        return None
    rows = exhibits.draw_table(
        table,
        {"Images": tables.COUNT, "Of class, %": tables.PERCENT},
        name=f"most confused {found.task.name} {found.title}",
        alt="Pairs of classes that are confused most often; pick one to see its images",
        key=f"confused pairs {found.key}",
        pick=True,
    )
    pairs = most_confused(matrix, len(table))
    return _cell(found, pairs[rows[0]].label, pairs[rows[0]].predicted) if rows else None


def _draw_images(found: Judged, cell: MatrixCell) -> None:
    of = (found.labels == cell.label) & (found.predicted == cell.predicted)
    places = np.flatnonzero(of)
    places = places[np.argsort(-found.confidence[places], kind="stable")]
    label, predicted = escape(found.classes[cell.label]), escape(found.classes[cell.predicted])
    title = f"{label}, recognized" if cell.label == cell.predicted else f"{label} taken for {predicted}"
    st.markdown(f"**{wording.isolated(title)}**: {wording.count(len(places), 'image')}, the surest first")
    image_grid.draw(found, places, f"cell {found.key} {cell.label} {cell.predicted}")


def _view() -> ErrorsView:
    return ResultsDraft.current().errors


def _put_cells(value: str) -> None:
    _view().cells = value


def _cell(found: Judged, label: int, predicted: int) -> MatrixCell:
    return MatrixCell(found.key, int(label), int(predicted))


def _newest(student: str, *picked: MatrixCell | None) -> MatrixCell | None:
    """The cell that was picked last, whether in the matrix or among the pairs: the one that was not there before."""
    view = _view()
    before = view.picked
    view.picked = picked
    for now, then in zip(picked, before or (None,) * len(picked), strict=True):
        if now != then and now is not None:
            view.cell = now
    return view.cell if view.cell is not None and view.cell.student == student else None
