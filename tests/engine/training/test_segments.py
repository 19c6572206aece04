"""All teachers' heads as one product and one softmax by segments, against a loop over the heads."""

import pytest
import torch
import torch.nn.functional as F

from engine.training.losses import distillation_loss
from engine.training.segments import Segments

B, D = 6, 16
SIZES = [[7], [3, 10, 1000], [5, 5, 5], [4, 5, 6, 6, 90, 100], [1, 2, 1]]


def made(sizes, dtype):
    """Features, a weight for each teacher's head, and what the teachers say."""
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(B, D, generator=draws, dtype=dtype)
    weights = [torch.randn(size, D, generator=draws, dtype=dtype, requires_grad=True) for size in sizes]
    said = [torch.randn(B, size, generator=draws, dtype=dtype).softmax(1) for size in sizes]
    alpha = torch.rand(len(sizes), generator=draws, dtype=dtype)
    alpha[-1] *= len(sizes) == 1  # of several, the last counts nothing
    return features, weights, said, alpha / alpha.sum()


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float32, 2e-6), (torch.float64, 1e-14)])
def test_one_product_gives_the_loss_and_the_gradients_of_a_loop_over_the_heads(sizes, dtype, near):
    features, weights, said, alpha = made(sizes, dtype)
    looped = sum(a * F.cross_entropy(features @ w.T, q) for a, w, q in zip(alpha, weights, said, strict=True))
    expected = torch.cat(torch.autograd.grad(looped, weights))
    whole = torch.cat([weight.detach() for weight in weights]).requires_grad_()
    log_probabilities = Segments(sizes)(features @ whole.T)
    loss = distillation_loss(log_probabilities, torch.cat(said, 1), alpha.repeat_interleave(torch.tensor(sizes)))
    (gradient,) = torch.autograd.grad(loss, whole)
    assert log_probabilities.dtype == dtype
    assert torch.allclose(loss, looped, rtol=near, atol=near)
    assert torch.allclose(gradient, expected, rtol=near * 100, atol=near)


@pytest.mark.parametrize("sizes", [[2, 2], [2, 3]])
def test_a_segment_far_below_another_does_not_vanish(sizes):
    far = torch.tensor([-1e4, 1e4]).repeat_interleave(torch.tensor(sizes))
    found = Segments(sizes)(far[None]).exp()
    assert torch.allclose(found, torch.cat([torch.full((1, size), 1 / size) for size in sizes], 1))


def test_sizes_that_are_nearly_alike_are_one_call():
    assert len(Segments([1000] * 30).runs) == 1
    assert len(Segments(sorted([3, 10, 1000, 1000, 345, 365, 400])).runs) == 4
