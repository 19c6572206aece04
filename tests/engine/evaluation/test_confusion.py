"""Confusion, scores of classes, pairs of students, and intervals over groups."""

import numpy as np
import pytest
from sklearn import metrics

from engine.errors import InvalidInputError
from engine.evaluation import (
    baselines,
    class_scores,
    confusion_matrix,
    errors_by_confidence,
    most_confused,
    paired_accuracies,
    wilson_interval,
)
from engine.evaluation.groups import are_groups, ratio_intervals


@pytest.fixture(scope="module")
def guesses():
    """300 images of 6 classes, the last of which has none; every second guess is right."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, 300)
    return np.where(rng.random(300) < 0.5, labels, rng.integers(0, 6, 300)), labels


def test_confusion_and_scores_are_those_of_scikit_learn(guesses):
    predicted, labels = guesses
    matrix = confusion_matrix(predicted, labels, 6)
    assert (matrix == metrics.confusion_matrix(labels, predicted, labels=range(6))).all()
    precision, recall, f1, images = metrics.precision_recall_fscore_support(
        labels, predicted, labels=range(6), zero_division=np.nan
    )
    for label, found in enumerate(class_scores(predicted, labels, 6)[:5]):
        assert found.precision.value == pytest.approx(precision[label])
        assert found.recall.value == pytest.approx(recall[label])
        assert found.f1.value == pytest.approx(f1[label])
        assert (found.images, found.predicted) == (images[label], matrix[:, label].sum())


def test_scores_that_no_image_could_tell_are_none(guesses):
    nothing = class_scores(*guesses, 6)[5]
    assert (nothing.recall.value, nothing.recall.interval) == (None, None)
    assert nothing.precision.value == 0  # some images were taken for it
    unseen = class_scores([0, 0], [0, 1], 3)
    assert unseen[2].f1.value is None
    assert (unseen[1].precision.value, unseen[1].recall.value, unseen[1].f1.value) == (None, 0, 0)


def test_intervals_of_independent_images_are_wilsons(guesses):
    found = class_scores(*guesses, 6)[2]
    assert found.recall.interval == wilson_interval(found.right, found.images)
    assert found.precision.interval == wilson_interval(found.right, found.predicted)
    either = wilson_interval(found.right, found.images + found.predicted - found.right)
    # F1 = 2 TP / (2 TP + FP + FN) = 2 s / (1 + s), where s = TP / (TP + FP + FN)
    assert found.f1.interval.low == pytest.approx(2 * either.low / (1 + either.low))
    assert found.f1.interval.low < found.f1.value < found.f1.interval.high


def test_the_interval_of_f1_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    held = 0
    for _ in range(200):  # recall .8, and one of five others is taken for the class: F1 = 1.6 / (1 + .8 + .2 * 3)
        labels = (rng.random(120) < 0.25).astype(int)
        predicted = np.where(labels == 1, rng.random(120) < 0.8, rng.random(120) < 0.2).astype(int)
        interval = class_scores(predicted, labels, 2)[1].f1.interval
        held += interval.low <= 1.6 / 2.4 <= interval.high
    assert held >= 183  # 95 % of 200 within two standard errors


def recall(right, groups=None):
    """Of class 1, of which all images are."""
    return class_scores(right, np.ones(len(right), dtype=int), 2, groups)[1].recall.interval


def test_images_that_come_in_groups_have_wider_intervals():
    rng = np.random.default_rng(2)
    right = np.repeat(rng.random(30) < 0.7, 8).astype(int)  # all images of a group are alike
    found, alone = recall(right, np.repeat(np.arange(30), 8)), recall(right)
    assert found.method == "bootstrap over 30 groups"
    assert found.high - found.low > 2 * (alone.high - alone.low)  # about sqrt(8) times
    assert recall(right, np.arange(240)) == alone == wilson_interval(right.sum(), 240)


def test_few_groups_have_no_interval_and_groups_all_alike_one_over_groups():
    assert recall(np.tile([0, 1], 20), np.repeat(np.arange(4), 10)) is None
    same = recall(np.ones(60, dtype=int), np.repeat(np.arange(6), 10))
    assert (same.low, same.high) == (wilson_interval(6, 6).low, 1)
    assert same.method == "Wilson interval over 6 groups"


def test_the_interval_over_groups_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(3)
    images = rng.integers(1, 9, size=(300, 25)).astype(float)
    right = rng.binomial(images.astype(int), rng.beta(3, 2, size=(300, 25))).astype(float)
    found = [ratio_intervals(r[:, None], n[:, None], draws=400)[0] for r, n in zip(right, images, strict=True)]
    assert sum(interval.low <= 0.6 <= interval.high for interval in found) >= 275  # mean of Beta(3, 2) is .6


def test_a_group_of_its_own_is_an_id_below_zero():
    assert not are_groups([-1, -1, -1])
    assert are_groups([-1, 0, 0])
    assert not are_groups(None)


def test_the_most_confused_pairs_come_first():
    matrix = np.array([[5, 2, 0], [2, 0, 0], [1, 1, 8]])
    found = most_confused(matrix, 3)
    assert [(pair.label, pair.predicted, pair.images) for pair in found] == [(1, 0, 2), (0, 1, 2), (2, 0, 1)]
    assert [pair.share for pair in found] == [1, pytest.approx(2 / 7), 0.1]


def test_what_costs_nothing():
    found = baselines([1, 1, 1, 0, 2], 4)
    assert (found.chance, found.majority, found.majority_share) == (0.25, 1, 0.6)


def test_errors_come_by_confidence():
    assert errors_by_confidence([1, 1, 0], [0, 0, 0], [0.5, 0.9, 1.0]).tolist() == [1, 0]


def test_a_pair_of_students_by_hand():
    # McNemar's exact p is 2 * (1 + 10 + 45) / 2**10 for 2 against 8 of 10; Agresti and Min: cells plus 1/2, n plus 2
    first = np.array([1] * 8 + [0] * 2 + [1] * 50 + [0] * 40)
    second = np.array([0] * 8 + [1] * 2 + [1] * 50 + [0] * 40)
    found = paired_accuracies(first, second)
    assert (found.both, found.first_only, found.second_only, found.neither) == (50, 8, 2, 40)
    assert found.difference == pytest.approx(0.06)
    assert found.p_value == pytest.approx(112 / 1024)
    half = 1.959964 * np.sqrt((8.5 + 2.5) - (8.5 - 2.5) ** 2 / 102) / 102
    assert found.interval.low == pytest.approx(6 / 102 - half)
    assert found.interval.high == pytest.approx(6 / 102 + half)


def test_a_pair_of_students_in_groups():
    groups = np.repeat(np.arange(40), 5)
    rng = np.random.default_rng(4)
    first, second = np.repeat(rng.random(40) < 0.7, 5).astype(int), np.repeat(rng.random(40) < 0.5, 5).astype(int)
    found, alone = paired_accuracies(first, second, groups), paired_accuracies(first, second)
    assert found.p_value is None
    assert found.interval.low <= found.difference <= found.interval.high
    assert found.interval.high - found.interval.low > 1.7 * (alone.interval.high - alone.interval.low)
    mirrored = paired_accuracies(second, first, groups).interval
    assert mirrored.low == pytest.approx(-found.interval.high, abs=0.02)
    same = paired_accuracies(first, first, groups).interval
    assert same.low < 0 < same.high
    assert same.method == "Agresti–Min interval over 40 groups"
    assert paired_accuracies(first[:20], second[:20], groups[:20]).interval is None


@pytest.mark.parametrize("sign", [1, -1])
def test_groups_that_all_differ_alike_have_an_interval_around_their_difference(sign):
    groups = np.repeat(np.arange(6), 2)
    right, half = np.ones(12, int), np.tile([1, 0], 6)
    found = paired_accuracies(right, half, groups) if sign > 0 else paired_accuracies(half, right, groups)
    assert found.difference == pytest.approx(sign * 0.5)
    assert found.interval.low < found.difference < found.interval.high
    assert found.interval.method == "Agresti–Min interval over 6 groups"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: confusion_matrix([0, 3], [0, 1], 3), "class id 3"),
        (lambda: confusion_matrix([0, 1], [0, -1], 3), "class id -1"),
        (lambda: class_scores([0], [0, 1], 2), "number of rows"),
        (lambda: class_scores([0, 1], [0, 1], 2, [3, 3, 3]), "number of rows"),
        (lambda: paired_accuracies([0, 1], [0]), "number of rows"),
        (lambda: paired_accuracies([0, 1], [0, 1], level=1.5), "level"),
        (lambda: baselines([], 2), "at least one"),
        (lambda: errors_by_confidence([0], [1], [np.nan]), "finite"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
