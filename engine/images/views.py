"""Views: seeded crops and flips of an image, the same for every teacher and for the student. View 0 is the whole image.

A view is five numbers, `[left, top, width, height, flip]`: the box as shares (0..1) of the squared image, and 1 when
mirrored. It depends on the image's id and the view's number alone, so a cache made on one machine fits another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SMALLEST_AREA = 0.5  # ours: a crop keeps at least half of the image, so that a sketch stays recognizable
ASPECTS = (3 / 4, 4 / 3)  # the range that ImageNet training uses
WHOLE = (0.0, 0.0, 1.0, 1.0, 0.0)
RESIZES = ("squash", "pad", "crop")
ENOUGH = 3  # ours: times as many pixels as a view has suffice before it is resampled
PAD_COLOR = (255, 255, 255)

Frame = tuple[float, float, float, float]  # left, top, width, height, in pixels of an image


def boxes(image_ids: Sequence[str], view: int, *, flip: bool) -> NDArray[np.float32]:
    """The boxes of one view, `[images, 5]`. `flip` allows mirroring, for images that stay of their class."""
    if view == 0:
        return np.tile(np.array(WHOLE, dtype=np.float32), (len(image_ids), 1))
    return np.array([_box(f"{image_id}|{view}", flip) for image_id in image_ids], dtype=np.float32).reshape(-1, 5)


def _box(key: str, flip: bool) -> tuple[float, float, float, float, float]:
    digest = hashlib.sha256(key.encode()).digest()
    area, aspect, x, y, mirror = (int.from_bytes(digest[i : i + 4]) / 2**32 for i in range(0, 20, 4))
    share = SMALLEST_AREA + (1 - SMALLEST_AREA) * area
    ratio = math.exp(math.log(ASPECTS[0]) + (math.log(ASPECTS[1]) - math.log(ASPECTS[0])) * aspect)
    width, height = min(1.0, math.sqrt(share * ratio)), min(1.0, math.sqrt(share / ratio))
    return x * (1 - width), y * (1 - height), width, height, float(flip and mirror < 0.5)


def square(image: Image.Image, resize: str) -> Image.Image:
    """An image made square by the task's rule: "pad" with white, "crop" the center; "squash" is left to `render`."""
    width, height = image.size
    if resize == "squash" or width == height:
        return image
    if resize == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return image.crop((left, top, left + side, top + side))
    side = max(width, height)
    padded = Image.new("RGB", (side, side), PAD_COLOR)
    padded.paste(image, ((side - width) // 2, (side - height) // 2))
    return padded


def square_reduced(image: Image.Image, width: float, height: float, resize: str) -> tuple[Image.Image, Frame]:
    """As `square`, of an image that a decoder may have reduced, so that it ends within the last of its pixels: `width`
    and `height` of them are the image. Gives also which part of what comes out counts.
    """
    if image.width == width and image.height == height:
        squared = square(image, resize)
        return squared, (0, 0, *squared.size)
    if resize == "squash":
        return image, (0, 0, width, height)
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    x, y = int(left), int(top)
    cut = image.crop((x, y, min(image.width, math.ceil(left + side)), min(image.height, math.ceil(top + side))))
    return cut, (left - x, top - y, side, side)


def render(image: Image.Image, box: NDArray[np.float32], size: int, frame: Frame | None = None) -> NDArray[np.uint8]:
    """One view of a squared RGB image, or of the part in `frame`, as pixels `[size, size, 3]`, 0..255, resampled once
    from the original.
    """
    x, y, width, height = frame or (0, 0, *image.size)
    left, top, w, h, flip = (float(value) for value in box)
    right, bottom = x + min(width, (left + w) * width), y + min(height, (top + h) * height)
    region = (x + left * width, y + top * height, right, bottom)
    if image.size == (size, size) and (left, top, w, h) == WHOLE[:4]:
        pixels = np.asarray(image)
    else:
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=region))
    return np.ascontiguousarray(pixels[:, ::-1] if flip else pixels)


def pixels_needed(box: NDArray[np.float32], size: int, resize: str) -> float:
    """So many pixels on both sides of a whole image are enough for its view at `size`.

    Beside white, half a pixel at the border of an image would show: for "pad" there are never enough.
    """
    return math.inf if resize == "pad" else ENOUGH * size / float(min(box[2], box[3]))
