"""Draws of very many images, whose pairs are taken from the pairs of all: against the way that each has its own."""

import numpy as np
import pytest
import scipy

from engine.similarity import pairs, score, standings
from engine.similarity.binned_pairs import BinnedPairs
from engine.similarity.outputs import LabeledOutputs
from engine.similarity.pairs import Pairs
from engine.similarity.points import Classes, Points
from engine.similarity.subsampling import subsamples


def teacher(images=240, classes=40, dimensions=60, seed=0):
    """Features and pseudo-labels that know the classes a little, and labels."""
    draws = np.random.default_rng(seed)
    labels = np.resize(np.arange(classes), images)
    hidden = draws.normal(size=(classes, 12))[labels] + draws.normal(size=(images, 12))
    features = np.maximum(hidden @ draws.normal(size=(12, dimensions)), 0)
    chances = np.exp(hidden @ draws.normal(size=(12, 9)) / 3)
    return {"features": features, "pseudo_labels": chances / chances.sum(axis=1, keepdims=True)}, labels


def binned(matrix):
    found = Pairs(Points(matrix))
    return BinnedPairs(len(matrix), found.distances, found.ordered)


@pytest.mark.parametrize("classes", [2, 7, 40])
def test_of_all_images_it_is_the_same_score(classes):
    arrays, labels = teacher(classes=classes)
    rows = np.arange(len(labels))
    ours = binned(arrays["features"]), binned(arrays["pseudo_labels"])
    assert ours[0].parc(rows, Classes(labels)) == pytest.approx(score("parc", labels=labels, **arrays), abs=1e-3)
    assert ours[0].rsa(ours[1], rows) == pytest.approx(score("rsa", **arrays), abs=1e-3)


def test_of_some_images_it_is_the_rank_correlation_over_their_pairs():
    """By scipy, of distances that are whole numbers, so that each has a bin of its own and there are ties."""
    n = 70
    draws = np.random.default_rng(1)
    whole = draws.integers(0, 300, size=(2, n * (n - 1) // 2)).astype(float)
    first, second = (BinnedPairs(n, distances, np.sort(distances)) for distances in whole)
    rows, labels = np.sort(draws.permutation(n)[:67]), draws.integers(0, 5, size=67)
    upper, chosen = np.triu_indices(n, 1), np.triu_indices(67, 1)
    square = np.zeros((2, n, n))
    square[:, upper[0], upper[1]] = whole
    kept = square[:, rows[chosen[0]], rows[chosen[1]]]
    apart = labels[chosen[0]] != labels[chosen[1]]
    assert first.parc(rows, Classes(labels)) == pytest.approx(100 * scipy.stats.spearmanr(kept[0], apart)[0], abs=1e-9)
    assert first.rsa(second, rows) == pytest.approx(100 * scipy.stats.spearmanr(kept[0], kept[1])[0], abs=1e-9)


def test_draws_of_many_images_come_near_draws_with_a_scale_of_their_own(monkeypatch):
    arrays, labels = teacher()
    outputs, draws = LabeledOutputs.of(labels, **arrays), subsamples(labels, draws=10)
    for metric, near in ((pairs.PARC, 0.25), (pairs.RSA, 1.0)):
        own = np.array([metric.of_outputs(outputs.take(rows)) for rows in draws.rows])
        monkeypatch.setattr(pairs, "MANY_IMAGES", 200)
        taken = np.array([metric.of_outputs(outputs.take(rows)) for rows in draws.rows])
        monkeypatch.undo()
        assert not np.array_equal(own, taken)
        assert np.abs(own - taken).max() < near * own.std(ddof=1)


def test_intervals_of_many_images_hardly_move(monkeypatch):
    arrays, labels = teacher()
    others, _ = teacher(seed=1)
    plain = standings([arrays, others], labels, ["parc"], draws=20).by_metric["parc"]
    monkeypatch.setattr(pairs, "MANY_IMAGES", 200)
    found = standings([arrays, others], labels, ["parc"], draws=20).by_metric["parc"]
    assert np.array_equal(found.scores, plain.scores)  # those of all images stay as they are
    for one, other in zip(plain.uncertainty.intervals, found.uncertainty.intervals, strict=True):
        assert other.high - other.low == pytest.approx(one.high - one.low, rel=0.1)
