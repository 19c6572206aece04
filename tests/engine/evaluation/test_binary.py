"""Two classes: ROC, AUROC and thresholds, against scikit-learn, published formulas and hand calculations."""

import numpy as np
import pytest
from sklearn import metrics

from engine.errors import InvalidInputError
from engine.evaluation import (
    area_under_roc,
    at_threshold,
    fit_cost_threshold,
    least_cost_classes,
    mean_cost,
    ordered_costs,
    roc_curve,
    wilson_interval,
)
from engine.evaluation.binary import NEVER


def drawn(images, seed, apart=1.0, digits=2):
    """Scores with ties, and what is positive."""
    rng = np.random.default_rng(seed)
    positive = rng.random(images) < 0.4
    return np.round(1 / (1 + np.exp(-rng.normal(apart * positive, 1))), digits), positive


def test_curve_and_area_agree_with_scikit_learn():
    scores, positive = drawn(300, 0)
    found = roc_curve(scores, positive)
    fpr, tpr, thresholds = metrics.roc_curve(positive, scores, drop_intermediate=False)
    np.testing.assert_allclose(found.false_positive_rate, fpr)
    np.testing.assert_allclose(found.true_positive_rate, tpr)
    np.testing.assert_allclose(found.thresholds[1:], thresholds[1:])
    assert area_under_roc(scores, positive).value == pytest.approx(metrics.roc_auc_score(positive, scores))


def test_the_variance_is_that_of_delong():
    scores, positive = drawn(60, 1)
    above, below = scores[positive], scores[~positive]
    wins = (above[:, None] > below) + 0.5 * (above[:, None] == below)  # the definition, pair by pair
    value = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / len(above) + wins.mean(axis=0).var(ddof=1) / len(below)
    found = area_under_roc(scores, positive)
    low, high = (np.log(end / (1 - end)) for end in (found.interval.low, found.interval.high))
    assert (high - low) / 2 == pytest.approx(1.959964 * np.sqrt(variance) / (value * (1 - value)), rel=1e-6)
    assert found.interval.method == "DeLong interval over 60 images"


def test_the_interval_of_the_area_holds_the_truth_as_often_as_it_says():
    truth, held = 0.76025, 0  # the area of two normal distributions one apart: Phi(1 / sqrt 2)
    for seed in range(200):
        held += truth in area_under_roc(*drawn(80, seed, digits=9)).interval
    assert held >= 0.91 * 200


def test_groups_make_the_interval_of_the_area_wider():
    scores, positive = drawn(80, 2)
    alone = area_under_roc(scores.repeat(4), positive.repeat(4)).interval
    found = area_under_roc(scores.repeat(4), positive.repeat(4), np.arange(80).repeat(4)).interval
    once = area_under_roc(scores, positive).interval
    assert found.high - found.low == pytest.approx(once.high - once.low, rel=0.03)  # copies tell nothing new
    assert alone.high - alone.low < 0.6 * (found.high - found.low)


def test_an_area_without_overlap_has_no_interval():
    assert area_under_roc([0.1, 0.2, 0.8, 0.9], [False, False, True, True]).interval is None
    assert area_under_roc(*drawn(20, 0), np.zeros(20, int)).interval is None  # nor has one of a single group
    assert area_under_roc([0.1, 0.5, 0.9, 0.4], [False, False, False, True]).interval is None  # or a single image
    assert area_under_roc(np.full(8, 0.5), np.arange(8) % 2 == 0).interval is None  # or scores that are all the same


def test_rates_at_a_threshold_by_hand():
    found = at_threshold([0.9, 0.5, 0.3, 0.6, 0.2], [True, True, True, False, False], 0.5)
    assert (found.true_positives, found.misses, found.false_alarms, found.true_negatives) == (2, 1, 1, 1)
    assert (found.sensitivity, found.specificity) == (pytest.approx(2 / 3), 0.5)
    assert found.sensitivity_interval == wilson_interval(2, 3)
    assert found.specificity_interval == wilson_interval(1, 2)
    assert found.cost(miss=10, false_alarm=5) == 3


@pytest.mark.parametrize(("miss", "false_alarm"), [(1, 1), (10, 1), (1, 25), (3, 2)])
def test_no_other_threshold_costs_less(miss, false_alarm):
    scores, positive = drawn(120, 4)
    chosen = fit_cost_threshold(scores, positive, miss, false_alarm)
    costs = [at_threshold(scores, positive, t / 200).cost(miss, false_alarm) for t in range(201)]
    assert at_threshold(scores, positive, chosen).cost(miss, false_alarm) == pytest.approx(min(costs))


def test_of_thresholds_that_cost_the_same_the_one_for_true_probabilities_is_taken():
    scores, positive = [0.1, 0.2, 0.8, 0.9], [False, False, True, True]
    assert fit_cost_threshold(scores, positive, 1, 1) == 0.5
    assert fit_cost_threshold([0.9, 0.8], [False, True], 1000, 1) == 0.0  # whoever fears a miss calls all positive
    assert fit_cost_threshold([0.9, 0.8], [False, True], 1, 1000) == NEVER > 1


def test_where_classes_have_an_order_the_median_is_the_decision():
    rng = np.random.default_rng(0)
    scores = rng.dirichlet(np.ones(5), 50)
    medians = (scores.cumsum(axis=1) >= 0.5).argmax(axis=1)
    assert (least_cost_classes(scores, ordered_costs(5)) == medians).all()
    assert (least_cost_classes(scores, 1 - np.eye(5)) == scores.argmax(axis=1)).all()
    assert mean_cost([0, 4, 2], [1, 1, 2], ordered_costs(5)) == pytest.approx((1 + 3 + 0) / 3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: roc_curve([0.1, 0.2], [True, True]), "one of the two classes"),
        (lambda: area_under_roc([0.1], [False]), "one of the two classes"),
        (lambda: fit_cost_threshold([0.1, 0.2], [True, False], 0, 1), "cost of a miss is 0"),
        (lambda: fit_cost_threshold([0.1, 0.2], [True, False], 1, float("nan")), "false alarm is nan"),
        (lambda: least_cost_classes([[0.5, 0.5]], np.ones((3, 3))), "for 2 classes"),
        (lambda: mean_cost([3], [0], np.ones((2, 2))), "0 to 1"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
