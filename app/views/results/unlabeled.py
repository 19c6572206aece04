"""Results, Labels: what a student says of training images whose class it was not told, the least sure first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from app.components import exhibits, images, wording
from app.components.images import Thumbnail
from app.views.results import students
from app.views.results.sources import Shown
from engine.predictions import Predictions
from engine.tasks import Task

AT_ONCE = 48  # images that are shown; the CSV has them all
SIZE = 88  # pixels of an image's side


def draw(shown: Shown, task: Task) -> None:
    """The part."""
    if shown.recorded:
        st.caption("The students of a recorded comparison do not come with the program, so none of them can be asked.")
        return
    result = students.select(shown, students.of_all_seeds(shown))
    if result.labeled_images >= result.train_images:
        st.caption("This student was told the class of every training image.")
        return
    chosen = students.with_predictions(shown, task, result, "unlabeled")
    if chosen is None:
        return
    found = chosen.predictions
    order = np.argsort(found.confidence, kind="stable")
    row_of = {image: row for row, image in enumerate(task.images.image_ids)}
    there = [place for place in order.tolist() if found.image_ids[place] in row_of]
    images.grid(task, [_thumbnail(found, place, row_of) for place in there[:AT_ONCE]], SIZE)
    left = f"The {AT_ONCE} of which it is least sure, of {len(there):,}" if len(there) > AT_ONCE else "Least sure first"
    st.caption(f"{left}, with its own probabilities.")
    exhibits.download_csv(
        lambda: _table(found, order.tolist()), f"unlabeled {task.name} {chosen.title}", "unlabeled csv"
    )


def _thumbnail(found: Predictions, place: int, row_of: dict[str, int]) -> Thumbnail:
    image = found.image_ids[place]
    said = f"{found.classes[found.predicted[place]]}, {wording.percent(float(found.confidence[place]))}"
    return Thumbnail(row_of[image], f"{image}: {said}", said)


def _table(found: Predictions, order: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "Image": [found.image_ids[place] for place in order],
            "Class": [found.classes[number] for number in found.predicted[order]],
            "Probability": found.confidence[order],
        }
    )
