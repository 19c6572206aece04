"""Metrics against hand calculations, brute force and second implementations."""

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.covariance import ledoit_wolf

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.similarity import score
from engine.similarity.baselines import random, static
from engine.similarity.neighbors import NEIGHBORS, knn
from engine.similarity.points import Classes, Points
from engine.similarity.ridge import stratified_folds
from engine.similarity.source_classes import leep, mixture_shares


def by(name):
    """The metric of features and labels as a ranking computes it."""
    return lambda features, labels: score(name, features=features, labels=labels)


logme, h_score, regularized_h_score, gbc = by("logme"), by("h_score"), by("regularized_h_score"), by("gbc")
nleep, transrate, sfda, probe = by("nleep"), by("transrate"), by("sfda"), by("probe")
nearest_class_mean = by("nearest_class_mean")


def on_pseudo_labels(name, theta, labels):
    return score(name, pseudo_labels=theta, labels=labels)


def between(name, x, y):
    return score(name, features=x, features2=y)


def neighbors(rows, labels, k=NEIGHBORS):
    return knn(Points(np.asarray(rows, float)), Classes(np.asarray(labels)), k)


def data(n=60, d=8, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    return rng.normal(size=(classes, d))[labels] + rng.normal(size=(n, d)), labels


# NCE and LEEP


def test_nce_by_hand():
    theta = [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]]  # top classes 0 0 0 1
    assert on_pseudo_labels("nce", theta, [0, 0, 1, 1]) == pytest.approx(
        (2 * np.log(2 / 3) + np.log(1 / 3) + np.log(1)) / 4
    )


def test_leep_by_hand():
    theta = [[0.5, 0.5], [1.0, 0.0]]
    # P(y=0|z) = .5/1.5, .5/.5; P(y=1|z) = 1/1.5, 0
    assert on_pseudo_labels("leep", theta, [0, 1]) == pytest.approx((np.log(0.5 / 3 + 0.5) + np.log(2 / 3)) / 2)


def test_a_source_class_that_never_fires_changes_nothing():
    theta = np.random.default_rng(0).dirichlet(np.ones(4), 30)
    labels = np.arange(30) % 3
    padded = np.insert(theta, 2, 0.0, axis=1)
    assert on_pseudo_labels("leep", padded, labels) == pytest.approx(on_pseudo_labels("leep", theta, labels), rel=1e-12)
    assert on_pseudo_labels("nce", padded, labels) == pytest.approx(on_pseudo_labels("nce", theta, labels), rel=1e-12)


def test_nleep_is_leep_of_the_mixture():
    rows, labels = data()
    assert nleep(rows, labels) == leep(mixture_shares(Points(rows), 3), Classes(labels))


def test_nleep_of_separate_classes_is_near_its_ceiling_and_of_noise_is_not():
    rng = np.random.default_rng(5)
    labels = np.arange(120) % 4
    apart = 20 * rng.normal(size=(4, 10))[labels] + rng.normal(size=(120, 10))
    assert nleep(apart, labels) > -0.02
    assert nleep(rng.normal(size=(120, 10)), labels) < -0.7


# LogME


def brute_force_logme(rows, labels):
    """Log density of each class's targets under N(0, I / beta + XX' / alpha), maximized from many starts."""
    n, total, classes = len(rows), 0.0, np.unique(labels)
    for label in classes:
        target = (labels == label).astype(float)

        def negative(logs, target=target):
            covariance = np.exp(-logs[1]) * np.eye(n) + np.exp(-logs[0]) * rows @ rows.T
            return -stats.multivariate_normal.logpdf(target, np.zeros(n), covariance)

        starts = [(a, b) for a in (-4.0, 0.0, 4.0, 8.0) for b in (0.0, 3.0)]
        runs = [
            optimize.minimize(negative, s, method="Nelder-Mead", options={"xatol": 1e-5, "fatol": 1e-9}) for s in starts
        ]
        total -= min(run.fun for run in runs)
    return total / len(classes) / n


@pytest.mark.parametrize(("n", "d"), [(30, 4), (14, 40)])
def test_logme_is_the_largest_evidence(n, d):
    rows, labels = data(n, d, 2, seed=n)
    assert logme(rows, labels) == pytest.approx(brute_force_logme(rows, labels), abs=1e-6)


def test_logme_is_hardly_moved_by_dimensions_near_zero():
    rows, labels = data(40, 6, 2)
    noise = 1e-7 * np.random.default_rng(0).normal(size=(40, 1024))
    assert logme(np.hstack([rows, noise]), labels) == pytest.approx(logme(rows, labels), abs=1e-6)


