"""How far a finished student's probabilities can be trusted, from what it says of its held-out images.

Two things are kept apart. What is *reported* is cross-fitted: temperature and thresholds are fitted on one half of the
held-out images (whole groups, where there are groups) and judged on the other, and the other way round, so that no
image is judged by what was fitted on it; training sees none of them. What is *applied* to new images is fitted on all
of the held-out ones, twice as many, and is therefore if anything a little better than what is reported.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.evaluation import (
    COVERAGES,
    CalibrationError,
    CoverageCurve,
    Interval,
    ReliabilityBin,
    at_temperature,
    calibration_error_interval,
    coverage_curve,
    cross_fitted,
    fit_set_threshold,
    fit_temperature,
    halves,
    prediction_sets,
    reliability,
    share_interval,
    too_few,
)
from engine.predictions import Predictions
from engine.results import read_result
from engine.runs import predictions_of
from engine.student import read_student
from engine.tasks import groups_of, task_as_labeled
from engine.workspace import Workspace

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The held-out images whose class is known. Arrays are `[n]`, in the order of the predictions."""

    classes: tuple[str, ...]
    probabilities: npt.NDArray[np.float32]  # [n, C], the student's own
    calibrated: npt.NDArray[np.float32]  # [n, C], each at the temperature of the other half; its own if none was fitted
    labels: Numbers  # class numbers
    groups: Numbers | None  # -1 for an image that stands alone; None where all do
    half: Numbers | None  # 0 or 1; None where nothing was fitted

    @property
    def predicted(self) -> Numbers:
        """The likeliest class, which no temperature changes."""
        found: Numbers = self.probabilities.argmax(axis=1)
        return found

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the likeliest class is the label."""
        found: npt.NDArray[np.bool_] = self.predicted == self.labels
        return found


@dataclass(frozen=True)
class Reliability:
    """Confidence beside accuracy: in bins, and as one number."""

    bins: tuple[ReliabilityBin, ...]
    error: CalibrationError


@dataclass(frozen=True)
class SetRule:
    """Prediction sets that are to hold the true class in a share of `coverage`."""

    coverage: float  # stated, 0 to 1
    threshold: float  # for new images, on the student's own probabilities: from it on a class belongs to the set
    realized: float  # cross-fitted: share of the held-out images whose set holds the true class
    interval: Interval | None  # of `realized`
    sizes: tuple[int, ...]  # cross-fitted: how many sets have 0, 1, 2, ... classes
    held: tuple[tuple[int, int], ...]  # cross-fitted, of each class: images whose set holds it, and its images

    @property
    def mean_size(self) -> float:
        """Classes in a set, on average."""
        return float(np.average(np.arange(len(self.sizes)), weights=self.sizes))


@dataclass(frozen=True, eq=False)
class Calibration:
    """What is known of a student's probabilities. `reason` says why nothing was fitted; None where it was."""

    reason: str | None
    temperature: float  # for new images; 1, which changes nothing, where nothing was fitted
    sets: tuple[SetRule, ...]  # one for each of `COVERAGES`; none where nothing was fitted
    curve: CoverageCurve  # of the confidence at the temperature, or the student's own where nothing was fitted
    before: Reliability
    after: Reliability | None  # at the temperature; None where nothing was fitted
    held_out: HeldOut

    @property
    def images(self) -> int:
        """Held-out images that all this rests on."""
        return len(self.held_out.labels)

    def calibrated(self, probabilities: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Probabilities of new images, `[n, C]` as the student says them, at the temperature. These are to be shown,
        and compared with "unsure below". Raises InvalidInputError for other arrays.
        """
        return at_temperature(probabilities, self.temperature) if self.reason is None else np.asarray(probabilities)

    def sets_of(self, probabilities: npt.ArrayLike, coverage: float) -> npt.NDArray[np.bool_]:
        """The prediction sets of new images, `[n, C]`, from the probabilities as the student says them; none is empty.

        Raises InvalidInputError where nothing was fitted, or for a coverage that is none of `COVERAGES`.
        """
        return prediction_sets(probabilities, self.rule(coverage).threshold)

    def rule(self, coverage: float) -> SetRule:
        """The sets of one coverage. Raises as `sets_of`."""
        for rule in self.sets:
            if rule.coverage == coverage:
                return rule
        raise InvalidInputError(
            self.reason or f"There are no sets for a coverage of {coverage:g}: choose {', '.join(map(str, COVERAGES))}."
        )


def calibration_of(predictions: Predictions, groups: npt.ArrayLike | None = None) -> Calibration:
    """What held-out predictions say of a student's probabilities; deterministic.

    groups: `[n]`, -1 for an image that stands alone, as `engine.tasks.groups_of` gives them. Raises InvalidInputError
    if no image has a known class, or not the probability of every class was kept.
    """
    found = _held_out(predictions, groups)
    confidence = found.probabilities.max(axis=1)
    before = _reliability(found, confidence)
    if found.half is None:
        reason = too_few(found.labels, found.groups)
        curve = coverage_curve(confidence, found.right, found.groups)
        return Calibration(reason, 1.0, (), curve, before, None, found)
    calibrated = found.calibrated.max(axis=1)
    return Calibration(
        reason=None,
        temperature=fit_temperature(found.probabilities, found.labels),
        sets=tuple(_set_rule(found, coverage) for coverage in COVERAGES),
        curve=coverage_curve(calibrated, found.right, found.groups),
        before=before,
        after=_reliability(found, calibrated),
        held_out=found,
    )


def run_calibration(workspace: Workspace, run: str) -> Calibration | None:
    """The calibration of a finished run, with the groups that its task has (none, where the task is gone).

    None for a run of an earlier version, which kept no predictions, for one without a held-out image whose class is
    known, and for a student that learned from the held-out images as well. Takes a second or two for 10,000 images of
    hundreds of classes. Raises DamagedFileError, StorageError.
    """
    if read_result(workspace.runs / run).accuracy is None:
        return None
    predictions = predictions_of(workspace, run)
    if predictions is None or not (predictions.labels >= 0).any():
        return None
    return calibration_of(predictions, _groups(workspace, read_student(workspace.runs / run).task, predictions))


def _groups(workspace: Workspace, task: str, predictions: Predictions) -> Numbers | None:
    try:
        return groups_of(task_as_labeled(workspace, task), predictions.image_ids)
    except (UnknownNameError, DamagedFileError):  # the student outlives its task
        return None


def _held_out(predictions: Predictions, groups: npt.ArrayLike | None) -> HeldOut:
    if predictions.columns is not None:
        raise InvalidInputError("Only the largest probabilities of each image were kept: ask the student once more.")
    known = np.flatnonzero(predictions.labels >= 0)
    if not len(known):
        raise InvalidInputError("No held-out image has a known class, so that nothing can be said: label some.")
    probabilities, labels = predictions.probabilities[known], predictions.labels[known]
    own = None if groups is None else np.asarray(groups, dtype=np.int64)[known]
    if too_few(labels, own) is not None:
        return HeldOut(predictions.classes, probabilities, probabilities, labels, own, None)
    half = halves(labels, own)
    calibrated = cross_fitted(half, probabilities, labels, fit_temperature, at_temperature).astype(np.float32)
    return HeldOut(predictions.classes, probabilities, calibrated, labels, own, half)


def _reliability(found: HeldOut, confidence: npt.NDArray[np.float32]) -> Reliability:
    return Reliability(
        reliability(confidence, found.right, found.groups),
        calibration_error_interval(confidence, found.right, found.groups),
    )


def _set_rule(found: HeldOut, coverage: float) -> SetRule:
    assert found.half is not None
    fit = partial(fit_set_threshold, coverage=coverage)
    sets = cross_fitted(found.half, found.probabilities, found.labels, fit, prediction_sets)
    held = sets[np.arange(len(found.labels)), found.labels].astype(np.bool_)
    number = len(found.classes)
    return SetRule(
        coverage=coverage,
        threshold=fit(found.probabilities, found.labels),
        realized=float(held.mean()),
        interval=share_interval(held, found.groups),
        sizes=tuple(np.bincount(sets.sum(axis=1)).tolist()),
        held=tuple(
            zip(
                np.bincount(found.labels[held], minlength=number).tolist(),
                np.bincount(found.labels, minlength=number).tolist(),
                strict=True,
            )
        ),
    )
