"""The report on the winner's errors: classes taken for each other, the surest errors as pictures, and each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from engine.delivery.judged import Judged
from engine.delivery.report_markup import NOT_KNOWN, Html, between, joined, name, note, paragraph, pictures, table, tag
from engine.delivery.report_material import ReportMaterial
from engine.errors import WorkbenchError
from engine.evaluation import (
    Estimate,
    class_scores,
    confusion_matrix,
    errors_by_confidence,
    most_confused,
    most_confused_classes,
)
from engine.wording import count, percent

IN_MATRIX = 20  # classes that fit on a page
PAIRS = 10
PICTURED = 4  # pairs that are shown by images
OF_A_PAIR = 6
SUREST = 12
CLASSES = 100  # of a table
LETTERS = 24  # of a class beside the matrix


def section(found: ReportMaterial) -> Iterator[Html]:
    """What is taken for what, and the surest errors."""
    student = found.judged
    wrong = int((~student.right).sum())
    yield paragraph(
        f"{student.title}: {wrong:,} of {count(len(student), 'held-out image')} wrong. It is the first seed's student "
        "of the method with the highest accuracy."
    )
    if not wrong:
        return
    matrix = confusion_matrix(student.predicted, student.labels, len(student.classes))
    yield _matrix(matrix, student.classes)
    yield Html("<h3>The classes confused most</h3>")
    pairs = most_confused(matrix, PAIRS)
    yield table(
        ("True class", "Taken for", "Images", "Of the class"),
        [
            (name(student.classes[p.label]), name(student.classes[p.predicted]), f"{p.images:,}", percent(p.share, 0))
            for p in pairs
        ],
        words=2,
    )
    for pair in pairs[:PICTURED]:
        places = np.flatnonzero((student.labels == pair.label) & (student.predicted == pair.predicted))
        shown = places[np.argsort(-student.confidence[places], kind="stable")][:OF_A_PAIR]
        label, taken = name(student.classes[pair.label]), name(student.classes[pair.predicted])
        yield tag("p", label, " taken for ", taken, ":")
        yield from _pictures(found, student, shown, short=True)
    yield Html("<h3>The surest errors</h3>")
    yield from _pictures(
        found,
        student,
        errors_by_confidence(student.predicted, student.labels, student.confidence)[:SUREST],
        short=False,
    )
    yield note("True class → what the student said, and how sure it was. A sure error is sometimes a wrong label.")


def classes_section(found: ReportMaterial) -> Iterator[Html]:
    """How well each class is recognized, the worst first."""
    student = found.judged
    scores = class_scores(student.predicted, student.labels, len(student.classes), student.groups)
    order = sorted(scores, key=lambda score: (score.f1.value is None, score.f1.value or 0.0, -score.images))
    yield table(
        ("Class", "Images", "Recall, %", "95\u00a0% interval", "Precision, %", "95\u00a0% interval", "F1, %"),
        [
            (
                name(student.classes[score.label]),
                f"{score.images:,}",
                _percent(score.recall),
                _interval(score.recall),
                _percent(score.precision),
                _interval(score.precision),
                _percent(score.f1),
            )
            for score in order[:CLASSES]
        ],
    )
    if len(order) > CLASSES:
        yield note(f"The {CLASSES} worst of {len(order):,} classes.")
    methods = {score.recall.interval.method.split(" over ")[0] for score in scores if score.recall.interval}
    how = " and ".join(sorted(methods)) or "none, as too few groups have images of a class"
    yield note(
        "The worst F1 first. Recall: of the class's images, how many are recognized. Precision: of the images said to "
        f"be of the class, how many are. Intervals: {how}."
    )


def _matrix(matrix: NDArray[np.int64], classes: Sequence[str]) -> Html:
    """A table whose cells are shaded by their share of the true class, a color for right and one for wrong."""
    drawn = most_confused_classes(matrix, IN_MATRIX) if len(classes) > IN_MATRIX else np.arange(len(classes))
    totals = np.maximum(matrix.sum(axis=1), 1)
    off = matrix / totals[:, None]
    np.fill_diagonal(off, 0)
    largest = float(off[np.ix_(drawn, drawn)].max(initial=0)) or 1.0
    titles = [_short(classes[label]) for label in drawn.tolist()]
    head = tag("tr", tag("th", "true ↓ said →"), *(tag("th", tag("span", title), scope="col") for title in titles))
    rows = []
    for label, title in zip(drawn.tolist(), titles, strict=True):
        cells = []
        for said in drawn.tolist():
            images, right = int(matrix[label, said]), label == said
            strength = images / totals[label] if right else off[label, said] / largest
            cells.append(
                tag(
                    "td",
                    f"{images:,}" if images else "",
                    class_=("r" if right else "w") if images else None,
                    style=f"--s:{strength:.2f}" if images else None,
                )
            )
        rows.append(tag("tr", tag("th", title, scope="row"), *cells))
    drawing = tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="wide matrix")
    what = "Images of each true class (row) by what they were taken for (column); right ones blue, wrong ones orange."
    if len(drawn) < len(classes):
        what = f"The {len(drawn)} of {len(classes):,} classes that are confused most. {what}"
    return joined([drawing, note(what)])


def _pictures(found: ReportMaterial, student: Judged, places: NDArray[np.int64], *, short: bool) -> Iterator[Html]:
    there = [place for place in places.tolist() if student.rows[place] >= 0]
    if not there:
        yield note("The task has these images no more.")
        return
    try:
        images = found.images([int(student.rows[place]) for place in there])
    except WorkbenchError as error:
        yield note(f"The images cannot be shown: {error}")
        return
    captions = []
    for place in there:
        sure = percent(float(student.confidence[place]), 0)
        label, said = (name(student.classes[number[place]]) for number in (student.labels, student.predicted))
        captions.append(Html(sure) if short else joined([label, " → ", said, f" {sure}"]))
    yield pictures(images, captions)


def _percent(found: Estimate) -> str:
    return NOT_KNOWN if found.value is None else f"{100 * found.value:.1f}"


def _interval(found: Estimate) -> str:
    return NOT_KNOWN if found.interval is None else between(found.interval.low, found.interval.high, "")


def _short(title: str) -> str:
    return title if len(title) <= LETTERS else f"{title[: LETTERS - 1]}…"
