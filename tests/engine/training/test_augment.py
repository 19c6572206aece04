import math

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch._subclasses.fake_tensor import DataDependentOutputException
from torchvision.transforms.v2 import RandAugment
from torchvision.transforms.v2 import functional as reference

from engine.training import augment, operations
from engine.training.streams import batch_positions, generator

PIXELS = torch.randint(256, (3, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def strong(pixels, draws, choose=None):
    """Strong views as a step makes them."""
    drawn = augment.strong_draws(len(pixels), pixels.shape[-1], draws, flip=True)
    return augment.apply_strong(pixels, drawn, choose)


def test_the_whole_box_changes_nothing_and_the_mirrored_one_mirrors():
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0, 0.0]]).expand(3, 5)
    mirrored = torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0]]).expand(3, 5)
    assert torch.allclose(augment.crop(PIXELS, whole), PIXELS.float(), atol=1e-2)
    assert torch.allclose(augment.crop(PIXELS, mirrored), PIXELS.flip(3).float(), atol=1e-2)


def test_a_box_shows_its_part_of_the_image():
    pixels = torch.zeros(1, 3, 16, 16, dtype=torch.uint8)
    pixels[:, :, :8, 8:] = 200  # upper right
    upper_right = torch.tensor([[0.5, 0.0, 0.5, 0.5, 0.0]])
    assert augment.crop(pixels, upper_right)[0, :, 2:-2, 2:-2].min() > 199


def test_the_same_stream_draws_the_same_views():
    first = strong(PIXELS, generator(1, "x", 7))
    again = strong(PIXELS, generator(1, "x", 7))
    other = strong(PIXELS, generator(1, "x", 8))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_strong_views_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    strong(PIXELS, generator(1, "x"))
    assert torch.equal(torch.rand(1), expected)


def test_without_flip_nothing_is_mirrored():
    assert augment.random_boxes(200, generator(0, "x"), flip=False)[:, 4].sum() == 0
    assert 60 < augment.random_boxes(200, generator(0, "x"), flip=True)[:, 4].sum() < 140


def test_cutout_covers_a_square_of_at_most_half_the_side():
    white = torch.full((64, 3, 32, 32), 255, dtype=torch.uint8)
    squares = augment.strong_draws(64, 32, generator(0, "x"), flip=False)["squares"]
    covered = (augment.cutout(white, squares) == operations.GRAY)[:, 0]
    rows, columns = covered.any(2).sum(1), covered.any(1).sum(1)
    assert max(rows.max(), columns.max()) <= 17
    assert covered.any()


def test_every_image_comes_once_before_any_comes_twice():
    drawn = torch.cat([batch_positions(0, "s", 10, 4, step) for step in range(5)])
    assert sorted(drawn[:10].tolist()) == sorted(drawn[10:].tolist()) == list(range(10))
    assert drawn[:10].tolist() != drawn[10:].tolist()


def test_a_batch_larger_than_the_set_repeats_it():
    drawn = batch_positions(0, "s", 3, 7, 0)
    assert sorted(drawn[:3].tolist()) == sorted(drawn[3:6].tolist()) == [0, 1, 2]
    assert len(drawn) == 7


# What the strong view was made of before it was made for a whole batch: torchvision's RandAugment, image by image.
STRENGTHS = [RandAugment(num_ops=2, magnitude=m, num_magnitude_bins=11, fill=127) for m in range(1, 11)]


@pytest.mark.parametrize(("size", "seed"), [(64, 0), (64, 1), (33, 2)])
def test_strong_views_of_a_batch_are_those_of_its_images(size, seed):
    pixels = pictures(48, size, seed)
    expected = image_by_image(pixels, generator(seed, "x"))
    assert torch.equal(strong(pixels, generator(seed, "x")), expected)
    assert torch.equal(strong(pixels, generator(seed, "x"), operations.by_mask), expected)


def image_by_image(pixels, draws):
    """Weak view, RandAugment with one of ten magnitudes, and Cutout, with the random numbers in that order."""
    views = augment.crop(pixels, augment.random_boxes(len(pixels), draws, flip=True)).round().to(torch.uint8)
    strengths = torch.randint(10, (len(views),), generator=draws).tolist()
    with torch.random.fork_rng(devices=[]):  # RandAugment draws from the global generator
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=draws)))
        changed = torch.stack([STRENGTHS[m](view) for m, view in zip(strengths, views, strict=True)])
    size = pixels.shape[-1]
    side = torch.rand(len(pixels), 1, generator=draws) / 2 * size
    center = torch.rand(len(pixels), 2, generator=draws) * size
    return augment.cutout(changed, torch.cat([center, side], dim=1)).float()


