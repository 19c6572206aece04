"""The one list of similarity metrics: what each is, needs and costs, and `score`, which computes any of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from engine.errors import InvalidInputError, TooFewLabelsError, UnknownNameError
from engine.evaluation.arrays import FloatArray
from engine.similarity.alignment import cka_of, debiased_cka_of
from engine.similarity.coding_rate import transrate_of
from engine.similarity.discriminant import nearest_class_mean_of, sfda_of
from engine.similarity.evidence import logme_of
from engine.similarity.gaussians import gbc_of
from engine.similarity.h_score import h_score_of, regularized_h_score_of
from engine.similarity.neighbors import knn_of
from engine.similarity.outputs import Sample
from engine.similarity.pairs import parc_of, rsa_of
from engine.similarity.points import Classes, Points
from engine.similarity.ridge import probe_of
from engine.similarity.source_classes import leep_of, nce_of

Input: TypeAlias = Literal["features", "labels", "pseudo_labels", "features2", "record"]
Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """What there is to know about a similarity metric before it is computed."""

    key: str
    title: str  # as on screen
    summary: str  # one sentence in plain words
    range: str  # in words, with the direction
    rule: Literal["clip", "minmax"]  # how weights make it non-negative
    cost: str  # order of growth in n images, d dimensions, C classes, Z classes of the teacher
    reference: str
    unit: str
    needs: tuple[Input, ...] = ("features", "labels")  # all of these; "record" is the teacher's record, no array
    needs_one_of: tuple[Input, ...] = ()  # and the first of these that is given, as the second argument
    labels_per_class: int = 1  # in at least one class; 0 where labels are not used
    scale: float = 1.0  # 100 where the value is a share or a correlation times 100


_ALL = (
    Metric(
        key="parc",
        title="PARC",
        summary="Are images with different labels farther apart in the teacher's features than images with the same?",
        labels_per_class=2,
        range="-100 to 100; higher is better, 0 is unrelated",
        rule="clip",
        cost="n² d + n² log n",
        reference="Bolya et al. 2021",
        unit="rank correlation × 100",
        scale=100.0,
    ),
    Metric(
        key="rsa",
        title="RSA",
        summary="Does the teacher find the same pairs of images alike as a second network, or its own pseudo-labels?",
        needs=("features",),
        needs_one_of=("features2", "pseudo_labels"),
        labels_per_class=0,
        range="-100 to 100; higher is more alike, 0 is unrelated",
        rule="clip",
        cost="n² d + n² log n",
        reference="Dwivedi and Roig 2019",
        unit="rank correlation × 100",
        scale=100.0,
    ),
    Metric(
        key="cka",
        title="CKA",
        summary="How much structure do the teacher's features share with the labels, or with a second network?",
        needs=("features",),
        needs_one_of=("features2", "labels"),
        range="0 to 1; higher is better, but noise in many dimensions scores above 0",
        rule="clip",
        cost="n d²",
        reference="Kornblith et al. 2019",
        unit="similarity",
    ),
    Metric(
        key="cka_debiased",
        title="CKA, debiased",
        summary="CKA, corrected so that noise in many dimensions scores about 0.",
        needs=("features",),
        needs_one_of=("features2", "labels"),
        labels_per_class=2,
        range="up to 1; higher is better, about 0 is unrelated, may be negative",
        rule="clip",
        cost="n d²",
        reference="Nguyen et al. 2021; Song et al. 2012",
        unit="similarity",
    ),
    Metric(
        key="nce",
        title="NCE",
        summary="How well does the teacher's single most likely class predict the label?",
        needs=("pseudo_labels", "labels"),
        range="at most 0; higher is better",
        rule="minmax",
        cost="n Z",
        reference="Tran et al. 2019",
        unit="nats per image",
    ),
    Metric(
        key="leep",
        title="LEEP",
        summary="How well do the teacher's class probabilities predict the label?",
        needs=("pseudo_labels", "labels"),
        range="at most 0; higher is better",
        rule="minmax",
        cost="n Z + C Z",
        reference="Nguyen et al. 2020",
        unit="nats per image",
    ),
    Metric(
        key="nleep",
        title="NLEEP",
        summary="LEEP with groups found in the teacher's features in place of its classes.",
        labels_per_class=2,
        range="at most 0; higher is better",
        rule="minmax",
        cost="n d² + n C per step of the mixture",
        reference="Li et al. 2021",
        unit="nats per image",
    ),
    Metric(
        key="logme",
        title="LogME",
        summary="How probable are the labels if they are a linear function of the features plus noise?",
        range="no fixed range; higher is better",
        rule="minmax",
        cost="n d² + d³",
        reference="You et al. 2021",
        unit="nats per image",
    ),
    Metric(
        key="h_score",
        title="H-score",
        summary="How much of the features' variation do the classes explain?",
        range="0 to C - 1; higher is better, always C - 1 when there are more dimensions than images",
        rule="minmax",
        cost="n d² + d³",
        reference="Bao et al. 2019",
        unit="explained directions",
    ),
    Metric(
        key="regularized_h_score",
        title="H-score, regularized",
        summary="The H-score with a covariance that few images can carry.",
        range="at least 0; higher is better",
        rule="minmax",
        cost="n d² + d³",
        reference="Ibrahim et al. 2022",
        unit="explained directions",
    ),
    Metric(
        key="gbc",
        title="GBC",
        summary="How little do the classes overlap if each is a round cloud in the teacher's features?",
        labels_per_class=2,
        range="-C (C - 1) to 0; higher is better",
        rule="minmax",
        cost="n d² + d³ + 64 C²",
        reference="Pándy et al. 2022",
        unit="overlap",
    ),
    Metric(
        key="transrate",
        title="TransRate",
        summary="How much shorter does a code for the features get once the class is known?",
        range="at least 0; higher is better, grows with the features' scale",
        rule="minmax",
        cost="n d² + d³",
        reference="Huang et al. 2022",
        unit="nats",
    ),
    Metric(
        key="sfda",
        title="SFDA",
        summary="How sure is a linear discriminant of the true class, after the classes were drawn together?",
        labels_per_class=2,
        range="0 to 1; higher is better, saturates at 1 when there are more dimensions than images",
        rule="minmax",
        cost="n d² + d³",
        reference="Shao et al. 2022",
        unit="probability",
    ),
    Metric(
        key="nearest_class_mean",
        title="Nearest class mean",
        summary="How sure are the distances to the class means of the true class?",
        range="0 to 1; higher is better",
        rule="minmax",
        cost="n d C",
        reference="Gholami et al. 2023",
        unit="probability",
    ),
    Metric(
        key="knn",
        title="Nearest neighbor",
        summary="How often does the nearest other image in the teacher's features have the same label?",
        labels_per_class=2,
        range="0 to 100; higher is better",
        rule="clip",
        cost="n² d",
        reference="Cover and Hart 1967",
        unit="percent",
        scale=100.0,
    ),
    Metric(
        key="probe",
        title="Linear probe",
        summary="How often is a linear classifier on the teacher's features right about images that it did not see?",
        labels_per_class=3,
        range="0 to 100; higher is better",
        rule="clip",
        cost="5 (n d² + 5 d³)",
        reference="Hoerl and Kennard 1970",
        unit="percent",
        scale=100.0,
    ),
    Metric(
        key="static",
        title="Size",
        summary="How large is the teacher, and how many images did it learn from? It does not look at the task.",
        needs=("record",),
        labels_per_class=0,
        range="no fixed range; higher is larger",
        rule="minmax",
        cost="none",
        reference="ours, as a baseline",
        unit="log10",
    ),
    Metric(
        key="random",
        title="By lot",
        summary="A number by lot. It does not look at the task.",
        needs=("record",),
        labels_per_class=0,
        range="0 to 1; means nothing",
        rule="clip",
        cost="none",
        reference="ours, as a baseline",
        unit="lot",
    ),
)

METRICS: dict[str, Metric] = {metric.key: metric for metric in _ALL}


_COMPUTE: dict[str, Callable[[Sample], float]] = {
    "parc": lambda sample: parc_of(sample.pairs, sample.classes),
    "rsa": lambda sample: rsa_of(sample.pairs, sample.other_pairs),
    "cka": lambda sample: cka_of(_features(sample), _second(sample)),
    "cka_debiased": lambda sample: debiased_cka_of(_features(sample), _second(sample)),
    "nce": lambda sample: nce_of(_pseudo_labels(sample), sample.classes),
    "leep": lambda sample: leep_of(_pseudo_labels(sample), sample.classes),
    "nleep": lambda sample: leep_of(sample.mixture, sample.classes),
    "logme": lambda sample: logme_of(_features(sample), sample.classes),
    "h_score": lambda sample: h_score_of(_features(sample), sample.classes),
    "regularized_h_score": lambda sample: regularized_h_score_of(_features(sample), sample.classes),
    "gbc": lambda sample: gbc_of(_features(sample), sample.classes),
    "transrate": lambda sample: transrate_of(_features(sample), sample.classes),
    "sfda": lambda sample: sfda_of(_features(sample), sample.classes),
    "nearest_class_mean": lambda sample: nearest_class_mean_of(_features(sample), sample.classes),
    "knn": lambda sample: knn_of(_features(sample), sample.classes),
    "probe": lambda sample: probe_of(_features(sample), sample.classes),
}


def _features(sample: Sample) -> Points:
    assert sample.features is not None
    return sample.features


def _second(sample: Sample) -> Points:
    """What CKA compares the features with."""
    if sample.features2 is not None:
        return sample.features2
    if sample.classes.number == 1:
        raise TooFewLabelsError("CKA needs labeled images of two classes or more, and only one class occurs.")
    return sample.classes.points


def _pseudo_labels(sample: Sample) -> FloatArray:
    assert sample.pseudo_labels is not None
    return sample.pseudo_labels


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
    record = metric(name)
    if "record" in record.needs:
        raise InvalidInputError(
            f"{record.title} is not computed from arrays but from the teacher's record: "
            f"call engine.similarity.{name} instead."
        )
    return score_of(name, Sample.of(labels, features=features, pseudo_labels=pseudo_labels, features2=features2))


def score_of(name: str, sample: Sample) -> float:
    """`score` of arrays that are checked already. Raises as `score` does."""
    record = metric(name)
    for names in (*((need,) for need in record.needs), record.needs_one_of):
        if names and all(getattr(sample, name) is None for name in names):
            raise InvalidInputError(f"{record.title} needs {' or '.join(names)}: pass {' or '.join(names)} to score().")
    if record.labels_per_class and sample.labels is not None and _looks_at_labels(record, sample):
        _require_labels(record, sample.classes)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what comes of it is checked below
            value = float(_COMPUTE[name](sample))
    except np.linalg.LinAlgError:  # a decomposition met such numbers on the way
        value = math.nan
    if not math.isfinite(value):
        raise InvalidInputError(
            f"{record.title} comes to {value} on these arrays: their entries are too large or too small to square; "
            "scale the features to about 1."
        )
    return value


def _looks_at_labels(record: Metric, sample: Sample) -> bool:
    return "labels" in record.needs or sample.features2 is None


def _require_labels(record: Metric, classes: Classes) -> None:
    fullest = int(classes.counts.max())
    if fullest < record.labels_per_class:
        raise TooFewLabelsError(
            f"{record.title} needs {record.labels_per_class} labeled images of a class, and no class has more than "
            f"{fullest}: label more images."
        )
