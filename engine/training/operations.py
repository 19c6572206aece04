"""RandAugment's operations (Cubuk et al. 2019, arXiv 1909.13719) on a batch of images at once, wherever it lies.

Each image has an operation and a magnitude of its own, drawn beforehand. Values are those of torchvision's operations
on one image. Nothing here draws a number, waits for the device or makes a tensor on another one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

Pixels: TypeAlias = UInt8[Tensor, "B 3 S S"]
Tables: TypeAlias = UInt8[Tensor, "B 3 256"]  # what each value of each channel becomes
Change: TypeAlias = Callable[..., Tensor]
Choose: TypeAlias = Callable[..., Tensor]

GRAY = 127  # where a moved image shows nothing
STEPS = 10  # magnitudes of an operation, from a tenth to the whole of its range; 0 would change nothing
GEOMETRY = ("ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate")
# In torchvision's order, which decides what a random number means.
NAMES = (
    "Identity",
    *GEOMETRY,
    *("Brightness", "Color", "Contrast", "Sharpness", "Posterize", "Solarize", "AutoContrast", "Equalize"),
)
SIGNED = frozenset({*GEOMETRY, "Brightness", "Color", "Contrast", "Sharpness"})  # as often down as up


@lru_cache(maxsize=8)
def magnitudes(size: int) -> Float[Tensor, "operations steps"]:
    """The magnitude of each operation at each step, for images of `size` pixels.

    Shear as a share, translation in pixels, rotation in degrees, colors as what is added to a factor of 1, the bits
    that Posterize keeps, the share of the range from which Solarize inverts; 0 where there is none.
    """
    share = torch.linspace(0, 1, STEPS + 1)
    ranges = {
        **dict.fromkeys(("ShearX", "ShearY"), torch.linspace(0, 0.3, STEPS + 1)),
        **dict.fromkeys(("TranslateX", "TranslateY"), torch.linspace(0, 150 / 331 * size, STEPS + 1).trunc()),
        "Rotate": torch.linspace(0, 30, STEPS + 1),
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), torch.linspace(0, 0.9, STEPS + 1)),
        "Posterize": (8 - 4 * share).round(),
        "Solarize": torch.linspace(1, 0, STEPS + 1),
    }
    return torch.stack([ranges.get(name, torch.zeros(STEPS + 1))[1:] for name in NAMES])


@lru_cache(maxsize=8)
def moves(size: int) -> Float[Tensor, "operations steps 2 2 3"]:
    """Where each pixel comes from, by operation, step and sign (positive, negative): a matrix from pixels, counted from
    the center, to shares of half the side, as grid_sample wants them. Operations that move nothing have the identity.
    """
    values = magnitudes(size).tolist()
    found = [
        [[_move(name, sign * value, size) for sign in (1, -1)] for value in row]
        for name, row in zip(NAMES, values, strict=True)
    ]
    return torch.tensor(found, dtype=torch.float32) / (size / 2)


def _move(name: str, magnitude: float, size: int) -> list[list[float]]:
    """The inverse of one operation, in pixels from the center."""
    if name == "ShearX":  # around the upper left corner
        return [[1, magnitude, magnitude * size / 2], [0, 1, 0]]
    if name == "ShearY":
        return [[1, 0, 0], [magnitude, 1, magnitude * size / 2]]
    if name == "TranslateX":
        return [[1, 0, -magnitude], [0, 1, 0]]
    if name == "TranslateY":
        return [[1, 0, 0], [0, 1, -magnitude]]
    if name == "Rotate":
        angle = math.radians(magnitude)
        return [[math.cos(angle), -math.sin(angle), 0], [math.sin(angle), math.cos(angle), 0]]
    return [[1, 0, 0], [0, 1, 0]]


def on_rows(chosen: Bool[Tensor, " B"], current: Tensor, change: Change, *inputs: Tensor) -> Tensor:
    """`change` of the chosen images alone, the others as they are. Asks which they are: for the CPU."""
    rows = chosen.nonzero().flatten()
    if not len(rows):
        return current
    return current.index_copy(0, rows, change(*(each.index_select(0, rows) for each in inputs)))


def by_mask(chosen: Bool[Tensor, " B"], current: Tensor, change: Change, *inputs: Tensor) -> Tensor:
    """`change` of all images, kept for the chosen ones: the same kernels whatever was drawn, so that a card can record
    them, and no wait."""
    return torch.where(chosen.view(-1, *[1] * (current.ndim - 1)), change(*inputs), current)


def operate(
    pixels: Pixels,
    operations: Int64[Tensor, " B"],
    magnitudes: Float[Tensor, " B"],
    matrices: Float[Tensor, "B 2 3"],
    choose: Choose | None = None,
) -> Pixels:
    """One operation on each image: its number in NAMES, its signed magnitude, and its matrix among `moves`."""
    choose = choose or (on_rows if pixels.device.type == "cpu" else by_mask)
    low, high = NAMES.index(GEOMETRY[0]), NAMES.index(GEOMETRY[-1])
    images = choose((operations >= low) & (operations <= high), pixels, move, pixels, matrices)
    for name, mix in MIXED.items():
        images = choose(operations == NAMES.index(name), images, mix, pixels, magnitudes)
    tables, chosen = _unchanged(pixels), torch.zeros_like(operations, dtype=torch.bool)
    for name, table in LOOKED_UP.items():
        drew = operations == NAMES.index(name)
        tables, chosen = choose(drew, tables, table, pixels, magnitudes), chosen | drew
    return choose(chosen, images, look_up, pixels, tables)


def move(pixels: Pixels, matrices: Float[Tensor, "B 2 3"]) -> Pixels:
    """Each image through its matrix, every pixel from the nearest one; gray where there is none."""
    size = pixels.shape[-1]
    place = torch.linspace((1 - size) / 2, (size - 1) / 2, size, device=pixels.device)
    across, down, offset = matrices.unsqueeze(2).unsqueeze(4).unbind(3)  # each [B, 2, 1, 1]
    grid = torch.addcmul(place * across, down, place.unsqueeze(1)) + offset  # [B, 2, S, S]
    # What lies outside comes as 0, which stands for gray here.
    moved = F.grid_sample(pixels.float() - GRAY, grid.permute(0, 2, 3, 1), mode="nearest", align_corners=False)
    return (moved + GRAY).to(torch.uint8)


def look_up(pixels: Pixels, tables: Tables) -> Pixels:
    """Each value replaced by its entry in its channel's table."""
    return tables.gather(2, pixels.flatten(2).long()).view_as(pixels)


