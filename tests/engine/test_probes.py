import numpy as np
import pytest
import torch

from engine import probes
from engine.errors import InvalidInputError, TooFewLabelsError
from engine.probes import _left_out_answers, fit_logistic, fit_ridge
from engine.similarity.linear_algebra import standardized

FITS = pytest.mark.parametrize("fit", [fit_ridge, fit_logistic])


def clouds(per_class, classes=4, d=20, distance=3.0, seed=0):
    rng = np.random.default_rng(seed)
    centers = distance * rng.normal(size=(classes, d)) / np.sqrt(d) * 2
    labels = np.repeat(np.arange(classes), per_class)
    test = np.arange(400) % classes
    return (
        centers[labels] + rng.normal(size=(len(labels), d)),
        labels,
        centers[test] + rng.normal(size=(400, d)),
        test,
    )


@FITS
@pytest.mark.parametrize("d", [20, 300])
def test_probe_learns_and_knows_how_sure_it_is(fit, d):
    rows, labels, new, truth = clouds(10, d=d)
    probabilities = fit(rows, labels, 4).predict_proba(new)
    assert probabilities.shape == (400, 4)
    assert probabilities.sum(axis=1) == pytest.approx(1)
    right = probabilities.argmax(axis=1) == truth
    assert right.mean() > 0.9
    loss = -np.log(probabilities[np.arange(400), truth]).mean()
    assert loss < 0.5  # ln 4 = 1.39 for a guess


@FITS
def test_probe_on_noise_does_not_pretend(fit):
    rng = np.random.default_rng(0)
    probabilities = fit(rng.normal(size=(40, 100)), np.arange(40) % 4, 4).predict_proba(rng.normal(size=(200, 100)))
    assert probabilities.max(axis=1).mean() < 0.6


@FITS
def test_a_class_without_labels_gets_nothing(fit):
    rows, labels, new, _ = clouds(6)
    probabilities = fit(rows[labels != 2], labels[labels != 2], 5).predict_proba(new)
    assert probabilities.shape == (400, 5)
    assert (probabilities[:, [2, 4]] == 0).all()
    assert probabilities.sum(axis=1) == pytest.approx(1)


@FITS
def test_one_label_a_class_still_gives_a_probe(fit):
    rows, labels, new, truth = clouds(1, distance=6.0)
    assert (fit(rows, labels, 4).predict_proba(new).argmax(axis=1) == truth).mean() > 0.9


@FITS
def test_two_classes_and_a_singleton(fit):
    rows, labels, new, truth = clouds(8, classes=2)
    assert (fit(rows, labels, 2).predict_proba(new).argmax(axis=1) == truth).mean() > 0.9
    labels = np.r_[labels[:-1], 2]
    assert np.isfinite(fit(rows, labels, 3).predict_proba(new)).all()


@FITS
def test_same_arrays_same_probe_whatever_their_kind(fit):
    rows, labels, new, _ = clouds(5)
    probabilities = fit(rows, labels, 4).predict_proba(new)
    assert np.array_equal(fit(rows, labels, 4).predict_proba(new), probabilities)
    tensors = fit(torch.from_numpy(rows), torch.from_numpy(labels), 4).predict_proba(torch.from_numpy(new))
    assert np.array_equal(tensors, probabilities)


@FITS
def test_unit_of_a_dimension_does_not_matter_and_constant_ones_are_ignored(fit):
    rows, labels, new, _ = clouds(5)
    units = np.logspace(-3, 3, rows.shape[1])
    expected = fit(rows, labels, 4).predict_proba(new)
    assert fit(rows * units, labels, 4).predict_proba(new * units) == pytest.approx(expected, abs=1e-3)
    wider, new_wider = np.hstack([rows, np.ones((len(rows), 2))]), np.hstack([new, np.full((400, 2), 9.0)])
    assert np.isfinite(fit(wider, labels, 4).predict_proba(new_wider)).all()


def test_left_out_answers_are_those_of_regressions_without_the_image():
    rows, labels, _, _ = clouds(3, d=6)
    points = standardized(rows)[0]
    targets, ridge = np.eye(4)[labels], 2.5
    left, values, _ = np.linalg.svd(points, full_matrices=False)
    level = targets.mean(axis=0)
    answers = _left_out_answers(left, values**2 / (values**2 + ridge), left.T @ (targets - level), targets, level)
    for image in range(len(labels)):
        others = np.arange(len(labels)) != image
        mean, mean_target = points[others].mean(axis=0), targets[others].mean(axis=0)
        x, y = points[others] - mean, targets[others] - mean_target
        direct = (points[image] - mean) @ np.linalg.solve(x.T @ x + ridge * np.eye(6), x.T @ y) + mean_target
        assert answers[image] == pytest.approx(direct)


@FITS
def test_wrong_input_is_refused(fit):
    rows, labels, new, _ = clouds(4)
    with pytest.raises(InvalidInputError, match="3 classes"):
        fit(rows, labels, 3)
    with pytest.raises(InvalidInputError, match="number of rows"):
        fit(rows[:-1], labels, 4)
    with pytest.raises(InvalidInputError, match="7 dimensions"):
        fit(rows, labels, 4).predict_proba(new[:, :7])


def test_one_class_only():
    rows = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(TooFewLabelsError, match="two classes"):
        fit_logistic(rows, np.ones(5, int), 3)
    assert (fit_ridge(rows, np.ones(5, int), 3).predict_proba(rows) == [0, 1, 0]).all()


@FITS
def test_in_single_precision_it_says_the_same(fit):
    rows, labels, new, _ = clouds(10, d=300)
    probe = fit(rows * 100 + 7, labels, 5)  # the fifth class has no label
    features = (new * 100 + 7).astype(np.float32)
    found = probe.single_precision(features)
    assert found.dtype == np.float32
    assert np.allclose(found, probe.predict_proba(features), atol=1e-5)
    assert not found[:, 4].any()


@pytest.mark.parametrize("missing", [False, True])
def test_a_probe_on_many_labels_is_the_same_in_blocks(monkeypatch, missing):
    rows, labels, new, _ = clouds(40)
    rows[:, 3], new[:, 3] = 0.1, 0.1  # a constant is not exactly its own mean
    labels = labels + (labels > 1) if missing else labels  # no label of class 2
    whole = fit_ridge(rows, labels, 5)
    monkeypatch.setattr(probes, "MANY_LABELS", 37)
    in_blocks = fit_ridge(rows, labels, 5)
    assert in_blocks.regularizer == whole.regularizer
    assert in_blocks.predict_proba(new) == pytest.approx(whole.predict_proba(new), abs=1e-9)
