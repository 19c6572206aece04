import numpy as np
import pytest

from engine.errors import CancelledError, InvalidInputError, UnknownNameError
from engine.similarity import METRICS, score, standings
from engine.similarity.agreement import ranks_of
from engine.similarity.subsampling import subsamples, uncertainty_of

LABELS = np.arange(40) % 4


def teacher(strength, seed=0, d=12):
    rng = np.random.default_rng(seed)
    features = strength * rng.normal(size=(4, d))[LABELS] + rng.normal(size=(40, d))
    logits = strength * np.eye(6)[LABELS] + rng.normal(size=(40, 6))
    pseudo_labels = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return {"features": features, "pseudo_labels": pseudo_labels}


TEACHERS = [teacher(0.3, 1), teacher(3.0, 2), teacher(1.0, 3)]
RECORDS = {"static": [5.0, 7.0, 6.0], "random": [0.1, 0.2, 0.3]}


@pytest.fixture(scope="module")
def found():
    return standings(TEACHERS, LABELS, list(METRICS), records=RECORDS, draws=12)


@pytest.mark.parametrize("name", METRICS)
def test_scores_are_those_of_each_metric_alone(found, name):
    standing = found.by_metric[name]
    expected = RECORDS.get(name) or [score(name, labels=LABELS, **arrays) for arrays in TEACHERS]
    assert standing.scores == pytest.approx(expected, rel=1e-9)
    assert standing.ranks.tolist() == ranks_of([np.round(expected, 9)])[0].tolist()


@pytest.mark.parametrize("name", ["parc", "cka", "logme", "gbc", "knn", "leep"])
def test_intervals_are_those_of_a_ranking_by_this_metric_alone(found, name):
    together, draws = found.by_metric[name].uncertainty, subsamples(LABELS, draws=12)

    def scores(rows):
        arrays = [{key: value[rows] for key, value in one.items()} for one in TEACHERS]
        return [score(name, labels=LABELS[rows], **one) for one in arrays]

    alone = uncertainty_of(np.array(scores(np.arange(40))), np.array([scores(rows) for rows in draws.rows]), draws)
    for one, other in zip(alone.intervals, together.intervals, strict=True):
        assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-6)
    assert alone.probability_first == pytest.approx(together.probability_first)
    assert alone.undecided == together.undecided


def test_threads_change_no_number(found):
    shared = standings(TEACHERS, LABELS, list(METRICS), records=RECORDS, draws=12, threads=2)
    for name, standing in found.by_metric.items():
        if standing.uncertainty is not None:
            assert shared.by_metric[name].uncertainty.intervals == standing.uncertainty.intervals


def test_a_score_lies_in_its_interval_and_shares_of_first_places_sum_to_1(found):
    for standing in found.by_metric.values():
        if standing.uncertainty is not None:
            assert all(s in i for s, i in zip(standing.scores, standing.uncertainty.intervals, strict=True))
            assert standing.uncertainty.probability_first.sum() == pytest.approx(1)


def test_mean_ranks_are_over_the_metrics_that_look_at_labels(found):
    mean = found.mean_ranks
    assert set(mean.metrics) == {name for name, record in METRICS.items() if record.labels_per_class}
    ranks = [found.by_metric[name].ranks for name in mean.metrics]
    assert mean.values == pytest.approx(np.mean(ranks, axis=0))
    assert mean.values.argmin() == 1
    assert all(1 <= i.low <= m <= i.high <= 3 for m, i in zip(mean.values, mean.intervals, strict=True))
    assert mean.probability_first[1] > 0.9
    assert len(mean.kendall) == len(mean.metrics)


def test_values_that_are_equal_by_definition_share_the_first_place():
    """With more dimensions than images the H-score is C - 1 for every teacher."""
    wide = [teacher(1.0, seed, d=80) for seed in range(4)]
    standing = standings(wide, LABELS, ["h_score"], draws=6).by_metric["h_score"]
    assert standing.ranks.tolist() == [2.5] * 4
    assert standing.uncertainty.probability_first.tolist() == [0.25] * 4
    assert len(standing.uncertainty.undecided) == 6


def test_without_draws_there_are_no_intervals():
    found = standings(TEACHERS, LABELS, ["parc", "leep"])
    assert found.by_metric["parc"].uncertainty is None
    assert found.by_metric["parc"].doubt is None
    assert found.mean_ranks.intervals is None


