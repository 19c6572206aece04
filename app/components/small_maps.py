"""Small pictures of maps: many of them on one screen, which live ones would not bear."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from app.components.colors import GRAY

WIDTH, HEIGHT = 480, 360  # pixels, for twice the density of a usual screen
MARGIN = 14  # pixels, so that no mark is cut
DOT, MARK = 3, 7  # radii in pixels: of an image, and of a labeled one


def picture(
    coordinates: NDArray[np.float32], codes: NDArray[np.int64], colors: Sequence[str], marked: NDArray[np.bool_]
) -> str:
    """A map as a WebP on a transparent ground, as a data URI: `coordinates [n, 2]` stretched to the picture, `codes
    [n]` into `colors`, -1 for gray; `marked` ones are diamonds and lie on top.
    """
    palette = np.array([ImageColor.getrgb(color)[:3] for color in (*colors, GRAY)], dtype=np.uint8)
    canvas = np.zeros((HEIGHT, WIDTH, 4), dtype=np.uint8)
    places = _places(coordinates)
    for chosen, stamp in ((~marked, _disc(DOT)), (marked, _diamond(MARK))):
        _stamp(canvas, places[chosen], palette[codes[chosen]], stamp)
    buffer = io.BytesIO()
    Image.fromarray(canvas, "RGBA").save(buffer, "WEBP", quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _places(coordinates: NDArray[np.float32]) -> NDArray[np.int64]:
    """Columns and rows in the picture, `[n, 2]`; a map of one place only lies in the middle."""
    low, high = coordinates.min(axis=0), coordinates.max(axis=0)
    shares = np.where(high > low, (coordinates - low) / np.where(high > low, high - low, 1), 0.5)
    room = np.array([WIDTH - 1 - 2 * MARGIN, HEIGHT - 1 - 2 * MARGIN])
    found: NDArray[np.int64] = (MARGIN + shares * room).round().astype(np.int64)
    found[:, 1] = HEIGHT - 1 - found[:, 1]  # up is up
    return found


def _stamp(
    canvas: NDArray[np.uint8], places: NDArray[np.int64], colors: NDArray[np.uint8], stamp: list[tuple[int, int]]
) -> None:
    """Put one mark on each place, the later ones above."""
    for across, down in stamp:
        canvas[places[:, 1] + down, places[:, 0] + across, :3] = colors
        canvas[places[:, 1] + down, places[:, 0] + across, 3] = 255


def _disc(radius: int) -> list[tuple[int, int]]:
    around = range(-radius, radius + 1)
    return [(x, y) for x in around for y in around if x * x + y * y <= radius * radius + 1]


def _diamond(radius: int) -> list[tuple[int, int]]:
    around = range(-radius, radius + 1)
    return [(x, y) for x in around for y in around if abs(x) + abs(y) <= radius]
