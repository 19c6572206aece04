"""From the bytes of an image file to RGB, with a record of what was done on the way.

Decoders are the part of the program that hostile bytes reach first: on import this module runs in a process of its own
(`engine.tasks.decoder`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import DamagedFileError, InvalidInputError
from engine.tasks.reading import Reading, Values, range_of, to_8_bits, values_of

# Pillow's other formats are rare, hand over to programs outside (EPS), or are no pictures.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM")
KEPT_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF")  # stored as they came; anything else is stored as PNG
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MORE_THAN_8_BITS = ("I", "F")  # how modes of Pillow with more begin


@dataclass(frozen=True)
class Converted:
    """An image as RGB, and how it came to be."""

    image: Image.Image  # RGB, upright
    steps: tuple[str, ...]  # what was done to make it so, in words; empty for an 8-bit RGB file
    keep: bool  # whether the file's own bytes may be stored, because any decoder reads them alike
    patient: str = ""  # a DICOM file's patient, as it names them
    channels: int = 3  # that there are to choose from; more than four in multi-spectral images alone
    values: Values | None = None  # of an image with more than 8 bits


def convert(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The RGB image in `content`; transparency becomes white, more than 8 bits are scaled.

    Raises DamagedFileError naming `name` if it is no readable image, InvalidInputError if it has more than `largest`
    pixels, or if the chosen channels are not there.
    """
    try:
        if content[128:132] == b"DICM":
            from engine.tasks.dicom import convert_dicom

            return convert_dicom(content, name, reading, largest)
        return _convert_plain(content, name, reading, largest)
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
    if isinstance(error, UnidentifiedImageError):
        reason = f"its content is none of {', '.join(f for f in FORMATS if f not in ('MPO', 'DIB'))} or DICOM"
    return DamagedFileError(f"{name} is no readable image ({reason}): replace it or leave it out.")


def check_pixels(name: str, width: int, height: int, largest: int) -> None:
    """Raises InvalidInputError for an image with more pixels than allowed, before it is decoded."""
    if width * height > largest:
        raise InvalidInputError(
            f"{name} has {width} × {height} pixels, more than the {largest // 1_000_000} million allowed:"
            " make it smaller first."
        )


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
        bands = _samples(opened) if tiff else len(opened.getbands())
        if tiff and (bands > 4 or reading.channels or _tiff_bits(opened) > 8):
            try:
                return _convert_tiff(content, name, reading, largest)
            except (ValueError, RuntimeError, ImportError):  # a compression that only Pillow reads
                if bands > 4 or reading.channels:
                    raise
        return _convert_opened(opened, content, reading)


def _png_bits(content: bytes) -> int:
    """Bits of a sample by the header of a PNG; Pillow gives colors of 16 bits as 8."""
    return content[24] if content[12:16] == b"IHDR" else 8


def _tiff_bits(opened: Image.Image) -> int:
    """Bits of a sample of a TIFF; Pillow gives colors of 16 bits as the upper 8 of them."""
    tags: Any = getattr(opened, "tag_v2", {})
    return max(tags.get(258) or (1,))


def _samples(opened: Image.Image) -> int:
    """Samples per pixel of a TIFF, which Pillow may show fewer of."""
    tags: Any = getattr(opened, "tag_v2", {})
    return int(tags.get(277, len(opened.getbands())))


def _convert_opened(opened: Image.Image, content: bytes, reading: Reading) -> Converted:
    steps = []
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        steps.append("first of several frames or pages")
    opened.load()
    image: Image.Image = ImageOps.exif_transpose(opened)
    if opened.getexif().get(0x0112, 1) not in (0, 1):
        steps.append("turned upright by its EXIF rotation")
    mode = image.mode
    if mode.startswith(_MORE_THAN_8_BITS):
        numbers = np.asarray(image)
        value_range, words = range_of(numbers, reading)
        steps.append(f"{'float' if mode == 'F' else '16-bit'} gray: {words}")
        gray = Image.fromarray(to_8_bits(numbers, value_range))
        found = values_of(numbers, "float" if mode == "F" else "16-bit")
        return Converted(gray.convert("RGB"), tuple(steps), keep=False, values=found)
    if opened.format == "PNG" and _png_bits(content) > 8:
        steps.append("16 bits of each color: the upper 8 are kept")
    if mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        steps.append("transparency over white")
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255, 255)), image)
    elif mode in _MODE_STEPS:
        steps.append(_MODE_STEPS[mode])
    keep = opened.format in KEPT_FORMATS
    if not keep:
        steps.append(f"{opened.format} stored as PNG, without loss")
    return Converted(image.convert("RGB"), tuple(steps), keep)


