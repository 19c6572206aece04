"""Cards that are made up: what nvidia-smi would say of them, and what a process may see of them."""

import os
import subprocess

import pytest
import torch

from engine import devices
from engine.devices import listing
from engine.errors import InvalidInputError, UnavailableError
from tests.cards import A, B, made_up_cards

BOTH = ["cuda", "cuda:0", "cuda:1", "cpu"]


def test_cards_are_read_from_what_the_driver_says():
    said = f"0, {A}, NVIDIA H100 80GB HBM3, 81559, 72704\n1, {B}, NVIDIA Thor, [N/A], [N/A]\nan error\n"
    first, second = listing.cards_in(said)
    assert (first.index, first.name, first.known_as) == (0, "NVIDIA H100 80GB HBM3", A)
    assert (first.total, first.free) == (81559 * 2**20, 72704 * 2**20)
    assert (second.name, second.total, second.free) == ("NVIDIA Thor", None, None)


@pytest.mark.parametrize(
    ("visible", "known_as"),
    [
        (None, [A, B]),
        ("1", [B]),
        ("1,0", [B, A]),
        (B, [B]),
        (f"{A[:8]}, 1", [A, B]),
        ("0,7,1", [A]),  # as CUDA does: what is no card ends the list
        ("", []),
        ("-1", []),
    ],
)
def test_a_process_sees_what_its_environment_leaves_it(monkeypatch, visible, known_as):
    made_up_cards(monkeypatch, 2, visible=visible, counted=len(known_as))
    assert [(card.index, card.known_as) for card in devices.cards()] == list(enumerate(known_as))


def test_cards_that_the_driver_does_not_list_are_counted(monkeypatch):
    made_up_cards(monkeypatch, 0, visible="MIG-1,MIG-2", counted=2)
    assert [(card.known_as, card.free) for card in devices.cards()] == [("MIG-1", None), ("MIG-2", None)]
    assert devices.label("cuda:1") == "Card 1: a slice"


def test_a_worker_of_a_card_s_lane_sees_that_card_alone(monkeypatch):
    made_up_cards(monkeypatch, 2, visible="1,0", counted=2)
    found = devices.environment_of("cuda:1")
    assert found == {
        "CUDA_VISIBLE_DEVICES": A,
        "WORKBENCH_CARD": "cuda:1",
        "WORKBENCH_CARDS": "2",
    }
    assert (devices.place_among_workers(found), devices.place_among_workers({})) == ((1, 2), (0, 1))
    assert [devices.environment_of(lane) for lane in ("cpu", "interactive", "cuda", "cuda:2")] == [{}] * 4
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert devices.describe("cuda") == devices.describe("cuda:1") == "NVIDIA A"  # its name outside is still understood


@pytest.mark.parametrize(("count", "there"), [(0, ["cpu"]), (1, ["cuda", "cpu"]), (2, BOTH)])
def test_one_card_has_one_name_and_several_have_names_of_their_own(monkeypatch, count, there):
    made_up_cards(monkeypatch, count)
    assert devices.available() == there
    assert devices.resolve(None) == devices.resolve("auto") == there[0]
    assert [devices.resolve(name) for name in there] == there
    assert devices.is_here("cuda:0") == bool(count)


def test_a_card_is_offered_with_its_free_memory(monkeypatch):
    made_up_cards(monkeypatch, 2)
    assert list(map(devices.label, BOTH[:3])) == [
        "Any free card",
        "Card 0: NVIDIA A, 70 of 80 GB free",
        "Card 1: NVIDIA B, 71 of 80 GB free",
    ]
    made_up_cards(monkeypatch, 1)
    assert devices.label("cuda") == "NVIDIA A, 70 of 80 GB free"
    assert devices.resolve("cuda:0") == "cuda"  # the only one


def test_a_device_that_is_not_there_is_a_sentence_with_those_that_are(monkeypatch):
    made_up_cards(monkeypatch, 2)
    with pytest.raises(UnavailableError) as raised:
        devices.resolve("cuda:2")
    assert str(raised.value) == (
        "This machine has no cuda:2 device: choose one of cuda (any free card), cuda:0 (NVIDIA A, 70 of 80 GB free), "
        "cuda:1 (NVIDIA B, 71 of 80 GB free), cpu."
    )
    for name in ("gpu", "cuda:", "cuda:-1", "cuda:1\n", 0):
        with pytest.raises(InvalidInputError, match="is no device"):
            devices.resolve(name)


def test_any_card_is_the_one_with_the_most_free_memory(monkeypatch):
    made_up_cards(monkeypatch, 3)
    assert listing.roomiest() == 2


def test_nobody_looks_for_cards_on_a_machine_without_any(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(listing, "listed", lambda moment: pytest.fail("nvidia-smi was asked"))
    assert (devices.cards(), devices.environment_of("cpu")) == ([], {})


def test_a_tool_that_is_not_there_lists_nothing(monkeypatch):
    monkeypatch.setitem(os.environ, "PATH", "/nowhere")
    assert listing.listed(-1) == ()


def test_a_driver_that_hangs_is_not_asked_at_every_look(monkeypatch):
    asked = []

    def hangs(command, **how):
        asked.append(command)
        raise subprocess.TimeoutExpired(command, how["timeout"])

    monkeypatch.setattr(listing.subprocess, "run", hangs)
    monkeypatch.setattr(listing._Silence, "until", 0.0)
    assert [listing.listed(moment) for moment in (-2, -3, -4)] == [()] * 3
    assert len(asked) == 1