def test_logme_prefers_information_to_noise_in_many_dimensions():
    rows, labels = data(60, 16, 3)
    noise = np.random.default_rng(1).normal(size=(60, 1024))
    assert logme(rows, labels) > logme(noise, labels)


def test_logme_stays_finite_when_labels_are_linear_in_the_features():
    labels = np.arange(40) % 4
    assert 0 < logme(np.eye(4)[labels], labels) < 100


# H-scores


def test_h_score_is_the_trace_of_projections():
    rows, labels = data()
    centered = rows - rows.mean(axis=0)
    indicators = np.eye(3)[labels]
    projection = centered @ np.linalg.pinv(centered) @ indicators @ np.linalg.pinv(indicators)
    assert h_score(rows, labels) == pytest.approx(np.trace(projection))


def test_h_score_drops_directions_that_are_rounding():
    rows, labels = data(60, 8)
    copies = np.hstack([rows, rows + 1e-9 * np.random.default_rng(0).normal(size=rows.shape)])
    assert h_score(copies, labels) == pytest.approx(h_score(rows, labels), rel=1e-6)


def test_h_score_of_full_rank_features_is_classes_minus_one():
    rows, labels = data(30, 100, 5)
    assert h_score(rows, labels) == pytest.approx(4)


@pytest.mark.parametrize("d", [5, 200])
def test_regularized_h_score_uses_the_ledoit_wolf_covariance(d):
    rows, labels = data(50, d)
    centered = rows - rows.mean(axis=0)
    covariance, shrinkage = ledoit_wolf(centered, assume_centered=True)
    means = np.array([centered[labels == label].mean(axis=0) for label in labels])
    expected = (1 - shrinkage) * np.trace(np.linalg.solve(covariance, means.T @ means / (len(rows) - 1)))
    assert regularized_h_score(rows, labels) == pytest.approx(expected, rel=1e-9)


# CKA


def test_cka_by_hand():
    x, y = np.array([[1.0], [-1.0], [0.0]]), np.array([[1.0], [0.0], [-1.0]])
    assert between("cka", x, y) == pytest.approx(0.25)  # squared correlation of two vectors: (1 / 2)^2


def test_debiased_cka_is_the_ratio_of_unbiased_hsics():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 30)), rng.normal(size=(12, 4))

    def hsic(a, b):
        k, m, n = a @ a.T, b @ b.T, len(a)
        np.fill_diagonal(k, 0)
        np.fill_diagonal(m, 0)
        return np.trace(k @ m) + k.sum() * m.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * k.sum(0) @ m.sum(0)

    assert between("cka_debiased", x, y) == pytest.approx(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)))


def test_debiased_cka_of_noise_is_about_zero_where_cka_is_not():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 500)), rng.normal(size=(50, 500))
    assert between("cka", x, y) > 0.8
    assert abs(between("cka_debiased", x, y)) < 0.05


# GBC, TransRate, discriminants


def bhattacharyya(m1, v1, m2, v2):
    middle = (v1 + v2) / 2
    return ((m1 - m2) ** 2 / middle).sum() / 8 + (np.log(middle) - np.log(v1 * v2) / 2).sum() / 2


def test_gbc_sums_overlaps_over_ordered_pairs():
    rows, labels = data(40, 2, 2)
    parts = [rows[labels == label] for label in (0, 1)]
    moments = [value for part in parts for value in (part.mean(0), part.var(0))]
    overlaps = [gbc(rows[:, [dimension]], labels) / -2 for dimension in (0, 1)]
    assert np.prod(overlaps) == pytest.approx(np.exp(-bhattacharyya(*moments)))
    moments = [value for part in parts for value in (part.mean(0), np.full(2, part.var(0).mean()))]
    assert gbc(rows, labels) == pytest.approx(-2 * np.exp(-bhattacharyya(*moments)))


def test_transrate_from_singular_values():
    rows, labels = data(40, 6, 2)
    centered = rows - rows.mean(axis=0)

    def rate(z):
        return 0.5 * np.log1p(np.linalg.svd(z, compute_uv=False) ** 2 / (len(z) * 1e-4)).sum()

    expected = rate(centered) - sum((labels == c).mean() * rate(centered[labels == c]) for c in (0, 1))
    assert transrate(rows, labels) == pytest.approx(expected)
    large = rate(1e6 * centered) - sum((labels == c).mean() * rate(1e6 * centered[labels == c]) for c in (0, 1))
    assert transrate(1e6 * rows, labels) == pytest.approx(large)