def pictures(count, size, seed):
    """Noise, soft pictures, dark ones and white ones."""
    noise = torch.randint(256, (count, 3, size, size), generator=torch.Generator().manual_seed(seed))
    soft = torch.nn.functional.interpolate(noise[:, :, :6, :6].float(), size=(size, size), mode="bilinear").long()
    pixels = torch.where(torch.arange(count).view(-1, 1, 1, 1) % 2 == 0, noise, soft)
    pixels[: count // 6] //= 4
    pixels[count - count // 6 :] = 255
    return pixels.to(torch.uint8)


def shear(image, across, down):
    angles = [math.degrees(math.atan(across)), math.degrees(math.atan(down))]
    return reference.affine(image, 0.0, [0, 0], 1.0, angles, fill=127, center=[0, 0])


def translate(image, across, down):
    return reference.affine(image, 0.0, [int(across), int(down)], 1.0, [0.0, 0.0], fill=127)


# What torchvision does to one image for an operation and its magnitude, which is signed where it has two directions.
REFERENCE = {
    "Identity": lambda image, amount: image,
    "ShearX": lambda image, amount: shear(image, amount, 0),
    "ShearY": lambda image, amount: shear(image, 0, amount),
    "TranslateX": lambda image, amount: translate(image, amount, 0),
    "TranslateY": lambda image, amount: translate(image, 0, amount),
    "Rotate": lambda image, amount: reference.rotate(image, amount, fill=127),
    "Brightness": lambda image, amount: reference.adjust_brightness(image, 1 + amount),
    "Color": lambda image, amount: reference.adjust_saturation(image, 1 + amount),
    "Contrast": lambda image, amount: reference.adjust_contrast(image, 1 + amount),
    "Sharpness": lambda image, amount: reference.adjust_sharpness(image, 1 + amount),
    "Posterize": lambda image, amount: reference.posterize(image, int(amount)),
    "Solarize": lambda image, amount: reference.solarize(image, 255 * amount),
    "AutoContrast": lambda image, amount: reference.autocontrast(image),
    "Equalize": lambda image, amount: reference.equalize(image),
}


@pytest.mark.parametrize("size", [1, 2, 33, 64])
@pytest.mark.parametrize("name", operations.NAMES)
def test_each_operation_of_a_batch_is_torchvisions_at_every_magnitude(name, size):
    place, signs = operations.NAMES.index(name), (1, -1) if name in operations.SIGNED else (1,)
    amounts = torch.stack([sign * operations.magnitudes(size)[place] for sign in signs], dim=1).flatten()
    pixels = pictures(len(amounts), size, seed=place)
    pixels[0] = 90  # a single value: nothing to stretch
    expected = torch.stack([REFERENCE[name](image, float(a)) for image, a in zip(pixels, amounts, strict=True)])
    matrices = operations.moves(size)[place, :, : len(signs)].flatten(end_dim=1)
    numbers = torch.full((len(amounts),), place)
    for choose in (operations.on_rows, operations.by_mask):
        assert torch.equal(operations.operate(pixels, numbers, amounts, matrices, choose), expected)


def test_on_a_card_a_strong_view_waits_for_nothing():
    drawn = augment.strong_draws(6, 16, generator(0, "x"), flip=True)
    with FakeTensorMode():  # knows shapes and devices, and no values: whatever asks for one fails
        device = torch.device("cuda")
        pixels = torch.empty(6, 3, 16, 16, dtype=torch.uint8, device=device)
        draws = {name: torch.empty(value.shape, dtype=value.dtype, device=device) for name, value in drawn.items()}
        views = augment.apply_strong(pixels, draws)
        assert (views.shape, views.dtype, views.device.type) == ((6, 3, 16, 16), torch.float32, "cuda")
        with pytest.raises(DataDependentOutputException):
            augment.apply_strong(pixels, draws, lambda chosen, current, *_: current[: int(chosen.sum())])


def test_bf16_moves_no_crop_and_no_view():
    pixels = pictures(8, 64, seed=3)
    drawn = augment.strong_draws(8, 64, generator(0, "x"), flip=True)
    exact = augment.crop(pixels, drawn["boxes"]), augment.apply_strong(pixels, drawn)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = augment.crop(pixels, drawn["boxes"]), augment.apply_strong(pixels, drawn)
    assert torch.equal(exact[0], rounded[0])
    assert torch.equal(exact[1], rounded[1])