_MODE_STEPS = {
    "1": "black and white: three equal channels",
    "L": "gray: three equal channels",
    "P": "palette: each index became its color",
    "CMYK": "CMYK: converted to RGB without a color profile",
    "YCbCr": "YCbCr: converted to RGB",
    "LAB": "LAB: converted to RGB",
    "HSV": "HSV: converted to RGB",
}


def _convert_tiff(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The first image of a TIFF, of any number of channels and bits, through tifffile."""
    import tifffile

    with tifffile.TiffFile(io.BytesIO(content)) as file:
        if not file.pages:
            raise ValueError("it holds no page")
        page = file.pages.first
        check_pixels(name, page.imagewidth, page.imagelength, largest)
        if page.nbytes > 16 * largest:
            raise InvalidInputError(f"{name} unpacks to {page.nbytes:,} bytes, which is too much: make it smaller.")
        steps = ["first of several pages"] if len(file.pages) > 1 else []
        series = file.series[0]
        if len(file.pages) > 1 and series.axes[:1] in ("C", "S") and _is_stack(series.shape, largest):
            array, axes = series.asarray(), series.axes  # channels as pages
            steps = []
        else:
            array, axes = page.asarray(), page.axes
        kind = page.photometric
    colors = kind == tifffile.PHOTOMETRIC.RGB
    found = _convert_channels(_channels_last(array, axes), name, reading, steps, together=colors)
    if kind == tifffile.PHOTOMETRIC.MINISWHITE and found.channels == 1:
        turned = "MinIsWhite turned: its lowest value is white"
        return replace(found, image=ImageOps.invert(found.image), steps=(*found.steps, turned))
    return found


def _is_stack(shape: tuple[int, ...], largest: int) -> bool:
    return len(shape) == 3 and shape[0] <= 64 and shape[1] * shape[2] <= largest


def _channels_last(array: NDArray[Any], axes: str) -> NDArray[Any]:
    """`[height, width, channels]` of an array with named axes; further axes are cut to their first entry."""
    for place in range(len(axes) - 1, -1, -1):
        if axes[place] not in "YXSC":
            array, axes = array.take(0, axis=place), axes[:place] + axes[place + 1 :]
    if array.ndim == 2:
        return array[:, :, None]
    if array.ndim != 3:
        raise ValueError(f"it has {array.ndim} axes ({axes})")
    return np.moveaxis(array, [axes.index("Y"), axes.index("X")], [0, 1])


def _convert_channels(
    array: NDArray[Any], name: str, reading: Reading, steps: list[str], *, together: bool
) -> Converted:
    """`array` is `[height, width, channels]`. Colors are scaled together, or their hue would change; other channels,
    which may be of different units, each on its own.
    """
    count = array.shape[2]
    chosen = reading.channels or ((1,) if count < 3 else (1, 2, 3))
    if max(chosen) > count:
        raise InvalidInputError(f"{name} has {count} channels, so there is no channel {max(chosen)}: choose others.")
    if count not in (1, 3) or reading.channels:
        words = "as gray" if len(chosen) == 1 else "as red, green, blue"
        steps.append(f"{count} channels: {', '.join(map(str, chosen))} {words}")
    picked = array[:, :, [c - 1 for c in chosen]]
    values = None
    if np.iscomplexobj(picked):
        raise ValueError("its values are complex numbers")
    if picked.dtype == bool:
        picked = picked.astype(np.uint8) * 255
    if picked.dtype != np.uint8:
        kind = "float" if picked.dtype.kind == "f" else f"{picked.dtype.itemsize * 8}-bit"
        values = values_of(picked, kind)
        parts = [picked] if together else np.split(picked, len(chosen), axis=2)
        ranges = [range_of(part, reading) for part in parts]
        steps += dict.fromkeys(f"{kind} values: {words}" for _, words in ranges)
        picked = np.concatenate([to_8_bits(p, r) for p, (r, _) in zip(parts, ranges, strict=True)], axis=2)
    if len(chosen) == 1:
        steps.append("gray: three equal channels")
        picked = np.repeat(picked, 3, axis=2)
    steps.append("TIFF stored as PNG, without loss")
    image = Image.fromarray(np.ascontiguousarray(picked))
    return Converted(image, tuple(steps), keep=False, channels=count, values=values)
