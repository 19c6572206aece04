"""An image as RGB with a record of how it came to be, and what every way there shares."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from engine.errors import InvalidInputError
from engine.images.reading import Values

_DICOM_GROUPS = (b"\2\0", b"\x08\0", b"\0\x08")  # with which its first element begins, in either order of bytes
_LONGEST_FIRST = 1024  # bytes of a first element, which is a number, a code or an identifier
TURNED = "turned upright by its EXIF rotation"


@dataclass(frozen=True)
class Converted:
    """An image as RGB, and how it came to be."""

    image: Image.Image  # RGB, upright
    steps: tuple[str, ...]  # what was done to make it so, in words; empty for an 8-bit RGB file
    keep: bool  # whether the file's own bytes may be stored, because any decoder reads them alike
    patient: str = ""  # a DICOM file's patient, as it names them
    channels: int = 3  # that there are to choose from; more than four in multi-spectral images alone
    values: Values | None = None  # of an image with more than 8 bits


def is_dicom(head: bytes) -> bool:
    """Whether the first 132 bytes of a file are those of DICOM, or of one whose preamble was left out."""
    if head[128:132] == b"DICM":
        return True
    if head[:2] not in _DICOM_GROUPS:
        return False
    explicit = head[4:6].isalpha() and head[4:6].isupper()  # two letters name what kind of value follows
    return explicit or int.from_bytes(head[4:8], "little") < _LONGEST_FIRST


def check_pixels(name: str, width: int, height: int, largest: int) -> None:
    """Raises InvalidInputError for an image with more pixels than allowed, before it is decoded."""
    if width * height > largest:
        raise InvalidInputError(
            f"{name} has {width} × {height} pixels, more than the {largest // 1_000_000} million allowed:"
            " make it smaller first."
        )


def over_white(image: Image.Image) -> Image.Image:
    """An image with transparency laid over white."""
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image).convert("RGB")


MODE_STEPS = {
    "1": "black and white: three equal channels",
    "L": "gray: three equal channels",
    "P": "palette: each index became its color",
    "CMYK": "CMYK: converted to RGB without a color profile",
    "YCbCr": "YCbCr: converted to RGB",
    "LAB": "LAB: converted to RGB",
    "HSV": "HSV: converted to RGB",
}
