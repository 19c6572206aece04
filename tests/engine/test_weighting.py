import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidInputError
from engine.weighting import active, effective_number, ranking_possible, weights

SIMILARITIES = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
POWERS = st.one_of(st.floats(0, 1e308), st.just(math.inf))
RULES = st.sampled_from(["clip", "minmax"])


def test_by_hand():
    assert weights([1, 2, 3], 2, "clip") == pytest.approx([1 / 14, 4 / 14, 9 / 14])
    assert weights([-5, -3, -1], 1, "minmax") == pytest.approx([0, 1 / 3, 2 / 3])


def test_minmax_is_needed_where_clip_finds_nothing():
    assert weights([-2.0, -1.0], 1, "clip").tolist() == [0.5, 0.5]
    assert not ranking_possible([-2.0, -1.0], "clip")
    assert weights([-2.0, -1.0], 1, "minmax").tolist() == [0, 1]
    assert ranking_possible([-2.0, -1.0], "minmax")


def test_p_zero_is_equal_even_for_those_clipped_to_zero():
    assert weights([5, 0, -3], 0, "clip").tolist() == [1 / 3] * 3


def test_p_infinity_is_the_nearest_and_ties_share():
    assert weights([0.2, 0.9, 0.1], math.inf, "clip").tolist() == [0, 1, 0]
    assert weights([0.9, 0.9, 0.1], math.inf, "minmax").tolist() == [0.5, 0.5, 0]


def test_large_and_small_powers_do_not_overflow():
    assert weights([1e-300, 1e300, 1], 1e300, "clip").tolist() == [0, 1, 0]
    assert weights([1e-300, 1e300], 1e-300, "clip") == pytest.approx([0.5, 0.5])
    assert weights([-1.7e308, 1.7e308, 0], 1, "minmax") == pytest.approx([0, 2 / 3, 1 / 3])
    assert weights([1e-320, 2e-320], 1, "clip") == pytest.approx([1 / 3, 2 / 3], rel=1e-3)


def test_large_p_approaches_the_nearest():
    assert weights([0.5, 0.6, 0.55], 1e4, "clip") == pytest.approx(weights([0.5, 0.6, 0.55], math.inf, "clip"))


@given(SIMILARITIES, POWERS, RULES)
def test_shares_are_shares(similarities, p, rule):
    alpha = weights(similarities, p, rule)
    assert alpha.sum() == pytest.approx(1)
    assert (alpha >= 0).all()
    assert 1 - 1e-9 <= effective_number(alpha) <= len(alpha) + 1e-9
    if not ranking_possible(similarities, rule):
        assert (alpha == 1 / len(alpha)).all()


@given(SIMILARITIES, st.floats(0.01, 50), RULES, st.randoms(use_true_random=False))
def test_more_similar_is_more_weight_and_order_does_not_matter(similarities, p, rule, shuffler):
    values = np.array(similarities)
    alpha = weights(values, p, rule)
    assert (np.diff(alpha[np.argsort(values)]) >= -1e-15).all()
    order = list(range(len(values)))
    shuffler.shuffle(order)
    assert weights(values[order], p, rule) == pytest.approx(alpha[order], abs=1e-12)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8), st.floats(0.1, 20), st.floats(0.01, 100))
def test_clip_does_not_notice_the_unit_and_minmax_neither_unit_nor_zero(similarities, p, scale):
    values = np.array(similarities)
    assert weights(scale * values, p, "clip") == pytest.approx(weights(values, p, "clip"), abs=1e-9)
    spread = np.append(values, [0.0, 200.0])
    assert weights(scale * spread - 7, p, "minmax") == pytest.approx(weights(spread, p, "minmax"), abs=1e-6)


@given(st.lists(st.floats(0.01, 100), min_size=2, max_size=8), st.floats(0.1, 10), st.floats(0.1, 10))
def test_effective_number_falls_with_p(similarities, p, more):
    few, many = weights(similarities, p + more, "clip"), weights(similarities, p, "clip")
    assert effective_number(few) <= effective_number(many) + 1e-9


def test_one_teacher_has_all():
    assert weights([0.3], 12, "clip").tolist() == [1]
    assert weights([0.3], 12, "minmax").tolist() == [1]
    assert not ranking_possible([0.3], "minmax")


def test_effective_number_by_hand():
    assert effective_number([0.25] * 4) == 4
    assert effective_number([1.0]) == 1
    assert effective_number([0.9, 0.1]) == pytest.approx(np.exp(-0.9 * np.log(0.9) - 0.1 * np.log(0.1)))


def test_active_drops_and_scales():
    alpha = active([0.6, 0.3995, 0.0005])
    assert alpha[2] == 0
    assert alpha.sum() == pytest.approx(1)
    assert alpha[0] / alpha[1] == pytest.approx(0.6 / 0.3995)
    assert active(np.full(2000, 1 / 2000)) == pytest.approx(np.full(2000, 1 / 2000))
    assert active([0.999, 0.001]).tolist() == pytest.approx([0.999, 0.001])


@pytest.mark.parametrize(
    ("similarities", "p", "rule", "message"),
    [
        ([1, 2], -1, "clip", "p is -1"),
        ([1, 2], math.nan, "clip", "p is nan"),
        ([1, math.nan], 1, "clip", "similarities row 1 is nan"),
        ([1, math.inf], 1, "minmax", "similarities row 1 is inf"),
        ([], 1, "clip", "shape"),
        ([1, 2], 1, "softmax", "no rule 'softmax'"),
    ],
)
def test_wrong_input_is_refused(similarities, p, rule, message):
    with pytest.raises(InvalidInputError, match=message):
        weights(similarities, p, rule)


@pytest.mark.parametrize("alpha", [[0.5, 0.6], [1.5, -0.5], [0.0, 0.0]])
def test_shares_that_are_none_are_refused(alpha):
    with pytest.raises(InvalidInputError, match="shares are 0 or more"):
        effective_number(alpha)
    with pytest.raises(InvalidInputError, match="shares are 0 or more"):
        active(alpha)


def test_floor_is_a_share():
    with pytest.raises(InvalidInputError, match="floor"):
        active([1.0], floor=2)
