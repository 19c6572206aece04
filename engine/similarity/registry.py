"""The one list of similarity metrics, in the order that tables have, and `score`, which computes any of them."""

from __future__ import annotations

import math
from importlib import import_module

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError, UnknownNameError
from engine.similarity.metric import Metric
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.points import Classes

# One line for each file of metrics: a family of them, with its records in `METRICS`.
FAMILIES = (
    "engine.similarity.pairs",
    "engine.similarity.alignment",
    "engine.similarity.source_classes",
    "engine.similarity.evidence",
    "engine.similarity.h_score",
    "engine.similarity.gaussians",
    "engine.similarity.coding_rate",
    "engine.similarity.discriminant",
    "engine.similarity.neighbors",
    "engine.similarity.ridge",
    "engine.similarity.baselines",
)
METRICS: dict[str, Metric] = {}


def register(family: str) -> None:
    """Add the metrics of the module `family` to `METRICS`, which every ranking, table and card reads.

    Raises InvalidInputError for a key that is taken, or a metric that is computed from nothing.
    """
    for one in import_module(family).METRICS:
        if one.key in METRICS:
            raise InvalidInputError(f"There are two metrics {one.key!r}: give one of them another key.")
        if (one.of_outputs is None) == (one.of_record is None):
            raise InvalidInputError(f"Metric {one.key!r} is computed of outputs or of a record: give one of the two.")
        METRICS[one.key] = one


for _family in FAMILIES:
    register(_family)


def metric(name: str) -> Metric:
    """The record of the metric `name`. Raises UnknownNameError if there is none."""
    if name not in METRICS:
        raise UnknownNameError("metric", name, METRICS)
    return METRICS[name]


def score(
    name: str,
    *,
    features: npt.ArrayLike | None = None,
    labels: npt.ArrayLike | None = None,
    pseudo_labels: npt.ArrayLike | None = None,
    features2: npt.ArrayLike | None = None,
) -> float:
    """Similarity of one teacher to one task by the metric `name`; unit, range and direction are in `METRICS[name]`.

    `features [n, d]` and `pseudo_labels [n, Z]` of the teacher, `labels [n]` of any whole numbers, and `features2
    [n, e]` of a second network. Everything that is given is checked, needed or not. RSA compares the features with
    `features2` if given, else with `pseudo_labels`; CKA with `features2` if given, else with the one-hot `labels`.

    Raises UnknownNameError for a metric that does not exist; TooFewLabelsError when not even one class has the labels
    per class that the metric needs (a class with fewer beside one with enough takes part); InvalidInputError for an
    input that is missing or cannot be used, and when the metric is not defined on it. The value is never NaN.

    >>> score("nce", pseudo_labels=[[0.9, 0.1], [0.2, 0.8]], labels=[0, 1])
    0.0
    """
    metric(name)
    return score_of(
        name, LabeledOutputs.of(labels, features=features, pseudo_labels=pseudo_labels, features2=features2)
    )


def score_of(name: str, outputs: LabeledOutputs) -> float:
    """`score` of arrays that are checked already. Raises as `score` does."""
    record = metric(name)
    if record.of_outputs is None:
        raise InvalidInputError(
            f"{record.title} is not computed from arrays but from the teacher's record: choose another metric."
        )
    for names in (*((need,) for need in record.needs), record.needs_one_of):
        if names and all(getattr(outputs, name) is None for name in names):
            raise InvalidInputError(f"{record.title} needs {' or '.join(names)}: pass {' or '.join(names)} to score().")
    if record.labels_per_class and outputs.labels is not None and _uses_labels(record, outputs):
        _require_labels(record, outputs.classes)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what comes of it is checked below
            value = float(record.of_outputs(outputs))
    except np.linalg.LinAlgError:  # a decomposition met such numbers on the way
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInputError(
            f"{record.title} comes to {value} on these arrays: their entries are too large or too small to square; "
            "scale the features to about 1."
        )
    return value


def _uses_labels(record: Metric, outputs: LabeledOutputs) -> bool:
    return "labels" in record.needs or outputs.features2 is None


def _require_labels(record: Metric, classes: Classes) -> None:
    fullest = int(classes.counts.max())
    if fullest < record.labels_per_class:
        raise TooFewLabelsError(
            f"{record.title} needs {record.labels_per_class} labeled images of a class, and no class has more than "
            f"{fullest}: label more images."
        )
