import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.similarity import pairs, score
from engine.similarity.pairs import Pairs
from engine.similarity.points import Classes, Points


def correlation_distances(rows):
    return Pairs(Points(rows)).distances


def parc(rows, labels):
    return pairs.parc(Pairs(Points(rows)), Classes(np.asarray(labels)))


def rsa(rows, other):
    return score("rsa", features=rows, features2=other)


def test_distances_by_hand():
    # z-scored columns of these rows are +-1; rows 0 and 1 are then opposite, 0 and 2 are at right angles
    rows = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0], [1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    assert correlation_distances(rows) == pytest.approx([2, 1, 1, 1, 1, 2], abs=1e-12)


def test_parc_by_hand():
    # distances 2 1 1 1 1 2 with labels 0 1 0 1: different are pairs 0-1, 0-3, 1-2, 2-3 at 2, 1, 1, 2; same at 1, 1
    rows = np.array([[1.0, -1.0, 1.0, -1.0], [-1.0, 1.0, -1.0, 1.0], [1.0, 1.0, -1.0, -1.0], [-1.0, -1.0, 1.0, 1.0]])
    expected = 100 * np.corrcoef([5.5, 2.5, 2.5, 2.5, 2.5, 5.5], [1, 0, 1, 1, 0, 1])[0, 1]  # mean ranks of ties
    assert parc(rows, [0, 1, 0, 1]) == pytest.approx(expected, abs=1e-9)


def test_parc_is_the_rank_correlation_with_different_label():
    rng = np.random.default_rng(0)
    rows, labels = rng.normal(size=(60, 9)), rng.integers(0, 2, 60)
    different = (labels[:, None] != labels)[np.triu_indices(60, 1)]
    assert parc(rows, labels) == pytest.approx(100 * spearmanr(correlation_distances(rows), different).statistic)


def test_distances_tied_on_paper_stay_tied():
    labels = np.repeat(np.arange(6), 7)
    assert parc(np.eye(6)[labels], labels) == pytest.approx(100)
    prototypes = np.random.default_rng(1).normal(size=(6, 40))[labels]
    distances = correlation_distances(prototypes)
    assert len(np.unique(distances)) == 1 + 6 * 5 / 2
    expected = 100 * np.corrcoef(rankdata(distances), (labels[:, None] != labels)[np.triu_indices(42, 1)])[0, 1]
    assert parc(prototypes, labels) == pytest.approx(expected)


def test_blocks_give_what_the_whole_gives(monkeypatch):
    rng = np.random.default_rng(2)
    rows, other, labels = rng.normal(size=(90, 12)), rng.normal(size=(90, 5)), rng.integers(0, 3, 90)
    whole = parc(rows, labels), rsa(rows, other), correlation_distances(rows)
    monkeypatch.setattr(pairs, "WHOLE_ROWS", 10)
    monkeypatch.setattr(pairs, "_BLOCK_ROWS", 7)
    assert correlation_distances(rows).dtype == np.float32
    assert correlation_distances(rows) == pytest.approx(whole[2], abs=1e-6)
    assert parc(rows, labels) == pytest.approx(whole[0], rel=1e-4)
    assert rsa(rows, other) == pytest.approx(whole[1], rel=1e-4)


def test_a_row_without_variation_correlates_with_none():
    rows = np.random.default_rng(3).normal(size=(10, 6))
    rows[4] = (rows.sum(axis=0) - rows[4]) / 9  # the mean of the others, and so of all: z-scores of 0
    distances = correlation_distances(rows)
    first, second = np.triu_indices(10, 1)
    assert (distances[(first == 4) | (second == 4)] == 1).all()


def test_undefined_is_an_error():
    rows = np.random.default_rng(4).normal(size=(6, 5))
    with pytest.raises(TooFewLabelsError, match="no class has two"):
        parc(rows, np.arange(6))
    with pytest.raises(TooFewLabelsError, match="only one class"):
        parc(rows, np.zeros(6, int))
    with pytest.raises(TooFewLabelsError, match="3 images"):
        rsa(rows[:2], rows[:2])
    with pytest.raises(InvalidInputError, match="equally far"):
        parc(np.ones((6, 5)), [0, 0, 0, 1, 1, 1])
    with pytest.raises(InvalidInputError, match="equally far"):
        rsa(rows[:, :1], rows)