def test_nearest_class_mean_by_hand():
    # means 0 and 2, priors 1/2: logits at 0 are 0 and -2
    assert nearest_class_mean([[0.0], [2.0]], [0, 1]) == pytest.approx(1 / (1 + np.exp(-2)))


def test_sfda_of_classes_without_spread_is_their_separation():
    labels = np.arange(12) % 3
    assert sfda(np.eye(3)[labels], labels) == pytest.approx(1)
    with pytest.raises(InvalidInputError, match="differ between images"):
        sfda(np.ones((12, 3)), labels)
    with pytest.raises(TooFewLabelsError, match="only one"):
        sfda(np.eye(12), np.zeros(12, int))


# Nearest neighbors


def test_knn_by_hand():
    rows = [[0.0], [1.0], [3.0], [7.0]]  # nearest: 1, 0, 1, 2
    assert neighbors(rows, [0, 0, 1, 1], 1) == 75
    # two nearest of each: {1,3} {0,3} {1,0} {3,1}; votes 1-0 halves: right, tied .5, wrong, tied .5
    assert neighbors(rows, [0, 0, 1, 1], 2) == pytest.approx(100 * (0.5 + 0.5 + 0 + 0.5) / 4)


def test_knn_leaves_out_the_image_itself_and_not_its_copy():
    rows = np.random.default_rng(0).normal(size=(20, 5))
    assert neighbors(np.vstack([rows, rows]), np.tile(np.arange(20), 2)) == 100


def brute_force_knn(rows, labels, k):
    """All distances one by one, exact for whole numbers; of equal ones the earlier rows."""
    right = 0.0
    for image, row in enumerate(rows):
        order = np.argsort(np.square(rows - row).sum(axis=1), kind="stable")
        votes = np.bincount(labels[order[order != image][:k]], minlength=3)
        leading = votes == votes.max()
        right += leading[labels[image]] / leading.sum()
    return 100 * right / len(rows)


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("d", [3, 9, 200])
def test_knn_takes_the_earlier_of_equally_near_images_whatever_rounding_says(d, k):
    rng = np.random.default_rng(d)
    rows, labels = rng.integers(-2, 3, (60, d)), rng.integers(0, 3, 60)
    expected = brute_force_knn(rows, labels, k)
    assert neighbors(rows, labels, k) == pytest.approx(expected)
    assert neighbors(0.1 * rows[:, ::-1] + 7, labels, k) == pytest.approx(expected)


def test_knn_takes_all_others_when_k_is_larger():
    assert neighbors([[0.0], [1.0], [2.0]], [0, 0, 0], 50) == 100
    with pytest.raises(InvalidInputError, match="number of neighbors is 0"):
        neighbors([[0.0], [1.0]], [0, 1], 0)


def test_knn_is_the_same_in_blocks(monkeypatch):
    rows, labels = data(50, 4)
    whole = neighbors(rows, labels, 5)
    monkeypatch.setattr("engine.similarity.neighbors._BLOCK_ENTRIES", 7 * 50)
    assert neighbors(rows, labels, 5) == whole


# Probe


def test_probe_is_right_on_separate_classes_and_at_chance_on_noise():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 4
    assert probe(10 * rng.normal(size=(4, 6))[labels] + rng.normal(size=(200, 6)), labels) == 100
    assert probe(rng.normal(size=(200, 6)), labels) == pytest.approx(25, abs=12)


def test_probe_does_not_depend_on_how_many_dimensions_are_empty():
    rows, labels = data(40, 60)
    assert probe(np.hstack([rows, np.zeros((40, 30))]), labels) == pytest.approx(probe(rows, labels), abs=5)


def test_probe_does_not_depend_on_the_order_of_images_whose_dimensions_have_one_sum():
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 3
    rows = rng.multinomial(12, np.ones(9) / 9, 60) + 2 * np.eye(9, dtype=int)[labels]
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        assert probe(rows[order], labels[order]) == probe(rows, labels)


def test_folds_are_stratified():
    labels = np.repeat(np.arange(7), 5)
    fold = stratified_folds(labels, 5, seed=1)
    assert all(sorted(fold[labels == label]) == [0, 1, 2, 3, 4] for label in range(7))


# Baselines


def test_baselines():
    assert static(1000, 100) == pytest.approx(5)
    with pytest.raises(InvalidInputError, match="1 or more"):
        static(0, 100)
    lots = [random(f"teacher-{number}", 0) for number in range(300)]
    assert len(set(lots)) == 300
    assert np.mean(lots) == pytest.approx(0.5, abs=0.06)
    assert random("a", 0) != random("a", 1)
