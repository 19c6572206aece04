"""A finished student, loaded again."""

import pytest
import safetensors.torch
import timm
import torch

from engine.errors import DamagedFileError
from engine.student import WEIGHTS, load_student
from engine.tensors import write_tensors
from tests.engine.delivery.made_student import make_student


def test_a_loaded_student_says_what_timm_says_of_normalized_pixels(tmp_path):
    folder = make_student(tmp_path / "run", ("cat", "dog", "owl"))
    pixels = torch.randint(0, 256, (3, 3, 32, 32), dtype=torch.uint8)
    model = timm.create_model("test_resnet", num_classes=3).eval()
    model.load_state_dict(safetensors.torch.load_file(folder / WEIGHTS))
    with torch.inference_mode():
        _, logits = load_student(folder)(pixels)
        expected = model((pixels / 255 - 0.5) / 0.25)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)


def test_weights_that_are_not_those_of_the_record_are_a_sentence(tmp_path):
    folder = make_student(tmp_path / "run")
    write_tensors(folder / WEIGHTS, {"fc.bias": torch.zeros(2)})
    with pytest.raises(DamagedFileError, match="does not hold a test_resnet for 2 classes: restore it"):
        load_student(folder)
