"""Augmentation of a batch of pixels `[B, 3, S, S]`: what is drawn, on the CPU, and what is made of it where it lies."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from engine.images.views import ASPECTS, SMALLEST_AREA
from engine.training.operations import GRAY, NAMES, SIGNED, STEPS, Choose, magnitudes, moves, operate

Pixels = UInt8[Tensor, "B 3 S S"]

CUTOUT_SHARE = 0.5  # side of the square that Cutout fills with gray, at most (FixMatch, appendix)
ROUNDS = 2  # operations of RandAugment on each image, one after the other (FixMatch, appendix)


def random_boxes(count: int, generator: torch.Generator, *, flip: bool) -> Float[Tensor, "count 5"]:
    """Crops and flips drawn as the fixed views are: left, top, width, height as shares, and 1 for mirrored."""
    area, aspect, x, y, mirror = torch.rand(5, count, generator=generator)
    share = SMALLEST_AREA + (1 - SMALLEST_AREA) * area
    low, high = torch.tensor(ASPECTS).log()
    ratio = (low + (high - low) * aspect).exp()
    width, height = (share * ratio).sqrt().clamp(max=1), (share / ratio).sqrt().clamp(max=1)
    return torch.stack([x * (1 - width), y * (1 - height), width, height, (mirror < 0.5).float() * flip], dim=1)


def strong_draws(count: int, size: int, generator: torch.Generator, *, flip: bool) -> dict[str, Tensor]:
    """All that `apply_strong` draws for `count` images of `size` pixels, by name.

    boxes `[B, 5]`: crop and flip, as `crop` takes them. operations, magnitudes `[B, rounds]`, matrices
    `[B, rounds, 2, 3]`: as operations.operate takes them. squares `[B, 3]`: as `cutout` takes them. RandAugment's
    magnitude is drawn for each image, from a tenth to the whole of each operation's range (FixMatch, appendix); then,
    for each round, which operation and, where it has two directions, its sign.
    """
    boxes = random_boxes(count, generator, flip=flip)
    steps = torch.randint(STEPS, (count, 1), generator=generator)
    own = torch.Generator().manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
    drawn = torch.tensor([[_operation(own) for _ in range(ROUNDS)] for _ in range(count)])  # [B, rounds, 2]
    operations, negative = drawn.unbind(2)
    side = torch.rand(count, 1, generator=generator) * CUTOUT_SHARE * size
    center = torch.rand(count, 2, generator=generator) * size
    return {
        "boxes": boxes,
        "operations": operations,
        "magnitudes": magnitudes(size)[operations, steps] * (1 - 2 * negative),
        "matrices": moves(size)[operations, steps, negative],
        "squares": torch.cat([center, side], dim=1),
    }


def _operation(generator: torch.Generator) -> tuple[int, int]:
    """An operation's place in NAMES, and 1 for its negative direction."""
    place = int(torch.randint(len(NAMES), (), generator=generator))
    return place, NAMES[place] in SIGNED and int(torch.rand((), generator=generator) <= 0.5)


def crop(pixels: Pixels, boxes: Float[Tensor, "B 5"]) -> Float[Tensor, "B 3 S S"]:
    """Each image cropped to its box and mirrored, resampled to its own size, 0..255."""
    left, top, width, height, mirrored = boxes.to(pixels.device).unsqueeze(2).unbind(1)  # each [B, 1]
    size = pixels.shape[-1]
    place = torch.linspace(-1, 1, size, device=pixels.device) * (size - 1) / size  # pixel centers
    across = place * (width * (1 - 2 * mirrored)) + (2 * left + width - 1)  # [B, S]
    down = place * height + (2 * top + height - 1)
    grid = torch.stack([across.unsqueeze(1).expand(-1, size, -1), down.unsqueeze(2).expand(-1, -1, size)], dim=1)
    grid = grid.permute(0, 2, 3, 1)  # [B, S, S, 2]
    return F.grid_sample(pixels.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def apply_strong(pixels: Pixels, draws: Mapping[str, Tensor], choose: Choose | None = None) -> Float[Tensor, "B 3 S S"]:
    """FixMatch's strong view as it was drawn: weak view, RandAugment, Cutout. The draws lie where the pixels lie.

    choose: how operations find their images, operations.on_rows or by_mask; what fits the device if None.
    """
    views = crop(pixels, draws["boxes"]).round().to(torch.uint8)
    rounds = (draws[name].unbind(1) for name in ("operations", "magnitudes", "matrices"))
    for operations, amounts, matrices in zip(*rounds, strict=True):
        views = operate(views, operations, amounts, matrices, choose)
    return cutout(views, draws["squares"]).float()


def cutout(pixels: Pixels, squares: Float[Tensor, "B 3"]) -> Pixels:
    """A gray square over each image: row and column of its center, and its side, in pixels."""
    center, side = squares[:, :2, None], squares[:, 2:, None]
    places = torch.arange(pixels.shape[-1], device=pixels.device) + 0.5  # pixel centers
    covered = (places - center).abs() <= side / 2  # [B, 2, S]: rows, then columns
    mask = covered[:, 0, :, None] & covered[:, 1, None, :]  # [B, S, S]
    return pixels.masked_fill(mask.unsqueeze(1), GRAY)
