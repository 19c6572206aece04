"""Results, Errors: which images a student gets wrong, of which classes, how surely, and where another does better."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app import state
from app.components import exhibits, wording
from app.components.escaping import escape
from app.views.results import by_class, confusion, image_grid, students, two_students
from app.views.results.draft import ResultsDraft
from app.views.results.judged import Numbers, judged
from app.views.results.sources import Shown
from engine.delivery import Judged
from engine.evaluation import errors_by_confidence
from engine.tasks import Task

PARTS = {
    "matrix": "Confusion matrix",
    "surest": "Most confident errors",
    "classes": "By class",
    "two": "Two students",
}
EVERY = -1  # in place of a class number


def render(shown: Shown, task: Task) -> None:
    """The section."""
    chosen = students.choose(shown, task)
    if chosen is None:
        return
    found = judged(chosen)
    if not len(found):
        st.info("No test image of this run has a label, so nobody knows which ones are wrong.", icon=":material/info:")
        return
    only = np.unique(found.labels)
    if len(only) == 1:
        st.warning(
            f"All {wording.count(len(found), 'test image')} are of one class, {escape(found.classes[only[0]])}: how "
            "classes are confused cannot be seen. Hold out images of the others on the page Task, part Check.",
            icon=":material/warning:",
        )
    if told := image_grid.changed_sentence(found):
        st.info(told, icon=":material/history:")
    part = _choose_part()
    if part == "matrix":
        confusion.draw(found)
    elif part == "surest":
        _draw_surest(found)
    elif part == "classes":
        by_class.draw(found)
    else:
        two_students.draw(shown, task, found)


def _choose_part() -> str:
    view = ResultsDraft.current().errors
    return str(
        st.segmented_control(
            "Errors",
            list(PARTS),
            format_func=PARTS.__getitem__,
            required=True,
            label_visibility="collapsed",
            **state.bound("errors part", view.part, _put_part),
        )
    )


def _put_part(value: str) -> None:
    ResultsDraft.current().errors.part = value


def _draw_surest(found: Judged) -> None:
    errors = errors_by_confidence(found.predicted, found.labels, found.confidence)
    if not len(errors):
        st.success(
            f"{escape(found.title)} is right on all {wording.count(len(found), 'test image')}.",
            icon=":material/check_circle:",
        )
        return
    errors = _of_class(found, errors)
    st.caption(f"{wording.count(len(errors), 'error')}, the surest first. True class → what the student said.")
    image_grid.draw(found, errors, f"surest {found.key} {len(errors)}")
    exhibits.download_csv(
        lambda: errors_table(found, errors), f"errors {found.task.name} {found.title}", f"errors csv {found.key}"
    )


def _of_class(found: Judged, errors: Numbers) -> Numbers:
    """The errors of the class that is chosen, or all of them."""
    counts = np.bincount(found.labels[errors], minlength=len(found.classes))
    wrong = [label for label in np.argsort(-counts, kind="stable").tolist() if counts[label]]
    view = ResultsDraft.current().errors
    chosen = st.selectbox(
        "True class",
        [EVERY, *wrong],
        format_func=lambda label: "All" if label == EVERY else f"{found.classes[label]} ({counts[label]:,})",
        width=320,
        **state.bound("errors of class", view.of_class if view.of_class in wrong else EVERY, _put_class),
    )
    return errors if chosen == EVERY else errors[found.labels[errors] == chosen]


def _put_class(label: int) -> None:
    ResultsDraft.current().errors.of_class = label


def errors_table(found: Judged, places: Numbers) -> pd.DataFrame:
    """A row for each image that is wrong: what it is, what it was taken for, and how surely."""
    return pd.DataFrame(
        {
            "Image": [found.image_ids[place] for place in places.tolist()],
            "True class": [found.classes[label] for label in found.labels[places].tolist()],
            "Said": [found.classes[label] for label in found.predicted[places].tolist()],
            "Probability, %": 100 * found.confidence[places],
        }
    )