def test_too_few_labels_are_a_problem_or_a_doubt():
    few = np.arange(40) // 2  # two of each of twenty classes
    found = standings(TEACHERS, few, ["parc", "probe", "leep"], draws=5)
    assert "needs 3 labeled images of a class" in found.by_metric["probe"].problem
    assert "needs 4 labeled images of a class" in found.by_metric["parc"].doubt
    assert np.isfinite(found.by_metric["parc"].scores).all()
    assert found.mean_ranks.metrics == ("parc", "leep")
    assert found.mean_ranks.intervals is None


def test_copies_in_groups_say_no_more_than_one_of_them():
    four = np.repeat(np.arange(40), 4)  # each image four times
    copies = [{name: array[four] for name, array in teacher.items()} for teacher in TEACHERS]

    def width(teachers, labels, **rest):
        [interval, *_] = standings(teachers, labels, ["leep"], draws=60, **rest).by_metric["leep"].uncertainty.intervals
        assert ("half the groups" in interval.method) == ("groups" in rest)
        return interval.high - interval.low

    once, in_groups = width(TEACHERS, LABELS), width(copies, LABELS[four], groups=four)
    assert in_groups == pytest.approx(once, rel=1e-6)  # the same draws of the same images
    assert width(copies, LABELS[four]) < 0.7 * once  # as if there were four times as many


def test_too_few_groups_are_a_doubt():
    found = standings(TEACHERS, LABELS, ["parc", "leep"], draws=5, groups=np.arange(40) // 20)
    assert "from different groups where groups are given" in found.by_metric["parc"].doubt
    assert np.isfinite(found.by_metric["leep"].scores).all()
    assert found.mean_ranks.intervals is None


def test_a_metric_that_fails_for_one_teacher_is_left_out_with_its_sentence():
    constant = {**TEACHERS[0], "features": np.ones((40, 3))}
    found = standings([*TEACHERS, constant], LABELS, ["h_score", "leep"], draws=5)
    assert "differ between images" in found.by_metric["h_score"].problem
    assert found.by_metric["leep"].uncertainty is not None
    assert found.mean_ranks.metrics == ("leep",)


def test_wrong_input_is_refused():
    with pytest.raises(InvalidInputError, match="no teacher"):
        standings([], LABELS, ["parc"])
    with pytest.raises(UnknownNameError, match="did you mean parc"):
        standings(TEACHERS, LABELS, ["park"])
    with pytest.raises(InvalidInputError, match="pass its scores in records"):
        standings(TEACHERS, LABELS, ["static"])
    with pytest.raises(InvalidInputError, match="number of draws is 1"):
        standings(TEACHERS, LABELS, ["parc"], draws=1)


def test_one_teacher_has_no_mean_rank():
    found = standings(TEACHERS[:1], LABELS, ["parc", "leep"], draws=4)
    assert found.mean_ranks is None
    assert found.by_metric["parc"].uncertainty.probability_first.tolist() == [1.0]


def test_progress_is_told_and_can_stop_the_work():
    seen = []
    standings(TEACHERS, LABELS, ["leep"], draws=2, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(i, 9) for i in range(1, 10)]

    def stop(done, of):
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        standings(TEACHERS, LABELS, ["leep"], draws=2, progress=stop)


def test_mean_ranks_cover_the_truth_as_often_as_they_say():
    """Mean ranks of three teachers over three metrics; the truth is the mean over many labeled sets."""
    labels, strengths, names = np.arange(24) % 3, (0.8, 1.0, 1.3), ["parc", "cka_debiased", "regularized_h_score"]

    def teachers(seed):
        rng = np.random.default_rng(seed)
        return [{"features": s * np.eye(3, 6)[labels] * 2 + rng.normal(size=(24, 6))} for s in strengths]

    truth = np.mean([standings(teachers(10_000 + i), labels, names).mean_ranks.values for i in range(100)], axis=0)
    covered = []
    for seed in range(40):
        found = standings(teachers(seed), labels, names, draws=24, level=0.9).mean_ranks
        covered += [value in interval for value, interval in zip(truth, found.intervals, strict=True)]
        assert all(value in interval for value, interval in zip(found.values, found.intervals, strict=True))
    assert np.mean(covered) >= 0.85
