import numpy as np
import pytest

from engine.errors import InvalidInputError, TooFewLabelsError
from engine.similarity import METRICS, score, standings
from engine.similarity.subsampling import require_labels_for_draws, subsamples, uncertainty_of
from engine.tasks import Draw


def clouds(rng, labels, distance, d=5):
    centers = np.zeros((labels.max() + 1, d))
    centers[np.arange(len(centers)), np.arange(len(centers))] = distance
    return centers[labels] + rng.normal(size=(len(labels), d))


def measured(measures, draws, images, **rest):
    """The doubts about teachers whose score on some rows is `measure(rows)`."""
    drawn = np.array([[measure(rows) for measure in measures] for rows in draws.rows])
    return uncertainty_of(np.array([measure(np.arange(images)) for measure in measures]), drawn, draws, **rest)


def ranked(name, teachers, labels, **rest):
    """How teachers stand under one metric."""
    return standings(teachers, labels, [name], **rest).by_metric[name]


def test_draws_keep_half_of_each_class_without_repeats():
    labels = np.array([3] * 7 + [1] * 4 + [9])
    draws = subsamples(labels, draws=20, seed=1)
    for rows in draws.rows:
        assert len(set(rows)) == len(rows)
        assert [int((labels[rows] == label).sum()) for label in (3, 1, 9)] == [4, 2, 1]
    assert draws.correction == pytest.approx((4 + 2) / (3 + 2))
    assert draws.freedom == 6 + 3


def test_draws_keep_groups_whole():
    labels = np.repeat([0, 1], 12)
    groups = np.arange(24) // 3 + 100
    for rows in subsamples(labels, draws=10, groups=groups).rows:
        assert all(size == 3 for size in np.unique(groups[rows], return_counts=True)[1])
        assert len(rows) == 12
    with pytest.raises(TooFewLabelsError, match="needs 4"):
        subsamples(labels, groups=np.arange(24) // 4)
    assert subsamples(labels, draws=2, groups=groups).of == "groups"


def test_an_image_of_no_group_stands_alone():
    labels = np.repeat([0, 1], 8)
    alone, plain = subsamples(labels, draws=5, groups=np.full(16, -1)), subsamples(labels, draws=5)
    assert all(np.array_equal(a, b) for a, b in zip(alone.rows, plain.rows, strict=True))
    assert (alone.freedom, alone.of) == (plain.freedom, "labels")
    paired = subsamples(labels, draws=20, groups=np.array([7, 7] + [-1] * 14))
    assert all((0 in rows) == (1 in rows) for rows in paired.rows)


def test_draws_are_deterministic_in_the_seed():
    first, again, other = (subsamples([0] * 8, draws=5, seed=seed).rows for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_spread_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=40)
    result = measured([lambda rows: values[rows].mean()], subsamples([0] * 40, draws=4000), 40)
    half = (result.intervals[0].high - result.intervals[0].low) / 2
    assert half == pytest.approx(2.0227 * values.std(ddof=1) / np.sqrt(40), rel=0.05)  # t quantile, 39 degrees


@pytest.mark.parametrize("name", ["parc", "knn", "cka"])
def test_interval_covers_the_truth_as_often_as_it_says(name):
    def measure(rows, labels):
        return score(name, features=rows, labels=labels)

    labels = np.arange(24) % 3
    truth = np.mean([measure(clouds(np.random.default_rng(10_000 + i), labels, 1.5), labels) for i in range(400)])
    draws = subsamples(labels, draws=40)
    covered = []
    for repetition in range(120):
        rows = clouds(np.random.default_rng(repetition), labels, 1.5)
        result = measured([lambda kept, rows=rows: measure(rows[kept], labels[kept])], draws, 24, level=0.9)
        covered.append(truth in result.intervals[0])
    assert 0.85 <= np.mean(covered) <= 0.98


def test_teachers_apart_are_decided_and_teachers_alike_are_not():
    rng = np.random.default_rng(0)
    labels = np.arange(80) % 4
    near, far = clouds(rng, labels, 0.5), clouds(rng, labels, 4.0)
    alike = far + 0.05 * rng.normal(size=far.shape)
    standing = ranked("parc", [{"features": x} for x in (near, far, alike)], labels, draws=40)
    result = standing.uncertainty
    assert result.undecided == ((1, 2),)
    assert result.probability_first[0] == 0
    assert result.probability_first.sum() == pytest.approx(1)
    assert standing.scores[1] == score("parc", features=far, labels=labels)
    assert result.intervals[0].high < result.intervals[1].low
    assert result.intervals[0].method == "subsampling interval over 40 draws of half the labels"


def test_the_same_teacher_twice_shares_the_first_place():
    labels = np.arange(40) % 4
    rows = clouds(np.random.default_rng(0), labels, 2.0)
    result = ranked("knn", [{"features": rows}, {"features": rows}], labels, draws=10).uncertainty
    assert result.probability_first.tolist() == [0.5, 0.5]
    assert result.undecided == ((0, 1),)


def test_too_few_labels_for_intervals_are_said():
    features = np.random.default_rng(0).normal(size=(8, 4))
    few = ranked("parc", [{"features": features[:6]}], np.arange(6) % 2, draws=5)
    assert "PARC needs 4 labeled images" in few.doubt
    few = ranked("probe", [{"features": features}], np.arange(8) % 2, draws=5)
    assert "Linear probe needs 5 labeled images" in few.doubt
    assert few.uncertainty is None


def test_wrong_input_is_refused():
    labels = np.zeros(8, int)
    with pytest.raises(InvalidInputError, match="number of draws is 1"):
        subsamples(labels, draws=1)
    with pytest.raises(InvalidInputError, match="level"):
        ranked("leep", [{"pseudo_labels": np.eye(8)}], labels, draws=5, level=95)


def test_the_usual_draw_has_the_fewest_labels_with_which_every_metric_has_an_interval():
    usual, most = Draw().labels_per_class, max(METRICS.values(), key=lambda metric: metric.labels_per_class)
    require_labels_for_draws(most, usual)
    with pytest.raises(TooFewLabelsError):
        require_labels_for_draws(most, usual - 1)
