"""Colors of points: one for each class, or a ramp from low to high; readable on both themes."""

from __future__ import annotations

import math

GRAY = "#8d9795"  # what has no color: classes that are not highlighted, images of which nothing is known
GOLDEN_ANGLE = math.pi * (3 - math.sqrt(5))  # the hues of neighboring class numbers lie far apart
STEPS = 12  # of a ramp: more are not told apart


def class_colors(count: int) -> list[str]:
    """One color for each class: hues by the golden angle, at three lightnesses in turn."""
    return [_oklch(0.58 + 0.075 * (i % 3), 0.15 - 0.02 * (i % 2), i * GOLDEN_ANGLE) for i in range(count)]


def ramp_colors(count: int = STEPS) -> list[str]:
    """From dark blue (low) to yellow (high), lighter with each step."""
    shares = [i / max(1, count - 1) for i in range(count)]
    return [_oklch(0.46 + 0.34 * share, 0.14, math.radians(270 - 175 * share)) for share in shares]


def _oklch(lightness: float, chroma: float, hue: float) -> str:
    """A color of the OKLCH space in sRGB. Reference: Ottosson 2020, "A perceptual color space for image processing"."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    return "#" + "".join(f"{_srgb_byte(value):02x}" for value in linear)


def _srgb_byte(linear: float) -> int:
    clipped = min(1.0, max(0.0, linear))
    encoded = 12.92 * clipped if clipped <= 0.0031308 else 1.055 * clipped ** (1 / 2.4) - 0.055
    return round(255 * encoded)
