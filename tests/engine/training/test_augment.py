import pytest
import torch

from engine.training import augment
from engine.training.streams import batch_positions, generator

PIXELS = torch.randint(256, (3, 3, 16, 16), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def strong(pixels, draws, *, flip):
    return augment.apply_strong(pixels, augment.strong_draws(len(pixels), draws, flip=flip))


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
    first = strong(PIXELS, generator(1, "x", 7), flip=True)
    again = strong(PIXELS, generator(1, "x", 7), flip=True)
    other = strong(PIXELS, generator(1, "x", 8), flip=True)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_strong_views_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    strong(PIXELS, generator(1, "x"), flip=False)
    assert torch.equal(torch.rand(1), expected)


def test_without_flip_nothing_is_mirrored():
    assert augment.random_boxes(200, generator(0, "x"), flip=False)[:, 4].sum() == 0
    assert 60 < augment.random_boxes(200, generator(0, "x"), flip=True)[:, 4].sum() < 140


def test_cutout_covers_a_square_of_at_most_half_the_side():
    white = torch.full((64, 3, 32, 32), 255, dtype=torch.uint8)
    drawn = torch.rand(64, 1, generator=generator(0, "x")), torch.rand(64, 2, generator=generator(1, "x"))
    covered = (augment.cutout(white, *drawn) == augment.GRAY)[:, 0]
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


def test_strong_views_reach_from_a_tenth_to_the_whole_of_each_operations_range():
    shares = [one.magnitude / (one.num_magnitude_bins - 1) for one in augment.STRONG]
    assert shares == pytest.approx([tenth / 10 for tenth in range(1, 11)])  # FixMatch draws from such a range


def test_the_strongest_views_turn_images_by_up_to_30_degrees():
    bar = torch.zeros(3, 65, 65, dtype=torch.uint8)
    bar[:, :, 30:35] = 255
    torch.manual_seed(0)
    turned = [augment.STRONG[-1](bar)[0].float() for _ in range(400)]
    angles = [_angle(image) for image in turned if image.max() > 0 and image.min() == 0]
    assert sum(abs(angle - 30) < 0.1 for angle in angles) > 10


def _angle(image):
    """Of the longest axis of what is bright, against the vertical, in degrees."""
    y, x = torch.nonzero(image > 128, as_tuple=True)
    if len(y) < 100:
        return 0.0
    covariance = torch.cov(torch.stack([x, y]).float())
    axis = torch.linalg.eigh(covariance).eigenvectors[:, -1]
    return float(torch.rad2deg(torch.atan2(axis[0].abs(), axis[1].abs())))
