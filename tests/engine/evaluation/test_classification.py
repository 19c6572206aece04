import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from engine.errors import InvalidInputError
from engine.evaluation import accuracy, auroc, balanced_accuracy, calibration_error, per_class_accuracy


def test_accuracies_by_hand():
    predicted, labels = [0, 0, 1, 2, 2], [0, 0, 0, 2, 1]
    assert accuracy(predicted, labels) == pytest.approx(3 / 5)
    assert per_class_accuracy(predicted, labels, 4) == (pytest.approx(2 / 3), 0, 1, None)
    assert balanced_accuracy(predicted, labels) == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_balanced_accuracy_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    assert balanced_accuracy(predicted, labels) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_auroc_agrees_with_scikit_learn_and_leaves_out_classes_that_do_not_occur():
    rng = np.random.default_rng(0)
    scores, labels = rng.dirichlet(np.ones(3), 100), np.arange(100) % 3
    assert auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores, multi_class="ovr"))
    wider = np.hstack([0.5 * scores, np.full((100, 1), 0.5)])
    assert auroc(wider, labels) == pytest.approx(auroc(scores, labels))


def test_calibration_error_by_hand():
    # bin of .65: 2 images, 1 right: |1.3 - 1|; bin of .95: 2 images, 2 right: |1.9 - 2|; over 4 images
    scores = [[0.65, 0.35], [0.65, 0.35], [0.05, 0.95], [0.05, 0.95]]
    assert calibration_error(scores, [0, 1, 1, 1]) == pytest.approx((0.3 + 0.1) / 4)
    assert calibration_error(np.eye(3), [0, 1, 2]) == 0
    assert calibration_error(np.eye(3), [1, 2, 0]) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy([0, 1], [0]), "number of rows"),
        (lambda: per_class_accuracy([0], [3], 3), "0 to 2"),
        (lambda: auroc([[0.5, 0.5], [0.1, 0.9]], [1, 1]), "two classes"),
        (lambda: auroc([[0.5, 0.6]], [0]), "sums to 1.1"),
        (lambda: calibration_error([[0.5, 0.5]], [2]), "0 to 1"),
        (lambda: calibration_error([[0.5, 0.5]], [0], bins=0), "number of bins"),
        (lambda: accuracy([[0]], [0]), "one class id per image"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
