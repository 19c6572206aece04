"""A student's test images as the section Errors reads them; what takes a while is computed once for all sessions."""

from __future__ import annotations

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.views.results.students import Chosen
from engine.delivery import Judged, judge
from engine.evaluation import ClassScores, PairedAccuracies, class_scores, paired_accuracies

Numbers = NDArray[np.int64]


def judged(chosen: Chosen) -> Judged:
    """What a student said of the test images whose class is known, put together once for all sessions.

    Raises DamagedFileError, StorageError.
    """
    found, task = chosen.predictions, chosen.task
    key = chosen.run or f"recorded {task.name} {chosen.result.method}"
    revisions = f"{task.folder} {task.revision} {task.record.given_labels}"
    return _judged(key, revisions, found.labels, found.predicted, found.confidence, chosen)


@st.cache_resource(max_entries=32, show_spinner=False)
def _judged(
    key: str, revisions: str, labels: Numbers, predicted: Numbers, confidence: NDArray[np.float32], _chosen: Chosen
) -> Judged:
    return judge(_chosen.predictions, _chosen.task, _chosen.title, key)


def scores(found: Judged) -> tuple[ClassScores, ...]:
    """Precision, recall and F1 of each class."""
    return _scores(found.predicted, found.labels, len(found.classes), found.groups)


def paired(first: Judged, second: Judged) -> PairedAccuracies:
    """How two students compare on images that `engine.delivery.shared_by` gave."""
    return _paired(first.right.astype(np.int64), second.right.astype(np.int64), first.groups)


@st.cache_resource(max_entries=64, show_spinner=False)
def _paired(first: Numbers, second: Numbers, groups: Numbers | None) -> PairedAccuracies:
    return paired_accuracies(first, second, groups)


@st.cache_resource(max_entries=32, show_spinner="Counting how often each class is recognized")
def _scores(predicted: Numbers, labels: Numbers, classes: int, groups: Numbers | None) -> tuple[ClassScores, ...]:
    return class_scores(predicted, labels, classes, groups)
