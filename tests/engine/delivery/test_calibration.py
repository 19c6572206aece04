"""Calibration of a run from its kept predictions: what is reported is cross-fitted, what is applied fitted on all."""

from dataclasses import replace

import numpy as np
import pytest

from engine.delivery import calibration_of, run_calibration
from engine.errors import InvalidInputError
from engine.evaluation import (
    COVERAGES,
    at_temperature,
    calibration_error,
    fit_set_threshold,
    fit_temperature,
    prediction_sets,
)
from engine.files import write_json
from engine.predictions import PREDICTIONS, largest, predictions_from, write_predictions
from engine.records import as_value
from engine.results import RESULT, read_result
from engine.runs import predictions_of
from engine.tasks import groups_of, read_groups
from engine.tasks.facts import Facts, write_facts
from tests.app import made_runs

CLASSES = ("bolt", "nut", "screw", "washer")


def kept(images=400, seed=0, sharper=2.5, classes=CLASSES):
    """Predictions as a run keeps them, of a student that is `sharper` times too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (images, len(classes)))
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (true.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    scores = np.exp(sharper * logits)
    scores /= scores.sum(axis=1, keepdims=True)
    return predictions_from([f"{i}.png" for i in range(images)], classes, labels, scores.astype(np.float32))


def test_what_is_applied_is_fitted_on_all_and_what_is_reported_on_the_other_half():
    predictions = kept()
    found = calibration_of(predictions)
    scores, labels, half = predictions.probabilities, predictions.labels, found.held_out.half
    assert (found.reason, found.images) == (None, 400)
    assert found.temperature == fit_temperature(scores, labels) == pytest.approx(2.5, rel=0.15)
    for side in (0, 1):
        other = fit_temperature(scores[half != side], labels[half != side])
        expected = at_temperature(scores[half == side], other)
        np.testing.assert_allclose(found.held_out.calibrated[half == side], expected, atol=1e-6)
    assert found.after.error.value == pytest.approx(calibration_error(found.held_out.calibrated, labels), abs=1e-6)
    assert found.after.error.value < found.before.error.value / 2
    rule = found.rule(0.9)
    assert rule.threshold == fit_set_threshold(scores, labels, 0.9)
    held = sum(
        prediction_sets(scores[half == side], fit_set_threshold(scores[half != side], labels[half != side], 0.9))[
            np.arange((half == side).sum()), labels[half == side]
        ].sum()
        for side in (0, 1)
    )
    assert rule.realized == held / 400
    assert rule.realized in rule.interval
    assert 0.9 in rule.interval
    assert [sum(images) for images in zip(*rule.held, strict=True)] == [held, 400]
    assert found.curve.at(0).accuracy == np.mean(predictions.predicted == labels)
    assert found.curve.at(0.6).decided == (found.held_out.calibrated.max(axis=1) >= 0.6).sum()


def test_new_images_get_the_temperature_and_sets():
    found = calibration_of(kept())
    new = kept(50, seed=1).probabilities
    np.testing.assert_allclose(found.calibrated(new), at_temperature(new, found.temperature))
    sizes = [found.sets_of(new, coverage).sum(axis=1).mean() for coverage in COVERAGES]
    assert 1 <= sizes[0] < sizes[1] < sizes[2]
    assert found.rule(0.8).mean_size == pytest.approx(sizes[0], abs=0.4)
    with pytest.raises(InvalidInputError, match=r"choose 0\.8, 0\.9, 0\.95"):
        found.sets_of(new, 0.5)


@pytest.mark.parametrize("images", [1, 2, 99])
def test_under_100_images_nothing_is_fitted_and_a_sentence_says_so(images):
    predictions = kept(images)
    found = calibration_of(predictions)
    assert f"{images} held-out image" in found.reason
    assert (found.temperature, found.sets, found.after, found.held_out.half) == (1.0, (), None, None)
    assert (found.calibrated(predictions.probabilities) == predictions.probabilities).all()
    assert len(found.curve.points) == 101
    assert found.before.bins
    with pytest.raises(InvalidInputError, match="too few"):
        found.sets_of(predictions.probabilities, 0.9)


def test_groups_stay_whole_and_images_without_a_known_class_are_left_out():
    predictions = kept(300)
    labels = predictions.labels.copy()
    labels[:60] = -1
    groups = np.arange(300) // 12
    found = calibration_of(replace(predictions, labels=labels), groups)
    assert found.images == 240
    assert all(len(set(found.held_out.half[found.held_out.groups == group])) == 1 for group in range(5, 25))
    assert "20 groups" in found.rule(0.9).interval.method
    assert "20 groups" in found.after.error.interval.method


def test_a_run_is_judged_by_the_groups_of_its_task_as_long_as_there_is_one(home):
    task, comparison = made_runs.planned(home, ["fine-tune"], [0])
    made_runs.finish(home, comparison)
    run, ids = comparison.runs[0], task.images.image_ids
    path, count = home.runs / run / PREDICTIONS, len(ids)
    assert run_calibration(home, run).held_out.groups is None
    groups = np.array([f"g{row // 40}" if row % 40 else "" for row in range(count)])
    sides, same = np.full(count, 8, dtype=np.int32), np.arange(count)
    write_facts(task.folder, ids, Facts(sides, sides, groups, same, same, np.zeros(count, dtype=bool), [[]] * count))
    found = run_calibration(home, run).held_out.groups
    place = {image: row for row, image in enumerate(ids)}
    rows = [place[image] for image in predictions_of(home, run).image_ids]
    assert [len(set(found[groups[rows] == name])) for name in np.unique(groups[rows])] == [1] * len(set(groups[rows]))
    assert set(found[groups[rows] == ""]) == {-1}
    assert groups_of(task, [ids[1], "gone"]).tolist() == [read_groups(task.folder)[1], -1]
    result = read_result(home.runs / run)
    write_json(home.runs / run / RESULT, as_value(replace(result, accuracy=None)))
    assert run_calibration(home, run) is None  # a student that learned from these very images
    write_json(home.runs / run / RESULT, as_value(result))
    task.folder.rename(home.path / "elsewhere")
    assert run_calibration(home, run).held_out.groups is None
    write_predictions(path, predictions_from(ids[:1], CLASSES, np.array([-1]), np.eye(4)[:1]))
    assert run_calibration(home, run) is None
    path.unlink()
    assert run_calibration(home, run) is None


def test_one_class_alone_or_a_class_without_images_is_no_reason_to_fail():
    predictions = kept(120)
    one = calibration_of(replace(predictions, labels=np.zeros(120, dtype=np.int64)))
    assert one.rule(0.9).held[1:] == ((0, 0),) * 3
    assert one.reason is None


def test_a_student_without_errors_is_calibrated():
    labels = np.arange(120) % 4
    found = calibration_of(predictions_from([str(i) for i in range(120)], CLASSES, labels, np.eye(4)[labels]))
    assert found.after.error.value == pytest.approx(0, abs=1e-3)
    assert found.rule(0.95).sizes == (0, 120)


def test_what_cannot_be_judged_is_refused():
    predictions = kept(120)
    with pytest.raises(InvalidInputError, match="No held-out image has a known class"):
        calibration_of(replace(predictions, labels=np.full(120, -1)))
    with pytest.raises(InvalidInputError, match="largest probabilities"):
        calibration_of(largest(predictions, 2))
