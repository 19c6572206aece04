"""Errors: two students on the same images, where one is right and the other is wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from app import state
from app.components import exhibits, wording
from app.components.escaping import escape
from app.views.results import image_grid, students
from app.views.results.draft import ResultsDraft
from app.views.results.judged import judged, paired
from app.views.results.sources import Shown
from engine.delivery import Judged, shared_by
from engine.evaluation import PairedAccuracies
from engine.results import RunResult
from engine.tasks import Task


def draw(shown: Shown, task: Task, found: Judged) -> None:
    """The choice of the second student, how sure the difference is, and the images that only one recognizes."""
    offered = _others(shown, found)
    if not offered:
        st.info("There is no second student in this comparison to hold this one against.", icon=":material/info:")
        return
    chosen = students.with_predictions(shown, task, students.select(shown, offered, "Compared with", "other"))
    if chosen is None:
        return
    first, second = shared_by(found, judged(chosen))
    if not len(first):
        st.info("These two students were not asked about the same images.", icon=":material/info:")
        return
    pair = paired(first, second)
    st.markdown(sentence(pair, first.title, second.title))
    _draw_images(first, second, pair)


def _others(shown: Shown, found: Judged) -> list[RunResult]:
    """The students that one can be held against: first other methods with its seed, which drew the same labels."""
    all_of_them = students.offered(shown)
    mine = next(result for result in all_of_them if students.title(result) == found.title)
    others = [result for result in all_of_them if result is not mine]
    return sorted(others, key=lambda other: (other.seed != mine.seed, other.method == mine.method))


def sentence(pair: PairedAccuracies, first: str, second: str) -> str:
    """What the same images say of two students, in Markdown."""
    said = (
        f"Of {wording.count(pair.images, 'test image')}, {escape(first)} alone is right on {pair.first_only:,} and "
        f"{escape(second)} alone on {pair.second_only:,}; both on {pair.both:,}, neither on {pair.neither:,}."
    )
    if pair.interval is None:
        return f"{said} How sure that is cannot be said: the images come in fewer than 5 groups."
    low, high, sign = pair.interval.low, pair.interval.high, 1
    if pair.difference < 0:
        low, high, sign = -high, -low, -1
    ahead, behind = (escape(first), escape(second))[::sign]
    sure = f"95\u00a0% interval {wording.points(low)} to {wording.points(high)}"
    if pair.p_value is not None:
        sure += f"; McNemar's test, p {_p(pair.p_value)}"
    difference = f"{wording.points(abs(pair.difference))} points ({sure})"
    if low > 0:
        return f"**{ahead} is better than {behind}** by {difference}. {said}"
    return f"**No clear difference** between {ahead} and {behind}: {difference}. {said}"


def images_table(first: Judged, second: Judged, places: NDArray[np.int64]) -> pd.DataFrame:
    """A row for each image: what it is, and what both students said."""
    return pd.DataFrame(
        {
            "Image": [first.image_ids[place] for place in places.tolist()],
            "True class": [first.classes[label] for label in first.labels[places].tolist()],
            first.title: [first.classes[label] for label in first.predicted[places].tolist()],
            f"{first.title}, probability, %": 100 * first.confidence[places],
            second.title: [second.classes[label] for label in second.predicted[places].tolist()],
            f"{second.title}, probability, %": 100 * second.confidence[places],
        }
    )


def _draw_images(first: Judged, second: Judged, pair: PairedAccuracies) -> None:
    cases = {
        "first": (f"Only {first.title} is right", pair.first_only, first.right & ~second.right),
        "second": (f"Only {second.title} is right", pair.second_only, second.right & ~first.right),
        "neither": ("Neither", pair.neither, ~first.right & ~second.right),
    }
    there = [key for key, (_, images, _) in cases.items() if images]
    if not there:
        st.caption("Both recognize every image.")
        return
    view = ResultsDraft.current().errors
    chosen = st.segmented_control(
        "Images",
        there,
        format_func=lambda key: f"{cases[key][0]} ({cases[key][1]:,})",
        required=True,
        label_visibility="collapsed",
        **state.bound("errors case", view.case if view.case in there else there[0], _put_case),
    )
    places = np.flatnonzero(cases[str(chosen)][2])
    places = places[np.argsort(-np.maximum(first.confidence, second.confidence)[places], kind="stable")]
    st.caption(f"True class → {escape(first.title)} · {escape(second.title)}; the surest first.")
    image_grid.draw(first, places, f"two {first.key} {second.key} {chosen}", second)
    exhibits.download_csv(
        lambda: images_table(first, second, places),
        f"{first.task.name} {first.title} and {second.title} {chosen}",
        f"two csv {first.key} {second.key} {chosen}",
    )


def _put_case(value: str) -> None:
    ResultsDraft.current().errors.case = value


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"= {value:.3f}"
