"""From the bytes of an image file to RGB, with a record of what was done on the way.

Decoders are the part of the program that hostile bytes reach first: on import this module runs in a process of its own
(`engine.images.decoder`).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from engine.errors import DamagedFileError, InvalidInputError
from engine.images.channels import Numbers, to_rgb
from engine.images.pixels import MODE_STEPS, TURNED, Converted, check_pixels, is_dicom, over_white
from engine.images.reading import Reading
from engine.settings import LARGEST_PIXELS

# Pillow's other formats are rare, hand over to programs outside (EPS), or are no pictures.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM")
KEPT_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF")  # stored as they came; anything else is stored as PNG
_REDUCED_FORMATS = ("JPEG", "MPO")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MORE_THAN_8_BITS = ("I", "F")  # how modes of Pillow with more begin
_ORIENTATION = 0x0112  # the tag, in EXIF as in TIFF
_SIDEWAYS = (5, 6, 7, 8)  # its values of images whose width becomes their height


def convert(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The RGB image in `content`; transparency becomes white, more than 8 bits are scaled.

    Raises DamagedFileError naming `name` if it is no readable image, InvalidInputError if it has more than `largest`
    pixels, or if the chosen channels are not there.
    """
    with _sentences(name, largest):
        if is_dicom(content[:132]):
            from engine.images.dicom import convert_dicom  # pydicom: loaded where such a file comes

            return convert_dicom(content, name, reading, largest)
        return _convert_plain(content, name, reading, largest)


@contextmanager
def _sentences(name: str, largest: int) -> Iterator[None]:
    """Makes a sentence of whatever a decoder raises."""
    try:
        yield
    except (DamagedFileError, InvalidInputError):
        raise
    except MemoryError as error:
        raise DamagedFileError(f"{name} needs more memory than a decoder may have: make it smaller first.") from error
    except Image.DecompressionBombError as error:
        raise InvalidInputError(f"{name} has far more pixels than the {largest:,} allowed: make it smaller.") from error
    except Exception as error:  # decoders raise whatever they like on damaged bytes
        raise unreadable(name, error) from error


def unreadable(name: str, error: Exception) -> DamagedFileError:
    """The sentence for a file that no decoder reads."""
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].strip()[:160]
    if type(error).__module__.startswith("imagecodecs"):  # they speak of functions
        reason = "its compressed data are damaged"
    elif isinstance(error, UnidentifiedImageError):
        reason = f"its content is none of {', '.join(f for f in FORMATS if f not in ('MPO', 'DIB'))} or DICOM"
    return DamagedFileError(f"{name} is no readable image ({reason}): replace it or leave it out.")


def decode(content: bytes, name: str) -> Image.Image:
    """The RGB image in bytes that a task keeps, upright by its EXIF rotation; transparency becomes white.

    Pillow alone reads it: a confined decoder has seen it before. Raises DamagedFileError naming `name` if it is no
    readable image, InvalidInputError if it has too many pixels.
    """
    return decode_for(content, name, [math.inf])[0].image


@dataclass(frozen=True)
class Decoded:
    """An RGB image, and how much of it is the image of the file: a reduced one ends within its last pixels."""

    image: Image.Image
    width: float  # pixels of `image`
    height: float


def decode_for(content: bytes, name: str, sides: Sequence[float]) -> list[Decoded]:
    """As `decode`, once for each of `sides`, which are pixels that suffice for both sides of the image.

    A JPEG of many more is decoded at half of its size, a quarter or an eighth, which takes down to a sixth of the time;
    anything else at its own. Images that come out alike are one object. Raises as `decode`.
    """
    made: dict[int, Decoded] = {}
    with _sentences(name, LARGEST_PIXELS):
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
        check_pixels(name, *opened.size, LARGEST_PIXELS)
        reductions = [_reduction(opened, side) for side in sides]
        for reduction in dict.fromkeys(reductions):
            with opened if not made else Image.open(io.BytesIO(content), formats=FORMATS) as file:
                made[reduction] = _decode_reduced(file, name, reduction)
    return [made[reduction] for reduction in reductions]


def _decode_reduced(file: Image.Image, name: str, by: int) -> Decoded:
    width, height = file.width / by, file.height / by
    if by > 1:
        file.draft(None, (int(width), int(height)))
    if file.getexif().get(_ORIENTATION, 1) in _SIDEWAYS:
        width, height = height, width
    return Decoded(_convert_opened(file, name, Reading()).image, width, height)


