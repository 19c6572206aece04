import numpy as np
import pytest

from engine.errors import InvalidInputError
from engine.selection import k_center


def clusters():
    random = np.random.default_rng(0)
    centers = np.eye(6, dtype=np.float32)
    return np.concatenate([center + 0.05 * random.standard_normal((20, 6)) for center in centers]).astype(np.float32)


def test_one_of_each_cluster_before_any_twice():
    chosen = k_center(clusters(), np.array([3]), 5)
    assert sorted(chosen // 20) == [1, 2, 3, 4, 5]


def test_without_labels_it_starts_anywhere_and_covers_all():
    chosen = k_center(clusters(), np.empty(0, dtype=np.int64), 6, seed=4)
    assert sorted(chosen // 20) == [0, 1, 2, 3, 4, 5]
    assert chosen.tolist() == k_center(clusters(), np.empty(0, dtype=np.int64), 6, seed=4).tolist()


def test_the_greedy_is_within_twice_the_best():
    from itertools import combinations

    points = np.random.default_rng(1).standard_normal((12, 3)).astype(np.float32)
    unit = points / np.linalg.norm(points, axis=1, keepdims=True)
    distance = np.linalg.norm(unit[:, None] - unit[None], axis=2)  # a metric that orders as the cosine does

    def radius(rows):
        return distance[:, list(rows)].min(axis=1).max()

    best = min(radius((0, *rows)) for rows in combinations(range(1, 12), 2))
    assert radius((0, *k_center(points, np.array([0]), 2))) <= 2 * best


def test_copies_of_the_labeled_are_not_asked_for():
    points = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    assert k_center(points, np.array([0]), 5).tolist() == [3]


def test_no_numbers_are_refused():
    with pytest.raises(InvalidInputError, match="must be numbers"):
        k_center(np.array([[np.nan, 1]], dtype=np.float32), np.empty(0, dtype=np.int64), 1)
    with pytest.raises(InvalidInputError, match="none of the 2 images"):
        k_center(np.eye(2, dtype=np.float32), np.array([2]), 1)
