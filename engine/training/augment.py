"""Augmentation of a batch of pixels `[B, 3, S, S]`, on the device where they lie. Random draws come from the CPU."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor
from torchvision.transforms import v2

from engine.images.views import ASPECTS, SMALLEST_AREA

Pixels = UInt8[Tensor, "B 3 S S"]

CUTOUT_SHARE = 0.5  # side of the square that Cutout fills with gray, at most (FixMatch, appendix)
GRAY = 127
# FixMatch draws RandAugment's magnitude at random for each image, from a tenth to the whole of each operation's range;
# one transform per magnitude, of which 0 would change nothing.
_MAGNITUDES = 10
STRONG = [
    v2.RandAugment(num_ops=2, magnitude=m, num_magnitude_bins=_MAGNITUDES + 1, fill=GRAY)
    for m in range(1, _MAGNITUDES + 1)
]


def random_boxes(count: int, generator: torch.Generator, *, flip: bool) -> Float[Tensor, "count 5"]:
    """Crops and flips drawn as the fixed views are: left, top, width, height as shares, and 1 for mirrored."""
    area, aspect, x, y, mirror = torch.rand(5, count, generator=generator)
    share = SMALLEST_AREA + (1 - SMALLEST_AREA) * area
    low, high = torch.tensor(ASPECTS).log()
    ratio = (low + (high - low) * aspect).exp()
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    return torch.stack([x * (1 - width), y * (1 - height), width, height, (mirror < 0.5).float() * flip], dim=1)


def crop(pixels: Pixels, boxes: Float[Tensor, "B 5"]) -> Float[Tensor, "B 3 S S"]:
    """Each image cropped to its box and mirrored, resampled to its own size, 0..255."""
    left, top, width, height, mirrored = boxes.to(pixels.device).unbind(1)
    sign = 1 - 2 * mirrored
    theta = torch.zeros(len(pixels), 2, 3, device=pixels.device)
    theta[:, 0, 0], theta[:, 0, 2] = width * sign, 2 * left + width - 1
    theta[:, 1, 1], theta[:, 1, 2] = height, 2 * top + height - 1
    grid = F.affine_grid(theta, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def strong_draws(count: int, generator: torch.Generator, *, flip: bool) -> dict[str, Tensor]:
    """All that `apply_strong` draws for `count` images, by name: tensors `[count, ...]`."""
    return {
        "boxes": random_boxes(count, generator, flip=flip),
        "magnitudes": torch.randint(len(STRONG), (count,), generator=generator),
        "seed": torch.randint(2**62, (1,), generator=generator).expand(count),
        "side": torch.rand(count, 1, generator=generator),
        "center": torch.rand(count, 2, generator=generator),
    }


def apply_strong(pixels: Pixels, draws: Mapping[str, Tensor]) -> Float[Tensor, "B 3 S S"]:
    """FixMatch's strong view as it was drawn: weak view, RandAugment, Cutout."""
    views = crop(pixels, draws["boxes"]).round().to(torch.uint8)
    with torch.random.fork_rng(devices=[]):  # RandAugment draws from the global CPU generator
        torch.manual_seed(int(draws["seed"][0]))
        changed = [STRONG[m](view) for m, view in zip(draws["magnitudes"].tolist(), views, strict=True)]
    return cutout(torch.stack(changed), draws["side"], draws["center"]).float()


def cutout(pixels: Pixels, side: Float[Tensor, "B 1"], center: Float[Tensor, "B 2"]) -> Pixels:
    """A gray square of random size and place, as shares of the largest one and of the image, over each image."""
    size = pixels.shape[-1]
    places = torch.arange(size, device=side.device) + 0.5  # pixel centers
    half = side * CUTOUT_SHARE * size / 2
    covered = (places - (center * size).unsqueeze(2)).abs() <= half.unsqueeze(2)  # [B, 2, S]: rows, then columns
    mask = covered[:, 0, :, None] & covered[:, 1, None, :]  # [B, S, S]
    return pixels.masked_fill(mask.unsqueeze(1).to(pixels.device), GRAY)