def _reduction(opened: Image.Image, side: float) -> int:
    """By how much a decoder may reduce an image of which `side` pixels of each side suffice."""
    if opened.format not in _REDUCED_FORMATS:
        return 1
    return next((by for by in (8, 4, 2) if min(opened.size) >= by * side), 1)


def _convert_plain(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    tiff = content[:4] in _TIFF
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except (UnidentifiedImageError, Image.DecompressionBombError):
        if not tiff:
            raise
        return _convert_tiff(content, name, reading, largest)
    with opened:
        check_pixels(name, *opened.size, largest)
        if tiff and not _is_plain(opened, content, reading):
            return _convert_tiff(content, name, reading, largest)
        numbers = None if tiff else _deep_numbers(opened, content)
        if numbers is not None:
            return to_rgb(numbers, name, replace(reading, channels=()), str(opened.format))
        return _convert_opened(opened, name, reading)


def _convert_tiff(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    from engine.images.tiff import convert_tiff  # tifffile: loaded where such a file comes

    return convert_tiff(content, name, reading, largest)


def _is_plain(opened: Image.Image, content: bytes, reading: Reading) -> bool:
    """Whether Pillow reads a TIFF as it is meant: up to four unsigned channels of 8 bits, in one page."""
    tags: Any = getattr(opened, "tag_v2", {})
    bits, formats = tags.get(258) or (1,), tags.get(339) or (1,)
    samples, compression = int(tags.get(277, 1)), tags.get(259, 1)
    if reading.channels or samples > 4 or max(bits) > 8 or compression not in _PILLOW_READS:
        return False
    if any(kind in _NOT_UNSIGNED for kind in formats):
        return False
    several = getattr(opened, "n_frames", 1) > 1 or str(tags.get(270, "")).startswith("ImageJ=")
    if not several:
        return True
    from engine.images.tiff import has_channels_as_pages

    return not has_channels_as_pages(content)


_PILLOW_READS = (1, 2, 3, 4, 5, 6, 7, 8, 32946, 32773)  # compressions that every build of Pillow reads
_NOT_UNSIGNED = (2, 3, 5, 6)  # sample formats: signed, float and complex numbers


def _deep_numbers(opened: ImageFile.ImageFile, content: bytes) -> Numbers | None:
    """The numbers of a PNG or PNM with more than 8 bits, of colors of which Pillow gives the upper 8; None for others.

    Raises ValueError if it is damaged.
    """
    if opened.format == "PNG" and _png_bits(content) > 8:
        import imagecodecs

        values = imagecodecs.png_decode(content)
        values = values if values.ndim == 3 else values[:, :, None]
        alpha = values.shape[2] - 1 if values.shape[2] in (2, 4) else None
        orientation = opened.getexif().get(_ORIENTATION, 1)
        return Numbers(values, together=True, alpha=alpha, orientation=orientation)
    if content[:2] in (b"P5", b"P6") and _is_deep_pnm(opened):
        bands, start = len(opened.getbands()), opened.tile[0][2]
        values = np.frombuffer(content, ">u2", opened.width * opened.height * bands, start).astype(np.uint16)
        return Numbers(values.reshape(opened.height, opened.width, bands), together=True)
    return None


def _is_deep_pnm(opened: ImageFile.ImageFile) -> bool:
    """Whether its header names a highest value above 255."""
    arguments = opened.tile[0][3]
    return opened.mode == "I" or (isinstance(arguments, tuple) and arguments[-1] > 255)


def _png_bits(content: bytes) -> int:
    """Bits of a sample by the header of a PNG; Pillow gives colors of 16 bits as 8."""
    return content[24] if content[12:16] == b"IHDR" else 8


def _convert_opened(opened: Image.Image, name: str, reading: Reading) -> Converted:
    steps = []
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        steps.append("first of several frames or pages")
    if opened.getexif().get(_ORIENTATION, 1) in range(2, 9):  # before a decoder turns it and forgets that it did
        steps.append(TURNED)
    opened.load()
    ImageOps.exif_transpose(opened, in_place=True)  # a copy of a photograph would take as long as decoding half of it
    image, mode = opened, opened.mode
    if mode.startswith(_MORE_THAN_8_BITS):
        return to_rgb(Numbers(np.asarray(image)[:, :, None], tuple(steps)), name, reading, str(opened.format))
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        steps.append("transparency over white")
        image = over_white(image)
    elif mode in MODE_STEPS:
        steps.append(MODE_STEPS[mode])
    keep = opened.format in KEPT_FORMATS
    if not keep:
        steps.append(f"{opened.format} stored as PNG, without loss")
    return Converted(image if image.mode == "RGB" else image.convert("RGB"), tuple(steps), keep)
