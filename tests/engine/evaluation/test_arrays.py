import numpy as np
import pytest
import torch

from engine.errors import InvalidInputError
from engine.evaluation.arrays import as_labels, as_matrix, as_probabilities, encode, to_numpy


def test_tensors_become_arrays():
    tensor = torch.tensor([[1.5, 2.0]], requires_grad=True)
    assert as_matrix(tensor, "x").tolist() == [[1.5, 2.0]]
    assert as_matrix(tensor.bfloat16(), "x").tolist() == [[1.5, 2.0]]
    assert as_labels(torch.tensor([3, -1], dtype=torch.int16)).tolist() == [3, -1]


def test_what_is_read_is_not_changed():
    theta = np.full((2, 2), 0.5002)
    assert as_probabilities(theta).sum(axis=1).tolist() == [1, 1]
    assert theta[0, 0] == 0.5002


def test_half_precision_probabilities_may_round():
    theta = np.random.default_rng(0).dirichlet(np.ones(1000), 5).astype(np.float16)
    assert as_probabilities(theta).sum(axis=1) == pytest.approx(1, abs=1e-12)
    with pytest.raises(InvalidInputError, match="sums to"):
        as_probabilities(1.005 * theta.astype(np.float64))


def test_ragged_rows_are_refused():
    with pytest.raises(InvalidInputError, match="equal length"):
        to_numpy([[1, 2], [3]])


def test_encode_leaves_no_holes():
    codes, counts = encode(np.array([7, -2, 7, 100]))
    assert codes.tolist() == [1, 0, 1, 2]
    assert counts.tolist() == [1, 2, 1]
