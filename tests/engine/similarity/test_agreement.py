import numpy as np
import pytest
from scipy.stats import rankdata, weightedtau

from engine.errors import InvalidInputError
from engine.similarity.agreement import agreement, ranks_of


def test_ranks_by_hand():
    assert ranks_of([[0.1, 0.9, 0.5], [7.0, 7.0, 1.0]]).tolist() == [[3, 1, 2], [1.5, 1.5, 3]]


def test_agreement_of_metrics():
    scores = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 4.0, 3.0], [4.0, 3.0, 2.0, 1.0], [5.0, 5.0, 5.0, 5.0]])
    result = agreement(scores)
    assert result.mean_rank.tolist() == pytest.approx(result.ranks.mean(axis=0).tolist())
    assert result.kendall[0][0] == 1
    assert result.kendall[0][2] == -1
    assert result.kendall[0][1] == pytest.approx(weightedtau(scores[0], scores[1]).statistic)
    assert result.kendall[0][1] == result.kendall[1][0]
    assert result.kendall[0][3] is None


def test_one_teacher_or_a_missing_score_is_refused():
    with pytest.raises(InvalidInputError, match="two teachers"):
        agreement([[1.0], [2.0]])
    with pytest.raises(InvalidInputError, match="scores row 0, column 1"):
        agreement([[1.0, np.nan]])


def test_ranks_are_those_of_scipy_with_ties_too():
    scores = np.random.default_rng(0).integers(0, 6, (50, 9)).astype(float)
    assert np.array_equal(ranks_of(scores), rankdata(-scores, axis=1))
