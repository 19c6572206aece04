"""How a step computes: as a spec asks for it, or as a measurement chooses; the order in memory changes no weight."""

import pytest
import torch

from engine.methods import get_method
from engine.methods.made_up import MadeUp
from engine.training import Arithmetic, TrainSpec, choose, plain, train
from engine.training.arithmetic import QUICK
from engine.training.throughput import made_up

PLAIN, LAST, HALF, HALF_LAST = QUICK


def test_a_spec_says_fp32_or_bf16_and_leaves_it_open_only_where_something_is_measured():
    assert plain(TrainSpec()) == Arithmetic("fp32", channels_last=False, repeatable=True)
    assert plain(TrainSpec(precision="bf16")).precision == "bf16"
    assert plain(TrainSpec(precision="auto")) == plain(TrainSpec())


@pytest.mark.parametrize(
    ("rates", "chosen"),
    [
        ((100, 101, 100, 104), PLAIN),  # within what a measurement varies
        ((100, 120, 90, 95), LAST),
        ((100, 90, 60, 240), HALF_LAST),
        ((100, 90, 106, 105), HALF),
        ((0.5, 0.0, 0.0, 0.0), PLAIN),
    ],
)
def test_what_is_clearly_quicker_takes_the_place_of_fp32(rates, chosen):
    assert choose(dict(zip(QUICK, rates, strict=True))) == chosen


def test_the_order_in_memory_changes_no_weight_beyond_rounding():
    recipe = get_method("fine-tune").recipe(
        {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "labeled_batch": 8, "images": 24}
    )
    data, objective = made_up(recipe.train), recipe.settings.prepare(MadeUp(1))
    usual, last = (
        train(recipe.train, objective, data, 0, arithmetic=way).network
        for way in (plain(recipe.train), Arithmetic(channels_last=True))
    )
    kernels = [value for value in last.parameters() if value.ndim == 4 and min(value.shape[1:]) > 1]
    assert kernels
    assert all(value.is_contiguous(memory_format=torch.channels_last) for value in kernels)
    for one, other in zip(usual.state_dict().values(), last.state_dict().values(), strict=True):
        assert torch.allclose(one.float(), other.float(), rtol=1e-3, atol=1e-4)
