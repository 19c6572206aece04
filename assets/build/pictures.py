"""A labeled set of pictures in memory, and what every source shares: seeded lots, splits and resizing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

SEED = 2304  # one seed for every split and lot of the build: the first digits of the paper's arXiv number
_MARGIN_LEVEL = 8  # of 255: what differs less from white counts as margin


@dataclass(frozen=True)
class Picture:
    """One image with its readable id, its class and the split that it belongs to ("train" or "test")."""

    path: str
    image: Image.Image  # mode L or RGB
    label: int
    split: str


@dataclass(frozen=True)
class PictureSet:
    """Pictures and the names of their classes, in label order."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]

    def of_split(self, split: str) -> PictureSet:
        """The pictures of one split alone."""
        return PictureSet(self.classes, tuple(picture for picture in self.pictures if picture.split == split))

    def only(self, paths: Collection[str]) -> PictureSet:
        """The pictures named by `paths` alone."""
        return PictureSet(self.classes, tuple(picture for picture in self.pictures if picture.path in paths))

    def regrouped(self, groups: Mapping[str, Sequence[str]]) -> PictureSet:
        """The same pictures under wider classes, each of which names the classes that it takes in."""
        group_of = {name: label for label, names in enumerate(groups.values()) for name in names}
        return PictureSet(
            tuple(groups),
            tuple(replace(picture, label=group_of[self.classes[picture.label]]) for picture in self.pictures),
        )

    def drawn(self, share: float, purpose: str) -> set[str]:
        """Paths of `share` of each class's pictures, drawn by lot for `purpose`."""
        paths: set[str] = set()
        for label in range(len(self.classes)):
            own = sorted(picture.path for picture in self.pictures if picture.label == label)
            paths |= set(by_lot(own, purpose)[: round(share * len(own))])
        return paths

    def with_test(self, paths: Collection[str]) -> PictureSet:
        """The same pictures with those named by `paths` as test and all others as train."""
        return PictureSet(
            self.classes,
            tuple(replace(picture, split="test" if picture.path in paths else "train") for picture in self.pictures),
        )

    def without_copies(self) -> PictureSet:
        """One of every group of pictures with equal pixels; none of a group that spans two classes."""
        copies: dict[bytes, list[Picture]] = {}
        for picture in self.pictures:
            copies.setdefault(hashlib.sha256(picture.image.tobytes()).digest(), []).append(picture)
        single = [group[0] for group in copies.values() if len({picture.label for picture in group}) == 1]
        return PictureSet(self.classes, tuple(single))

    def labels(self) -> NDArray[np.int64]:
        """Labels `[n]`."""
        return np.array([picture.label for picture in self.pictures], dtype=np.int64)

    def pixels(self, size: int, resize: str) -> NDArray[np.uint8]:
        """Pixels `[n, 3, size, size]`, or `[n, 1, size, size]` if every picture is gray.

        `resize`: "squash" distorts to the square, "pad" adds white margins, "crop" takes the central square.
        """
        gray = all(picture.image.mode == "L" for picture in self.pictures)
        pixels = np.empty((len(self.pictures), 1 if gray else 3, size, size), dtype=np.uint8)
        for row, picture in zip(pixels, self.pictures, strict=True):
            square = to_square(picture.image if gray else picture.image.convert("RGB"), size, resize)
            row[:] = np.asarray(square).reshape(size, size, -1).transpose(2, 0, 1)
        return pixels


def lot(*parts: object) -> float:
    """A number in [0, 1) that depends on nothing but `parts` and the build's seed."""
    text = ":".join(str(part) for part in (SEED, *parts))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8]) / 2**64


def by_lot(items: Sequence[str], *purpose: object) -> list[str]:
    """`items` in an order drawn by lot for `purpose`."""
    return sorted(items, key=lambda item: (lot(*purpose, item), item))


def on_white(image: Image.Image) -> Image.Image:
    """RGB copy of a picture whose transparent parts have become white."""
    with_alpha = image.convert("RGBA")
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")


def trimmed(image: Image.Image) -> Image.Image | None:
    """An RGB picture without the white margins around what it shows; None if it is blank or all of one color."""
    white = Image.new("RGB", image.size, "white")
    shown = (
        ImageChops.difference(image, white).convert("L").point(lambda level: 255 * (level > _MARGIN_LEVEL)).getbbox()
    )
    inner = image if shown is None else image.crop(shown)
    return inner if np.ptp(np.asarray(inner), axis=(0, 1)).any() else None


def to_square(image: Image.Image, size: int, resize: str) -> Image.Image:
    """`image` as a square of `size` pixels by the named rule, resampled with Pillow's bicubic filter."""
    shape: Callable[[Image.Image], Image.Image] = {"squash": _whole, "pad": _padded, "crop": _cropped}[resize]
    square = shape(image)
    return square if square.size == (size, size) else square.resize((size, size), Image.Resampling.BICUBIC)


def _whole(image: Image.Image) -> Image.Image:
    return image


def _padded(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = max(width, height)
    if width == height:
        return image
    canvas = Image.new(image.mode, (side, side), "white")
    canvas.paste(image, ((side - width) // 2, (side - height) // 2))
    return canvas


def _cropped(image: Image.Image) -> Image.Image:
    width, height = image.size
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return image.crop((left, top, left + side, top + side))
