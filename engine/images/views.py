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
PAD_COLOR = (255, 255, 255)


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


def render(image: Image.Image, box: NDArray[np.float32], size: int) -> NDArray[np.uint8]:
    """One view of a squared RGB image as pixels `[size, size, 3]`, 0..255, resampled once from the original."""
    width, height = image.size
    left, top, w, h, flip = (float(value) for value in box)
    region = (left * width, top * height, min(width, (left + w) * width), min(height, (top + h) * height))
    if image.size == (size, size) and (left, top, w, h) == WHOLE[:4]:
        pixels = np.asarray(image)
    else:
        pixels = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box=region))
    return np.ascontiguousarray(pixels[:, ::-1] if flip else pixels)
