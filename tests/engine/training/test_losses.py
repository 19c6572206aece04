import math

import pytest
import torch

from engine.training.losses import at_temperature, consensus_loss, distillation_loss, fixmatch_loss
from engine.training.segments import Segments


def test_distillation_loss_agrees_with_a_hand_calculation():
    # Teacher a: logits (0, 0) -> softmax (1/2, 1/2); its pseudo-label (1/4, 3/4) costs log 2 whatever it says.
    # Teacher b: logits (log 1, log 3) -> (1/4, 3/4); its pseudo-label (1, 0) costs log 4, (0, 1) costs log 4/3.
    a = torch.zeros(2, 2)
    b = torch.log(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    q_a = torch.tensor([[0.25, 0.75], [0.25, 0.75]])
    q_b = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    expected = 0.25 * math.log(2) + 0.75 * (math.log(4) + math.log(4 / 3)) / 2
    log_probabilities = Segments([2, 2])(torch.cat([a, b], 1))
    alpha = torch.tensor([0.25, 0.25, 0.75, 0.75])
    loss = distillation_loss(log_probabilities, torch.cat([q_a, q_b], 1), alpha)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_consensus_loss_agrees_with_a_hand_calculation():
    # Logits (log 1, log 3) -> (1/4, 3/4): a consensus of (1/2, 1/2) costs (log 4 + log 4/3) / 2, one of (0, 1) log 4/3.
    logits = torch.log(torch.tensor([[1.0, 3.0], [1.0, 3.0]]))
    expected = ((math.log(4) + math.log(4 / 3)) / 2 + math.log(4 / 3)) / 2
    assert consensus_loss(logits, torch.tensor([[0.5, 0.5], [0.0, 1.0]])).item() == pytest.approx(expected, rel=1e-6)


def test_another_temperature_is_that_of_each_teachers_softmax():
    logits, teachers = torch.randn(4, 12, generator=torch.Generator().manual_seed(0)), Segments([5, 7])
    probabilities = teachers(logits).exp()
    for temperature in (0.5, 4.0):
        expected = torch.cat([(part / temperature).softmax(1) for part in logits.split([5, 7], 1)], 1)
        assert torch.allclose(at_temperature(probabilities, temperature, teachers), expected, atol=1e-6)
    assert torch.equal(at_temperature(probabilities, 1.0, teachers), probabilities)


def test_a_low_temperature_gives_numbers_for_an_unsure_teacher_of_many_classes():
    """q = 1/30000 to the power of 10 is 0 in float32, for every class at once."""
    unsure = torch.full((1, 30_000), 1 / 30_000)
    assert torch.allclose(at_temperature(unsure, 0.1, Segments([30_000])), unsure)
    one_hot = torch.tensor([[0.0, 1.0, 0.0]])
    assert torch.equal(at_temperature(one_hot, 0.1, Segments([3])), one_hot)


def test_fixmatch_counts_confident_images_only_and_divides_by_all():
    # Image 1: weak softmax (.97, .03): confident, target 0. Image 2: (.6, .4): not. Image 3: (.04, .96): target 1.
    weak = torch.log(torch.tensor([[0.97, 0.03], [0.6, 0.4], [0.04, 0.96]]))
    strong = torch.log(torch.tensor([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]]))
    loss, share = fixmatch_loss(weak, strong, 0.95)
    assert loss.item() == pytest.approx((math.log(2) + math.log(1 / 0.8)) / 3, rel=1e-6)
    assert share.item() == pytest.approx(2 / 3)


def test_no_gradient_reaches_the_weak_view():
    weak = torch.tensor([[9.0, 0.0]], requires_grad=True)
    strong = torch.tensor([[0.0, 1.0]], requires_grad=True)
    fixmatch_loss(weak, strong, 0.95)[0].backward()
    assert weak.grad is None
    assert strong.grad.abs().sum() > 0
