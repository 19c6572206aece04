"""The average of teachers as a start for a student."""

import pytest
import torch

from engine.errors import DamagedFileError
from engine.teachers import averaged_weights, averaging, create, get_teacher, imagenet_state
from engine.teachers.weights import teacher_state

LITE = "tf_efficientnet_lite0"
KERNEL, COUNTER, CLASSIFIER = "conv_stem.weight", "bn1.num_batches_tracked", "classifier.weight"


def test_teachers_of_the_architecture_are_averaged_with_the_shares_that_are_theirs_alone(home):
    found = averaged_weights(home, {"quickdraw-300": 0.3, "letters": 0.6, "imagenet-lite0": 0.1}, LITE)
    assert found.shares == pytest.approx({"quickdraw-300": 0.75, "imagenet-lite0": 0.25})
    sketches, photographs = (
        teacher_state(home, get_teacher(home, name)) for name in ("quickdraw-300", "imagenet-lite0")
    )
    torch.testing.assert_close(found.state[KERNEL], 0.75 * sketches[KERNEL] + 0.25 * photographs[KERNEL])
    assert found.state[COUNTER].dtype == torch.int64
    assert torch.equal(found.state[CLASSIFIER], photographs[CLASSIFIER])  # its classes are its own
    create(LITE, 1000).load_state_dict(dict(found.state))


def test_one_teacher_alone_is_itself(home):
    found = averaged_weights(home, {"openclipart": 1.0, "imagenet-lite0": 0.0}, LITE)
    assert found.shares == {"openclipart": 1.0}
    torch.testing.assert_close(found.state[KERNEL], teacher_state(home, get_teacher(home, "openclipart"))[KERNEL])


@pytest.mark.parametrize("architecture", ["tf_efficientnet_lite2", LITE])
def test_where_no_teacher_fits_the_weights_are_imagenets(home, architecture):
    found = averaged_weights(home, {"letters": 0.5, "imagenet-lite1": 0.5}, architecture)
    assert found.shares == {}
    assert torch.equal(found.state[KERNEL], imagenet_state(home, architecture)[KERNEL])


def test_a_teacher_that_learned_from_other_weights_is_left_out(home, monkeypatch):
    torch.manual_seed(0)
    other = {"openclipart": create(LITE, 13).state_dict()}
    wider = {"emoji-google": {**create(LITE, 9).state_dict(), KERNEL: torch.zeros(32, 4, 3, 3)}}
    states = {**other, **wider}
    monkeypatch.setattr(
        averaging, "teacher_state", lambda home, record: states.get(record.name) or teacher_state(home, record)
    )
    weights = {"openclipart": 0.4, "emoji-google": 0.4, "cifar10": 0.2}
    assert averaged_weights(home, weights, LITE).shares == {"cifar10": 1.0}


def test_a_teacher_that_expects_other_pixels_is_left_out(home, monkeypatch):
    monkeypatch.setattr(averaging, "input_statistics", lambda architecture: ((0.4, 0.4, 0.4), (0.2, 0.2, 0.2)))
    assert averaged_weights(home, {"cifar10": 1.0}, LITE).shares == {}


def test_a_damaged_teacher_is_said(home, monkeypatch):
    def damaged(home, record):
        raise DamagedFileError(f"The weight file of teacher {record.name!r} is missing.")

    monkeypatch.setattr(averaging, "teacher_state", damaged)
    with pytest.raises(DamagedFileError, match="cifar10"):
        averaged_weights(home, {"cifar10": 1.0}, LITE)
