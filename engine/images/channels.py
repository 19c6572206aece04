"""From the numbers of an image, of any number of channels and bits, to RGB."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from engine.errors import InvalidInputError
from engine.images.pixels import TURNED, Converted, over_white
from engine.images.reading import Reading, scaled, values_of


@dataclass(frozen=True)
class Numbers:
    """What a file holds, and what it says about it."""

    values: NDArray[Any]  # [height, width, channels]; unsigned 8 bits are shades already, others are scaled
    steps: tuple[str, ...] = ()  # what was done to get here, in words
    together: bool = False  # whether its channels are colors, whose hue would change if each were scaled on its own
    alpha: int | None = None  # which channel, counted from 0, says how opaque the others are
    premultiplied: bool = False  # whether colors are multiplied by alpha
    missing: NDArray[np.bool_] | None = None  # [height, width, channels]: where there is no value
    white_is_low: bool = False  # whether the lowest value of gray is white
    orientation: int = 1  # as EXIF counts it


def to_rgb(numbers: Numbers, name: str, reading: Reading, source: str) -> Converted:
    """The RGB image that `numbers` make, which are of a `source` such as "TIFF".

    Raises InvalidInputError naming `name` if a chosen channel is not there, ValueError for numbers that are no shades.
    """
    values, missing = numbers.values, numbers.missing
    if values.dtype.kind not in "buif":
        raise ValueError("its values are complex numbers" if values.dtype.kind == "c" else "its values are no numbers")
    alpha = None if numbers.alpha is None or reading.channels else _opacity(values[:, :, numbers.alpha])
    if alpha is not None and numbers.premultiplied:
        values = _divided(values, alpha)
    chosen, steps = _chosen(numbers, name, reading)
    picked = values[:, :, chosen]
    counted = _counted(picked, None if missing is None else missing[:, :, chosen], alpha)
    shades, words, found = _shades(picked, counted, reading, numbers.together)
    steps += words
    if len(chosen) == 1:
        if numbers.white_is_low:
            shades = 255 - shades
            steps.append("MinIsWhite turned: its lowest value is white")
        steps.append("gray: three equal channels")
    if missing is not None:
        shades = np.where(missing[:, :, chosen], np.uint8(0), shades)
    image = Image.fromarray(np.ascontiguousarray(np.broadcast_to(shades, (*shades.shape[:2], 3))))
    if alpha is not None:
        image.putalpha(Image.fromarray(np.asarray(np.rint(alpha * 255), dtype=np.uint8)))
        image = over_white(image)
        steps.append("transparency over white")
    image, turned = _upright(image, numbers.orientation)
    steps += turned if source == "PNG" else [*turned, f"{source} stored as PNG, without loss"]
    return Converted(image, (*numbers.steps, *steps), keep=False, channels=values.shape[2], values=found)


def _chosen(numbers: Numbers, name: str, reading: Reading) -> tuple[list[int], list[str]]:
    """Which channels are looked at, counted from 0; and that in words, where it is not plain."""
    count = numbers.values.shape[2]
    shown = count - (numbers.alpha is not None)
    chosen = reading.channels or ((1,) if shown < 3 else (1, 2, 3))
    if max(chosen) > count:
        raise InvalidInputError(f"{name} has {count} channels, so there is no channel {max(chosen)}: choose others.")
    if shown in (1, 3) and not reading.channels:
        return [c - 1 for c in chosen], []
    words = "as gray" if len(chosen) == 1 else "as red, green, blue"
    return [c - 1 for c in chosen], [f"{count} channels: {', '.join(map(str, chosen))} {words}"]


def _shades(
    picked: NDArray[Any], counted: NDArray[np.bool_] | None, reading: Reading, together: bool
) -> tuple[NDArray[np.uint8], list[str], Any]:
    """`picked` as 0..255, what was done in words, and what values of more than 8 bits there were.

    Colors are scaled together; other channels, which may be of different units, each on its own.
    """
    if picked.dtype == bool:
        return picked.astype(np.uint8) * 255, [], None
    if picked.dtype == np.uint8:
        return picked, [], None
    kind = _kind(picked.dtype)
    parts = [slice(None)] if together else [slice(i, i + 1) for i in range(picked.shape[2])]
    made = [scaled(picked[:, :, part], reading, None if counted is None else counted[:, :, part]) for part in parts]
    words = list(dict.fromkeys(f"{kind} values: {text}" for _, text in made))
    found = values_of(picked if counted is None else picked[counted], kind)
    return np.concatenate([shades for shades, _ in made], axis=2), words, found


def _kind(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "f":
        return "float"
    return "signed 8-bit" if dtype == np.int8 else f"{dtype.itemsize * 8}-bit"


def _counted(
    picked: NDArray[Any], missing: NDArray[np.bool_] | None, alpha: NDArray[np.float64] | None
) -> NDArray[np.bool_] | None:
    """Which values have a say in the range: neither missing nor wholly transparent ones. None for all."""
    if missing is None and (alpha is None or alpha.all()):
        return None
    counted = np.ones(picked.shape, dtype=bool) if missing is None else ~missing
    if alpha is not None:
        counted &= (alpha > 0)[:, :, None]
    return counted


def _opacity(values: NDArray[Any]) -> NDArray[np.float64]:
    """0 (transparent) to 1 of an alpha channel."""
    if values.dtype.kind == "f":
        return np.clip(np.nan_to_num(values.astype(np.float64)), 0, 1)
    full = 1 if values.dtype == bool else np.iinfo(values.dtype).max
    return np.clip(values.astype(np.float64) / full, 0, 1)


def _divided(values: NDArray[Any], alpha: NDArray[np.float64]) -> NDArray[Any]:
    """Colors as they were before they were multiplied by alpha."""
    divided = values / np.where(alpha > 0, alpha, 1)[:, :, None]
    if values.dtype.kind == "f":
        return divided
    return np.clip(np.rint(divided), 0, np.iinfo(values.dtype).max).astype(values.dtype)


def _upright(image: Image.Image, orientation: int) -> tuple[Image.Image, list[str]]:
    if orientation not in range(2, 9):
        return image, []
    image.getexif()[0x0112] = orientation
    return ImageOps.exif_transpose(image), [TURNED]