def brightness(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """Every value times 1 + magnitude."""
    table = _values(pixels) * (1 + magnitudes.view(-1, 1, 1))
    return table.clamp(0, 255).to(torch.uint8).expand(-1, 3, -1)


def contrast(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """Every value away from the mean of the image's luminance, by 1 + magnitude times."""
    mean = _luminance(pixels).mean((1, 2)).view(-1, 1, 1)
    amount = magnitudes.view(-1, 1, 1)
    table = torch.addcmul(_values(pixels) * (1 + amount), -amount, mean)
    return table.clamp(0, 255).to(torch.uint8).expand(-1, 3, -1)


def posterize(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """The first bits of every value, as many as the magnitude says."""
    step = torch.exp2(8 - magnitudes).view(-1, 1, 1)
    return ((_values(pixels) / step).floor() * step).to(torch.uint8).expand(-1, 3, -1)


def solarize(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """Values from a threshold on, the magnitude's share of 255, turned around."""
    values = _values(pixels)
    table = torch.where(values >= 255 * magnitudes.view(-1, 1, 1), 255 - values, values)
    return table.to(torch.uint8).expand(-1, 3, -1)


def autocontrast(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """Each channel stretched over the whole range; one of a single value stays as it is."""
    flat = pixels.flatten(2)
    low, high = flat.amin(2, keepdim=True).float(), flat.amax(2, keepdim=True).float()
    one_value = high == low
    width = ((high - low) * (1 / 255)).masked_fill(one_value, 1)
    table = (_values(pixels) - low.masked_fill(one_value, 0)) / width
    return table.clamp(0, 255).to(torch.uint8)


def equalize(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Tables:
    """Each channel's values spread so that all are about as frequent (as Pillow does it)."""
    flat = pixels.flatten(2).long()
    counts = torch.zeros(*flat.shape[:2], 256, dtype=torch.int32, device=pixels.device)
    with _any_order():
        counts.scatter_add_(2, flat, torch.ones_like(counts[..., :1]).expand_as(flat))
    up_to = counts.cumsum(2, dtype=torch.int32)
    most = counts.gather(2, flat.amax(2, keepdim=True))  # how often the highest value comes
    step = (flat.shape[2] - most).div(255, rounding_mode="floor")
    below = F.pad(up_to[..., :-1], (1, 0))
    table = (below + step // 2).div(step.clamp(min=1), rounding_mode="floor").clamp(0, 255)
    return torch.where(step == 0, _values(pixels), table).to(torch.uint8)


def color(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Pixels:
    """Every value away from its pixel's luminance, by 1 + magnitude times."""
    amount = magnitudes.view(-1, 1, 1, 1)
    mixed = torch.addcmul(pixels * (1 + amount), -amount, _luminance(pixels).unsqueeze(1))
    return mixed.clamp(0, 255).to(torch.uint8)


def sharpness(pixels: Pixels, magnitudes: Float[Tensor, " B"]) -> Pixels:
    """Every value away from the mean of its neighborhood (itself five times, its neighbors once), by 1 + magnitude
    times; the pixels at the edge stay."""
    if pixels.shape[-1] <= 2:
        return pixels
    values = pixels.float()
    rows = values[:, :, :-2] + values[:, :, 1:-1] + values[:, :, 2:]
    center = values[:, :, 1:-1, 1:-1]
    mean = ((rows[..., :-2] + rows[..., 1:-1] + rows[..., 2:] + 4 * center) / 13).round()
    mixed = torch.addcmul(center, -magnitudes.view(-1, 1, 1, 1), mean - center)
    changed = pixels.clone()
    changed[:, :, 1:-1, 1:-1] = mixed.clamp(0, 255).to(torch.uint8)
    return changed


LOOKED_UP: Mapping[str, Callable[[Pixels, Float[Tensor, " B"]], Tables]] = {
    "Brightness": brightness,
    "Contrast": contrast,
    "Posterize": posterize,
    "Solarize": solarize,
    "AutoContrast": autocontrast,
    "Equalize": equalize,
}
MIXED: Mapping[str, Callable[[Pixels, Float[Tensor, " B"]], Pixels]] = {"Color": color, "Sharpness": sharpness}


def _values(pixels: Pixels) -> Float[Tensor, " values"]:
    return torch.arange(256, dtype=torch.float32, device=pixels.device)


def _unchanged(pixels: Pixels) -> Tables:
    return torch.arange(256, dtype=torch.uint8, device=pixels.device).expand(len(pixels), 3, 256)


def _luminance(pixels: Pixels) -> Float[Tensor, "B S S"]:
    """Whole numbers, with the weights of ITU-R BT.601."""
    red, green, blue = pixels.unbind(1)
    return red.mul(0.2989).add_(green, alpha=0.587).add_(blue, alpha=0.114).floor_()


@contextmanager
def _any_order() -> Iterator[None]:
    """Let sums of whole numbers run in any order: they come out the same, and a card need not sort before it counts."""
    mode = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
