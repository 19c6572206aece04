"""How images become squares, and at what size a student sees them: advice from the sizes that there are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError

STUDENT_SIZES = (32, 64, 96, 128, 160, 192, 224)  # pixels; multiples of 32, the stride of the usual networks
QUICK_SIZE = 64  # pixels; trains at hundreds of images a second on two cores, and so is the usual one
SMALLEST_SIZE, LARGEST_SIZE = 16, 1024
_NEARLY = 0.9  # of the pixels that there are: so few less lose nothing that an eye would miss
_SQUARE = 1.1  # sides that differ by so little lose nothing that an eye would miss
_CROPPABLE = 1.6  # beyond the aspect of photographs (3:2), a central crop loses what matters


@dataclass(frozen=True)
class GeometryAdvice:
    """What is advised, why, and what the sizes are. Sizes are in pixels."""

    resize: str  # "squash", "crop" or "pad"
    reason: str
    size: int  # of the student, square
    size_reason: str
    short_sides: tuple[int, int, int]  # 5th percentile, median, 95th percentile of the shorter side
    aspects: tuple[float, float, float]  # the same of longer by shorter side, from 1 up


def advise(widths: NDArray[np.int32], heights: NDArray[np.int32]) -> GeometryAdvice:
    """Advice for images of these sizes, `[images]` each. Raises InvalidInputError for no image."""
    if not len(widths):
        raise InvalidInputError("There is no image to advise on: import some first.")
    short, long = np.minimum(widths, heights), np.maximum(widths, heights)
    aspects = long / np.maximum(short, 1)
    low, median, high = (float(v) for v in np.percentile(aspects, (5, 50, 95)))
    if high <= _SQUARE:
        resize, reason = "squash", "Nearly all images are square, so that nothing is lost either way."
    elif high <= _CROPPABLE:
        resize = "crop"
        reason = f"Images are up to {high:.1f} times as long as wide: a central square keeps most of each, undistorted."
    else:
        resize = "pad"
        reason = f"Some images are {high:.1f} times as long as wide: padding keeps all of each, undistorted."
    sides = tuple(int(v) for v in np.percentile(short, (5, 50, 95)))
    fitting = [size for size in STUDENT_SIZES if size <= max(sides[1], STUDENT_SIZES[0])]
    enough = [size for size in STUDENT_SIZES if size >= _NEARLY * sides[1]]
    size = min([QUICK_SIZE, *enough])  # as long as it is cheap, nothing that the images show is lost
    if size < QUICK_SIZE:
        size_reason = f"Half of the images are no larger than {sides[1]} pixels."
    elif fitting[-1] > QUICK_SIZE:
        size_reason = (
            f"{QUICK_SIZE} pixels train quickly anywhere; details that need more are there up to {fitting[-1]} pixels, "
            f"at {relative_cost(fitting[-1]):.0f} times the cost."
        )
    else:
        size_reason = f"The images have about {sides[1]} pixels."
    return GeometryAdvice(resize, reason, size, size_reason, (sides[0], sides[1], sides[2]), (low, median, high))


def relative_cost(size: int, reference: int = QUICK_SIZE) -> float:
    """How much more a convolutional network computes at `size` than at `reference` pixels: the ratio of areas."""
    return (size / reference) ** 2


def check_size(size: int) -> int:
    """`size`, if a student can see images of that size. Raises InvalidInputError."""
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise InvalidInputError(
            f"A student's size of {size} pixels is not possible: choose from {SMALLEST_SIZE} to {LARGEST_SIZE}."
        )
    return size
