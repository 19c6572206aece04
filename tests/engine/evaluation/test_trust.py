"""Calibration, coverage curves, prediction sets, cross-fitting: against hand calculations and made-up truth."""

import math

import numpy as np
import pytest
import scipy

from engine.errors import InvalidInputError
from engine.evaluation import (
    COVERAGES,
    at_temperature,
    calibration_error,
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
    wilson_interval,
)


def made_up(images, classes, seed, sharper=1.0):
    """Labels drawn from true probabilities, and the probabilities of a network that is `sharper` times too sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (images, classes))
    true = scipy.special.softmax(logits, axis=1)
    labels = (true.cumsum(axis=1) > rng.random((images, 1))).argmax(axis=1)
    return scipy.special.softmax(sharper * logits, axis=1), labels


def judged(scores, labels):
    return scores.max(axis=1), scores.argmax(axis=1) == labels


# Bins and calibration error.


def test_bins_say_how_sure_and_how_often_right():
    first, last = reliability([0.5, 0.45, 0.9, 1.0], [True, False, True, True], bins=2)
    assert (first.low, first.high, first.images, first.confidence, first.accuracy) == (0, 0.5, 2, 0.475, 0.5)
    assert (last.images, last.confidence, last.accuracy, last.interval) == (2, 0.95, 1, wilson_interval(2, 2))


def test_the_error_is_that_of_the_bins_and_of_the_other_function():
    scores, labels = made_up(400, 3, 0, sharper=2)
    sure, right = judged(scores, labels)
    by_bins = sum(found.images * abs(found.confidence - found.accuracy) for found in reliability(sure, right)) / 400
    found = calibration_error_interval(sure, right)
    assert found.value == pytest.approx(calibration_error(scores, labels)) == pytest.approx(by_bins)
    assert found.value in found.interval
    assert found.interval.method == "bootstrap over 400 images"


def test_the_interval_of_the_error_holds_0_for_true_probabilities_and_not_for_others():
    lows = [calibration_error_interval(*judged(*made_up(150, 3, seed)), draws=200).interval.low for seed in range(40)]
    assert lows.count(0) >= 0.9 * 40
    assert calibration_error_interval(*judged(*made_up(500, 3, 1, sharper=4))).interval.low > 0.05


def test_images_that_resemble_each_other_make_the_interval_wider():
    sure, right = judged(*made_up(60, 3, 2, sharper=2))
    groups = np.arange(60).repeat(5)
    alone = calibration_error_interval(sure.repeat(5), right.repeat(5)).interval
    together = calibration_error_interval(sure.repeat(5), right.repeat(5), groups).interval
    assert together.high - together.low > 1.5 * (alone.high - alone.low)  # sqrt(5) for a mean
    assert together.method == "bootstrap over 60 groups"
    assert calibration_error_interval(sure, right, np.zeros(60, int)).interval is None


# An interval of a share, by groups.


def test_images_of_their_own_have_wilsons_interval():
    hits = np.arange(50) % 3 > 0
    for groups in (None, np.full(50, -1), np.arange(50)):
        assert share_interval(hits, groups) == wilson_interval(33, 50)


def test_groups_that_are_all_alike_count_as_one_image_each():
    hits = np.array([True] * 15 + [False] * 5)
    found, alone = share_interval(hits.repeat(4), np.arange(20).repeat(4)), wilson_interval(15, 20)
    assert found.low < alone.low < found.high  # wider than 20 images, for t in the place of the normal quantile
    assert found.high - found.low == pytest.approx(alone.high - alone.low, rel=0.1)
    everything_right = share_interval(np.ones(80, bool), np.arange(20).repeat(4))
    assert everything_right.low == pytest.approx(wilson_interval(20, 20).low, abs=0.03)
    assert share_interval(hits, np.zeros(20, int)) is None


def test_the_interval_by_groups_holds_the_truth_as_often_as_it_says():
    rng, held, groups = np.random.default_rng(0), 0, np.arange(25).repeat(8)
    for _ in range(300):
        hits = rng.random(200) < rng.beta(4, 2, 25).repeat(8)  # a group's own share, 2/3 on average
        held += 2 / 3 in share_interval(hits, groups)
    assert held >= 0.92 * 300  # Wilson's over the images alone: 78 %


# Temperature.


def test_the_temperature_of_one_that_is_twice_too_sure_is_2():
    scores, labels = made_up(4000, 5, 0, sharper=2)
    found = fit_temperature(scores, labels)
    assert found == pytest.approx(2, rel=0.06)
    np.testing.assert_allclose(at_temperature(scores, 2.0), made_up(4000, 5, 0)[0], atol=1e-3)  # up to the clipping
    assert calibration_error(at_temperature(scores, found), labels) < calibration_error(scores, labels) / 4


def test_the_fit_is_the_minimum_of_the_negative_log_likelihood():
    scores, labels = made_up(150, 4, 3, sharper=1.7)

    def loss(temperature):
        return -np.log(at_temperature(scores, temperature)[np.arange(150), labels]).mean()

    grid = np.linspace(0.8, 3, 441)
    assert fit_temperature(scores, labels) == pytest.approx(grid[np.argmin([loss(t) for t in grid])], abs=0.006)


def test_kept_probabilities_of_0_and_a_classifier_without_errors_have_a_finite_temperature():
    sure = np.array([[1, 0], [0, 1]], dtype=np.float16)
    assert fit_temperature(sure, [0, 1]) == pytest.approx(0.1, rel=0.01)
    assert at_temperature(sure, 1.0)[0, 1] == pytest.approx(2**-24)  # the smallest float16 above 0
    assert fit_temperature(sure, [1, 0]) == pytest.approx(10, rel=0.01)
    with pytest.raises(InvalidInputError, match="above 0"):
        at_temperature(sure, 0)


# Unsure below.


def test_the_coverage_curve_by_hand():
    curve = coverage_curve([0.95, 0.9, 0.6, 0.3], [True, True, False, False])
    assert [point.decided for point in (curve.at(0), curve.at(0.6), curve.at(0.61), curve.at(0.9), curve.at(1))] == [
        4, 3, 2, 2, 0,
    ]  # fmt: skip
    found = curve.at(0.6)
    assert (found.coverage, found.accuracy, found.left) == (0.75, 2 / 3, 1)
    assert found.interval == wilson_interval(2, 3)
    assert (curve.at(1).accuracy, curve.at(1).interval) == (None, None)
    assert len(curve.points) == 101
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        curve.at(1.2)


# Prediction sets.


@pytest.mark.parametrize("coverage", COVERAGES)
def test_sets_hold_the_true_class_as_often_as_is_asked_for(coverage):
    held = []
    for seed in range(60):  # of exchangeable images; the network's probabilities are far from true
        scores, labels = made_up(400, 6, seed, sharper=3)
        threshold = fit_set_threshold(scores[:100], labels[:100], coverage)
        held.append(prediction_sets(scores[100:], threshold)[np.arange(300), labels[100:]].mean())
    assert coverage - 0.01 <= np.mean(held) <= coverage + 1 / 101 + 0.015  # the theorem's two bounds, with noise


def test_the_threshold_is_the_order_statistic_of_the_theorem():
    scores = np.array([[p, 1 - p] for p in np.linspace(0.05, 0.95, 19)])
    # 20 * 0.9 = 18th smallest of 1 - p: the second smallest p, 0.1; and of 0.95 the smallest
    assert fit_set_threshold(scores, np.zeros(19, int), 0.9) == pytest.approx(0.1)
    assert fit_set_threshold(scores, np.zeros(19, int), 0.95) == pytest.approx(0.05)
    assert fit_set_threshold(scores, np.zeros(19, int), 0.96) == 0  # too few images for it: all classes
    assert prediction_sets(scores, 0.0).all()


def test_no_set_is_empty():
    assert prediction_sets([[0.4, 0.35, 0.25]], 0.9).tolist() == [[True, False, False]]


# Halves.


def test_halves_have_as_many_images_of_each_class():
    labels = np.array([0] * 40 + [1] * 7 + [2] * 3 + [3])
    found = halves(labels)
    for label in range(4):
        assert abs(int((found[labels == label] == 0).sum()) - int((found[labels == label] == 1).sum())) <= 1
    assert abs(int((found == 0).sum()) - int((found == 1).sum())) <= 1
    assert (found == halves(labels)).all()
    assert (found != halves(labels, seed=1)).any()


def test_no_group_is_in_both_halves():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 30, 300)
    groups[:20] = -1
    labels = (groups + rng.integers(0, 2, 300)) % 4
    found = halves(labels, groups)
    assert all(len(set(found[groups == group])) == 1 for group in range(30))
    assert len(set(found[:20])) == 2
    assert 130 <= found.sum() <= 170


def test_each_half_is_judged_by_what_was_fitted_on_the_other():
    scores, labels = np.full((4, 2), 0.5), np.array([0, 0, 1, 1])
    half = np.array([0, 1, 0, 1])
    seen = cross_fitted(half, scores, [0, 1, 0, 1], lambda s, y: y.sum(), lambda s, fitted: np.full(len(s), fitted))
    assert seen.tolist() == [2, 0, 2, 0]
    assert cross_fitted(half, scores, labels, lambda s, y: None, lambda s, none: s).shape == (4, 2)
    with pytest.raises(InvalidInputError, match="no images"):
        cross_fitted(np.zeros(4, int), scores, labels, lambda s, y: None, lambda s, none: s)


@pytest.mark.parametrize(
    ("labels", "groups", "said"),
    [
        (np.arange(99) % 3, None, "99 held-out images"),
        (np.arange(100) % 3, None, None),
        (np.zeros(100, int), None, None),
        (np.arange(100) % 3, np.zeros(100, int), "of one group"),
        (np.arange(100) % 3, np.array([0] * 90 + [1] * 10), "10 others"),
        (np.arange(200) % 3, np.arange(200) // 10, None),
    ],
)
def test_where_nothing_can_be_fitted_a_sentence_says_so(labels, groups, said):
    found = too_few(labels, groups)
    assert found is None if said is None else said in found


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: reliability([1.2], [True]), "between 0 and 1"),
        (lambda: reliability([0.5], [2]), "True and False"),
        (lambda: reliability([0.5], [[True]]), "for each image"),
        (lambda: coverage_curve([0.5, 0.6], [True]), "number of rows"),
        (lambda: share_interval([True, False], [1]), "1 groups for 2 images"),
        (lambda: fit_set_threshold([[1, 0]], [0], 1), "between 0 and 1"),
        (lambda: fit_temperature([[1, 0]], [2]), "0 to 1"),
        (lambda: halves([0, 1], [3, 3]), "of one group"),
        (lambda: at_temperature([[0.9, 0.1]], math.inf), "above 0"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
