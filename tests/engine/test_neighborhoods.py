import numpy as np
import pytest
from sklearn.metrics import silhouette_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from engine.errors import InvalidInputError
from engine.evaluation import wilson_interval
from engine.neighborhoods import kept_neighbors, most_alike, separation


@pytest.fixture
def rows():
    return np.random.default_rng(3).normal(size=(40, 6)).astype(np.float32)


def test_separation_is_that_of_scikit_learn_with_each_image_held_out(rows):
    labels = np.arange(40) % 4
    rows = rows + 0.8 * np.eye(4, 6)[labels]
    found = separation(rows * np.arange(1, 41)[:, None], labels)  # lengths do not count
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    held_out = cross_val_score(KNeighborsClassifier(1), unit, labels, cv=LeaveOneOut())
    assert found.nearest == pytest.approx(held_out.mean())
    assert found.silhouette == pytest.approx(silhouette_score(unit, labels), abs=1e-5)
    assert found.interval == wilson_interval(int(held_out.sum()), 40)


def test_an_image_alone_in_its_class_is_not_judged(rows):
    labels = np.array([0] * 10 + [1] * 10 + [2])
    assert separation(rows[:21], labels).images == 20
    assert separation(rows[:4], np.array([0, 1, 2, 3])) is None
    assert separation(rows[:3], np.array([0, 0, 1])) is None


def test_groups_widen_the_interval_of_separation(rows):
    labels = np.repeat([0, 1], 20)
    alone, grouped = separation(rows, labels), separation(rows, labels, np.arange(40) // 8)
    assert alone.nearest == grouped.nearest
    assert grouped.interval.high - grouped.interval.low > alone.interval.high - alone.interval.low


def test_images_most_alike_come_by_falling_cosine_without_the_image_itself(rows):
    places, cosines = most_alike(rows, 7, 5)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    expected = [place for place in np.argsort(-(unit @ unit[7])).tolist() if place != 7][:5]
    assert places.tolist() == expected
    np.testing.assert_allclose(cosines, (unit @ unit[7])[expected], atol=1e-6)
    assert len(most_alike(rows[:3], 0, 10)[0]) == 2
    with pytest.raises(InvalidInputError, match="no image number 3"):
        most_alike(rows[:3], 3, 1)


def test_kept_neighbors_counts_those_in_common(rows):
    assert kept_neighbors(rows, 2 * rows).share == 1
    other = np.random.default_rng(4).normal(size=(40, 9))
    found = kept_neighbors(rows, other, 5)

    def nearest(features):
        unit = features / np.linalg.norm(features, axis=1, keepdims=True)
        cosines = unit @ unit.T - 2 * np.eye(len(unit))
        return [set(row[:5]) for row in np.argsort(-cosines, axis=1)]

    shares = [len(a & b) / 5 for a, b in zip(nearest(rows), nearest(other), strict=True)]
    assert found.share == pytest.approx(np.mean(shares))
    assert found.share in found.interval
    assert found.chance == pytest.approx(5 / 39)
    assert (found.images, found.neighbors) == (40, 5)


def test_neighbors_of_a_handful_of_images_are_all_others(rows):
    assert kept_neighbors(rows[:4], rows[10:14]).share == 1
    with pytest.raises(InvalidInputError, match="three or more"):
        kept_neighbors(rows[:2], rows[:2])
