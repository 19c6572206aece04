import numpy as np
import pytest
from scipy import stats

from engine.errors import InvalidInputError
from engine.evaluation import (
    accuracy_interval,
    bootstrap_over_targets,
    mean_over_targets,
    paired_difference,
    wilson_interval,
)
from engine.evaluation.intervals import t_interval


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (81, 263), (10, 10), (640, 1350)])
def test_wilson_agrees_with_scipy(successes, trials):
    expected = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    interval = wilson_interval(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert interval.method == f"Wilson interval over {trials:,} images"


def test_t_interval_agrees_with_scipy_and_is_unknown_for_one_value():
    values = [3.0, 4.0, 8.0, 5.0]
    interval = t_interval(values, 0.9)
    assert (interval.low, interval.high) == pytest.approx(stats.ttest_1samp(values, 0).confidence_interval(0.9))
    assert interval.level == 0.9
    assert 5.0 in interval
    assert 50.0 not in interval
    assert t_interval([3.0]) is None


@pytest.mark.parametrize(("images", "seeds"), [(20, 2), (40, 2), (40, 3), (100, 2)])
def test_two_methods_that_are_as_good_seldom_have_a_winner(images, seeds):
    rng = np.random.default_rng(0)
    easy = rng.beta(2, 0.8, (2_000, 1, images))  # how often an image is got right, by either method and any seed
    first, second = ((rng.random((2_000, seeds, images)) < easy).mean(2) for _ in range(2))
    pairs = [
        paired_difference(dict(enumerate(one)), dict(enumerate(other)), images=images)
        for one, other in zip(first, second, strict=True)
    ]
    assert np.mean([pair.interval.low > 0 for pair in pairs]) < 0.05
    assert all(pair.interval.low < pair.mean < pair.interval.high for pair in pairs)


def test_seeds_that_agree_have_the_spread_that_their_steps_hide():
    same = accuracy_interval([0.85, 0.85], 20)
    assert same.low < 0.85 < same.high
    wide = accuracy_interval([0.6, 0.8], 20)
    assert (wide.low, wide.high) == (0.0, 1.0)  # far more than a step apart: as without steps, within 0 to 1
    mean, interval = mean_over_targets([[0.05, 0.05], [0.15, 0.15]], images=[20, 20])
    assert interval.low < mean < interval.high


def test_paired_difference_pairs_by_seed():
    result = paired_difference({2: 0.9, 1: 0.6, 5: 0.1}, {1: 0.5, 2: 0.7}, images=10)
    assert result.seeds == (1, 2)
    assert result.differences == pytest.approx((0.1, 0.2))
    assert result.mean == pytest.approx(0.15)
    assert result.interval.method == "t interval over 2 seeds"
    assert paired_difference({0: 0.9}, {0: 0.7}, images=10).interval is None
    with pytest.raises(InvalidInputError, match="none in common"):
        paired_difference({0: 0.9}, {1: 0.7}, images=10)


def test_mean_over_targets_is_an_interval_over_seeds():
    table = [[0.1, 0.3, 0.2], [0.5, 0.7, 0.6]]
    mean, interval = mean_over_targets(table)
    assert mean == pytest.approx(0.4)
    expected = t_interval([0.3, 0.5, 0.4])
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert mean_over_targets([[0.1], [0.2]])[1] is None


def test_bootstrap_over_targets_is_as_wide_as_targets_differ():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(40, 1)) + 0.01 * rng.normal(size=(40, 3))
    interval = bootstrap_over_targets(table)
    expected = t_interval(table.mean(axis=1))
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=0.03)
    assert interval.method == "stratified bootstrap over 40 targets"
    assert bootstrap_over_targets(table) == interval
    assert bootstrap_over_targets(table[:2]) is None


def test_intervals_cover_as_often_as_they_say():
    rng = np.random.default_rng(1)
    covered = [0.3 in t_interval(rng.normal(0.3, 1, 5), 0.9) for _ in range(600)]
    assert np.mean(covered) == pytest.approx(0.9, abs=0.04)
    covered = [0.8 in wilson_interval(int(rng.binomial(50, 0.8)), 50, 0.9) for _ in range(600)]
    assert np.mean(covered) > 0.85


@pytest.mark.parametrize(("targets", "least"), [(4, 0.89), (8, 0.93)])
def test_the_bootstrap_covers_with_few_targets_too(targets, least):
    """Plain percentiles would hold the truth 84 and 90 times of 100."""
    rng = np.random.default_rng(2)
    tables = (rng.normal(size=(targets, 1)) + 0.3 * rng.normal(size=(targets, 5)) for _ in range(300))
    assert np.mean([0.0 in bootstrap_over_targets(table, draws=2000) for table in tables]) > least


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wilson_interval(1, 0), "1 successes in 0 trials"),
        (lambda: wilson_interval(5, 4), "between 0 and trials"),
        (lambda: wilson_interval(1, 4, level=95), "level of an interval is 95"),
        (lambda: t_interval([]), "at least one number"),
        (lambda: t_interval([1.0, np.nan]), "row 1 is nan"),
        (lambda: t_interval([1.0], level=0), "level"),
        (lambda: bootstrap_over_targets([[1.0], [2.0], [3.0]], draws=0), "draws is 0"),
    ],
)
def test_wrong_input_is_refused(call, message):
    with pytest.raises(InvalidInputError, match=message):
        call()
