"""A teacher on a device: precision, batches and a full memory, and what a card does where a CPU has no like of it."""

import copy

import pytest
import torch

from engine.errors import InvalidInputError, UnavailableError
from engine.features import forward
from engine.features.forward import Forward, batch_within, near_enough
from engine.teachers import get_teacher, load_teacher

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network(shared_home):
    return load_teacher(shared_home, get_teacher(shared_home, "fashion-mnist"), CPU)


def pixels(images, seed=0):
    smooth = torch.rand(images, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(smooth, size=32, mode="bilinear").to(torch.uint8)


def forward_of(network, *, decided=True):
    said = []
    made = Forward(network, CPU, said.append)
    made.decided = decided
    return made, said


def test_a_cpu_computes_in_fp32_at_once(network):
    made, said = forward_of(network)
    made.decided = Forward(network, CPU, said.append).decided
    with torch.inference_mode():
        features, logits = network(pixels(3))
    computed = made(pixels(3), pixels(3))
    assert torch.equal(computed.features, features.half())
    assert torch.equal(computed.pseudo_labels, logits.softmax(1).half())
    assert (made.network, said) == (network, [])


def test_bf16_serves_where_its_outputs_are_near_those_of_fp32(network, monkeypatch):
    """Of this teacher they are (1 - cosine is below 1e-4 in 99 of 100), and so are those of autocast."""
    monkeypatch.setattr(forward, "HALVES", (torch.bfloat16,))
    made, _ = forward_of(network, decided=False)
    made(pixels(8), pixels(8))
    assert made.network.scale.dtype == torch.bfloat16
    with torch.inference_mode():
        exact = network(pixels(8))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert near_enough(exact, network(pixels(8)))
    assert near_enough(exact, made.network(pixels(8)))
    assert not near_enough(exact, (exact[0][torch.arange(8) - 1], exact[1]))


def test_a_network_that_half_precision_changes_stays_in_fp32(network, monkeypatch):
    monkeypatch.setattr(forward, "COSINE_DISTANCE", 1e-9)
    monkeypatch.setattr(forward, "HALVES", (torch.bfloat16,))
    made, _ = forward_of(network, decided=False)
    computed = made(pixels(4), pixels(4))
    assert made.network is network
    with torch.inference_mode():
        assert torch.equal(computed.features, network(pixels(4))[0].half())


@pytest.mark.parametrize(
    ("features", "logits", "near"),
    [
        (lambda f: f * 1.5, lambda z: z, True),  # the cosine alone counts
        (lambda f: f + 0.1 * f.roll(1, 1), lambda z: z, False),
        (lambda f: f, lambda z: z + torch.tensor([0.0, 0.1]), False),  # pseudo-labels by 0.025
        (lambda f: f, lambda z: z + torch.tensor([0.0, 0.02]), True),
        (lambda f: torch.full_like(f, torch.inf), lambda z: z, False),
        (lambda f: f, lambda z: z[:, :0], None),
    ],
)
def test_what_is_near(features, logits, near):
    exact = torch.eye(4) + 1, torch.zeros(4, 2)
    if near is None:  # a teacher without classes
        assert near_enough((exact[0], exact[1][:, :0]), (exact[0], logits(exact[1])))
    else:
        assert near_enough(exact, (features(exact[0]), logits(exact[1]))) == near


class Small(torch.nn.Module):
    """A network on a device with memory for a few images."""

    def __init__(self, network, most):
        super().__init__()
        self.network, self.most, self.asked = network, most, []

    def forward(self, images):
        self.asked.append(len(images))
        if len(images) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.network(images)


def test_a_full_memory_halves_what_is_run_at_once_says_so_and_goes_on(network):
    small = Small(network, 3)
    made, said = forward_of(small)
    computed = made(pixels(10), pixels(10))
    assert small.asked == [10, 5, 2, 2, 2, 2, 2]
    assert said == ["memory was full: 5 images at once", "memory was full: 2 images at once"]
    whole, _ = forward_of(network)
    assert torch.allclose(computed.features, whole(pixels(10), pixels(10)).features, atol=1e-2)
    small.asked.clear()
    made(pixels(10), pixels(10))
    assert small.asked == [2] * 5  # it remembers


def test_a_device_without_memory_for_one_image_is_a_sentence(network):
    made, _ = forward_of(Small(network, 0))
    with pytest.raises(UnavailableError, match="no memory left for one image"):
        made(pixels(2), pixels(2))


def test_features_that_are_no_numbers_name_their_teacher(network):
    broken = copy.deepcopy(network)
    broken.shift.fill_(torch.nan)
    made, _ = forward_of(broken)
    with pytest.raises(InvalidInputError, match="'scans' gives features that are no number"):
        made(pixels(1), pixels(1)).arrays("scans")


@pytest.mark.parametrize(
    ("free", "largest", "batch"), [(78 << 30, 224, 512), (8 << 30, 224, 128), (2 << 30, 224, 32), (8 << 30, 64, 512)]
)
def test_a_batch_fits_into_half_of_the_free_memory(free, largest, batch):
    assert batch_within(free, largest) == batch
    if batch > forward.CARD_BATCHES[0]:
        assert batch * forward.NUMBERS_A_NUMBER * 12 * largest**2 <= free / 2
