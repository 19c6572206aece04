"""From the bytes of an image file to RGB, with a record of what was done on the way.

Decoders are the part of the program that hostile bytes reach first: on import this module runs in a process of its own
(`engine.tasks.decoder`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from engine.errors import DamagedFileError, InvalidInputError

# Pillow's other formats are rare, hand over to programs outside (EPS), or are no pictures.
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM")
KEPT_FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "BMP", "GIF")  # stored as they came; anything else is stored as PNG
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MORE_THAN_8_BITS = ("I", "F")  # how modes of Pillow with more begin


@dataclass(frozen=True)
class Reading:
    """How images with more than three channels, or more than 8 bits, become RGB. A decision of the task."""

    channels: tuple[int, ...] = ()  # one or three, counted from 1: gray, or red, green, blue; empty = the first ones
    value_range: tuple[float, float] | None = None  # what becomes black and white; None = each image's own range
    window: tuple[float, float] | None = None  # center and width for DICOM; None = the file's own window

    def __post_init__(self) -> None:
        """Refuse what no image can be read by, naming the value."""
        if len(self.channels) not in (0, 1, 3) or any(c < 1 for c in self.channels):
            raise InvalidInputError(
                f"{list(self.channels)} is no choice of channels: name one (gray) or three (red, green, blue), counted "
                "from 1."
            )
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise InvalidInputError(f"The range {list(self.value_range)} is empty: name the lower end first.")
        if self.window is not None and not self.window[1] >= 1:
            raise InvalidInputError(f"The window's width is {self.window[1]}: choose a number from 1 up.")


def reading_from(value: Mapping[str, Any]) -> Reading:
    """The reading in a JSON value, as `asdict` wrote it. Raises InvalidInputError."""
    try:
        return Reading(
            channels=tuple(int(c) for c in value.get("channels") or ()),
            value_range=_pair(value.get("value_range")),
            window=_pair(value.get("window")),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(f"{value!r} does not say how to read images ({error}).") from error


def _pair(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return float(low), float(high)


def reading_as_json(reading: Reading) -> dict[str, Any]:
    """The JSON value of a reading."""
    return asdict(reading)


@dataclass(frozen=True)
class Converted:
    """An image as RGB, and how it came to be."""

    image: Image.Image  # RGB, upright
    steps: tuple[str, ...]  # what was done to make it so, in words; empty for an 8-bit RGB file
    keep: bool  # whether the file's own bytes may be stored, because any decoder reads them alike
    patient: str = ""  # a DICOM file's patient, as it names them
    channels: int = 3  # that there are to choose from; more than four in multi-spectral images alone


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
        if tiff and (bands > 4 or reading.channels or opened.mode.startswith(_MORE_THAN_8_BITS)):
            try:
                return _convert_tiff(content, name, reading, largest)
            except (ValueError, RuntimeError, ImportError):  # a compression that only Pillow reads
                if bands > 4 or reading.channels:
                    raise
        return _convert_opened(opened, reading)


def _samples(opened: Image.Image) -> int:
    """Samples per pixel of a TIFF, which Pillow may show fewer of."""
    tags: Any = getattr(opened, "tag_v2", {})
    return int(tags.get(277, len(opened.getbands())))


def _convert_opened(opened: Image.Image, reading: Reading) -> Converted:
    steps = []
    if getattr(opened, "n_frames", 1) > 1 and opened.format != "MPO":
        steps.append("first of several frames or pages")
    opened.load()
    image: Image.Image = ImageOps.exif_transpose(opened)
    if opened.getexif().get(0x0112, 1) not in (0, 1):
        steps.append("turned upright by its EXIF rotation")
    mode = image.mode
    if mode.startswith(_MORE_THAN_8_BITS):
        kind = "float gray" if mode == "F" else "16-bit gray"
        gray = to_8_bits(np.asarray(image), reading.value_range)
        steps.append(f"{kind}: {range_words(reading)}")
        return Converted(Image.fromarray(gray).convert("RGB"), tuple(steps), keep=False)
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
    return _convert_channels(_channels_last(array, axes), name, reading, steps)


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


def _convert_channels(array: NDArray[Any], name: str, reading: Reading, steps: list[str]) -> Converted:
    count = array.shape[2]
    chosen = reading.channels or ((1,) if count < 3 else (1, 2, 3))
    if max(chosen) > count:
        raise InvalidInputError(f"{name} has {count} channels, so there is no channel {max(chosen)}: choose others.")
    if count not in (1, 3) or reading.channels:
        words = "as gray" if len(chosen) == 1 else "as red, green, blue"
        steps.append(f"{count} channels: {', '.join(map(str, chosen))} {words}")
    picked = array[:, :, [c - 1 for c in chosen]]
    if picked.dtype != np.uint8 or reading.value_range is not None:
        kind = "float" if picked.dtype.kind == "f" else f"{picked.dtype.itemsize * 8}-bit"
        steps.append(f"{kind} values: {range_words(reading)}")
        picked = np.stack([to_8_bits(picked[:, :, i], reading.value_range) for i in range(picked.shape[2])], axis=2)
    if len(chosen) == 1:
        steps.append("gray: three equal channels")
        picked = np.repeat(picked, 3, axis=2)
    steps.append("TIFF stored as PNG, without loss")
    return Converted(Image.fromarray(np.ascontiguousarray(picked)), tuple(steps), keep=False, channels=count)


def range_words(reading: Reading) -> str:
    """How values became 8 bits, in words."""
    if reading.value_range is None:
        return "each image's own range became 0 to 255"
    return f"{reading.value_range[0]:g} to {reading.value_range[1]:g} became 0 to 255"


def to_8_bits(values: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Values scaled so that `value_range`, or their own finite range, becomes 0..255; what is no number becomes 0.

    Example:
        >>> to_8_bits(np.array([[0, 1000], [2000, 4000]]), None).tolist()
        [[0, 64], [128, 255]]

    """
    if np.iscomplexobj(values):
        raise ValueError("its values are complex numbers")
    numbers = values.astype(np.float64)
    finite = np.isfinite(numbers)
    if value_range is None:
        low, high = (numbers[finite].min(), numbers[finite].max()) if finite.any() else (0.0, 0.0)
    else:
        low, high = value_range
    if not high > low:
        return np.zeros(numbers.shape, dtype=np.uint8)
    numbers = np.where(finite, numbers, low)
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (np.clip(numbers, low, high) / 2 - low / 2) / (high / 2 - low / 2)  # halves: doubles may overflow
    return np.asarray(np.rint(np.nan_to_num(scaled) * 255), dtype=np.uint8)
