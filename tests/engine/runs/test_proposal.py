"""Which size and budget are proposed for photographs, by what a device can do."""

import numpy as np
import pytest

from engine import devices
from engine.cli.program import main
from engine.methods import get_method
from engine.runs import proposal_for as given
from engine.runs.proposal import LONGEST, propose
from engine.runs.speed import START_SECONDS, keep_speed, seconds_at
from engine.training import TrainSpec
from tests.cards import made_up_cards

CPU, CARD = 230.0, 20_000.0  # images a second at 64 px: two cores (assets/results), an H100


def at_rate(rate):
    return lambda size, images: seconds_at(rate * (64 / size) ** 2, images)


@pytest.mark.parametrize(
    ("side", "train_images", "decided", "rate", "size", "images", "reason"),
    [
        (
            480,
            600,
            False,
            CPU,
            128,
            16_000,
            "half of the images have 480 px or more, but a run at 160 px would take more",
        ),
        (
            480,
            600,
            False,
            CARD,
            224,
            16_000,
            "half of the images have 480 px or more, and show more at 224 px than at 64",
        ),
        (150, 600, False, CARD, 128, 16_000, "and show more at 128 px than at 64"),  # no more than there is
        (480, 600, False, 20.0, 64, 16_000, "but a run at 96 px would take more than 8 min here"),
        (480, 600, True, CARD, 64, 16_000, "64 px was decided for this task."),
        (480, 100_000, False, CARD, 224, 200_000, "200,000 images show each of the 100,000 for training about twice"),
        (480, 100_000, False, CPU, 128, 23_000, "23,000 images are what a run trains on in 8 min"),
        (480, 9_001, True, CARD, 64, 19_000, "19,000 images show each of the 9,001 for training about twice"),
    ],
)
def test_the_largest_size_that_images_and_device_allow(side, train_images, decided, rate, size, images, reason):
    found = propose(side, train_images, 64, decided=decided, seconds=at_rate(rate))
    assert (found.size, found.images) == (size, images)
    assert reason in found.reason
    if images > TrainSpec.images:
        assert at_rate(rate)(size, images) <= LONGEST


@pytest.mark.parametrize("side", [28, 64, 95])
def test_images_that_are_small_keep_what_is_in_force(side):
    assert propose(side, 60_000, 64, decided=False, seconds=at_rate(CARD)) is None


@pytest.fixture
def photographs(emoji, monkeypatch):
    """A task whose images would have had 400 to 600 pixels."""
    monkeypatch.setattr(
        "engine.runs.proposal.read_sides", lambda folder: (np.array([600, 640, 500]), np.array([400, 480, 480]))
    )
    return emoji


def test_the_time_is_that_of_all_runs_from_a_guess_and_then_from_what_was_measured(home, photographs):
    recipes = [get_method(name).recipe() for name in ("fine-tune", "distill-consensus")]
    guess = given(home, photographs, recipes, 3, "cpu")
    assert (guess.size, guess.images, guess.measured, guess.device) == (128, 16_000, False, devices.describe("cpu"))
    for recipe in recipes:
        keep_speed(home, recipe, "cpu", images=4_000, seconds=10.0)  # 400 a second at 64 px, 178 at 96, 100 at 128
    found = given(home, photographs, recipes, 3, "cpu")
    assert (found.size, found.measured) == (160, False)  # 64 a second: 5 minutes
    assert found.seconds == pytest.approx(6 * (START_SECONDS + 1.15 * 16_000 / 64))
    for recipe in (get_method(name).recipe({"size": 160}) for name in ("fine-tune", "distill-consensus")):
        keep_speed(home, recipe, "cpu", images=4_000, seconds=80.0)
    found = given(home, photographs, recipes, 3, "cpu")
    assert (found.size, found.measured, found.seconds) == (160, True, pytest.approx(6 * (START_SECONDS + 1.15 * 320)))


def test_runs_on_several_cards_go_side_by_side(home, photographs, monkeypatch):
    recipes = [get_method(name).recipe({"size": 224}) for name in ("fine-tune", "distill-consensus")]
    made_up_cards(monkeypatch, 3)
    for recipe in recipes:
        keep_speed(home, recipe, "cuda", images=16_000, seconds=16.0)
    each = START_SECONDS + 1.15 * 16
    times = [
        given(home, photographs, recipes, seeds, device).seconds
        for seeds, device in ((3, "cuda"), (1, "cuda"), (3, "cuda:0"))
    ]
    assert times == pytest.approx([2 * each, each, 6 * each])


def test_compare_says_it_where_neither_was_asked_for(home, photographs, monkeypatch, capsys):
    monkeypatch.setattr("engine.verbs.compare", lambda *about, **settings: {"failed": [], **settings})
    monkeypatch.setattr("engine.cli.compare.print_comparison", lambda document: None)
    said = "These photographs could have --size 128 --images 16000: half of the images have 480 px or more"
    assert main(["compare", "--task", "emoji-fluent"]) == 0
    assert said in capsys.readouterr().err
    assert main(["compare", "--task", "emoji-fluent", "--size", "64"]) == 0
    assert capsys.readouterr().err == ""
