import numpy as np
import pytest
from scipy import stats

from engine.errors import InvalidInputError
from engine.evaluation import spearman, weighted_kendall

BOTH = pytest.mark.parametrize("correlate", [spearman, weighted_kendall])


def test_agrees_with_scipy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=20)
    y = np.round(x + rng.normal(size=20), 1)
    assert spearman(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic)
    assert weighted_kendall(x, y).value == pytest.approx(stats.weightedtau(x, y).statistic)


def test_a_swap_at_the_top_costs_more_than_one_at_the_bottom():
    best_last = [1, 2, 3, 4, 5, 6]
    assert weighted_kendall(best_last, [1, 2, 3, 4, 6, 5]).value < weighted_kendall(best_last, [2, 1, 3, 4, 5, 6]).value


@BOTH
def test_extremes_and_the_unknown(correlate):
    assert correlate([1, 2, 3, 4], [10, 20, 30, 40]).value == 1
    assert correlate([1, 2, 3, 4], [4, 3, 2, 1]).value == -1
    tied = correlate([1, 2, 3, 4], [5, 5, 5, 5])
    assert tied.value is None
    assert tied.interval is None
    assert correlate([1, 2, 3], [1, 3, 2]).interval is None


@BOTH
def test_interval_holds_the_value_and_covers(correlate):
    rng = np.random.default_rng(0)
    result = correlate(x := rng.normal(size=30), x + rng.normal(size=30))
    assert -1 < result.interval.low < result.value < result.interval.high < 1
    covered = [0.0 in correlate(rng.normal(size=15), rng.normal(size=15), level=0.9).interval for _ in range(80)]
    assert np.mean(covered) > 0.8


@BOTH
def test_wrong_input_is_refused(correlate):
    with pytest.raises(InvalidInputError, match="1 item"):
        correlate([1.0], [2.0])
    with pytest.raises(InvalidInputError, match="number of rows"):
        correlate([1.0, 2.0], [2.0])
