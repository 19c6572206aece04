"""TIFF of any number of channels and bits: what its tags say about its numbers is heeded, or the file is refused.

The tags are those of TIFF 6.0 (photometric interpretation, sample format, extra samples, orientation), OME's and
ImageJ's channels as pages, and GDAL's value for "no data" (tag 42113).
"""

from __future__ import annotations

import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DamagedFileError, InvalidInputError
from engine.images.channels import Numbers, to_rgb
from engine.images.pixels import MODE_STEPS, Converted, check_pixels
from engine.images.reading import Reading, to_8_bits

_MOST_STACKED = 64  # pages that are taken for channels of one image
_BYTES_A_PIXEL = 16  # that an image may unpack to: two channels of 64 bits, or sixteen of 8
_NO_DATA, _ORIENTATION = 42113, 274
_OPACITY = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
_GRAY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
# YCbCr in these comes out of its decoder as RGB
_CONVERTING = {6, 7, 33003, 34712, 34892, 50001}  # compressions: JPEG, JPEG 2000, WebP


def convert_tiff(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The first image of a TIFF as RGB. Raises as `convert` in `engine.images.converting`,
    and ValueError for damaged files.
    """
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        if not file.pages:
            raise ValueError("it holds no page")
        page: Any = file.pages.first
        check_pixels(name, page.imagewidth, page.imagelength, largest)
        if page.nbytes > _BYTES_A_PIXEL * largest:
            raise InvalidInputError(f"{name} unpacks to {page.nbytes:,} bytes, which is too much: make it smaller.")
        _check_compression(page, name)
        stacked = _stack_of_channels(file, largest)
        numbers = _numbers(page, name) if stacked is None else Numbers(stacked)
        if len(file.pages) > (1 if stacked is None else stacked.shape[2]):
            numbers = replace(numbers, steps=("first of several pages", *numbers.steps))
        if stacked is not None:
            steps = (*numbers.steps, "pages or planes are its channels")
            white_is_low = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
            numbers = replace(numbers, steps=steps, white_is_low=white_is_low)
        numbers = replace(_without_no_data(numbers, page), orientation=_tag(page, _ORIENTATION) or 1)
    return to_rgb(numbers, name, reading, "TIFF")


def has_channels_as_pages(content: bytes) -> bool:
    """Whether OME's or ImageJ's metadata say that pages, or planes behind one page, are the channels of one image."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        return bool(file.pages) and _lead(file) is not None


def _lead(file: tifffile.TiffFile) -> tuple[str, tuple[int, ...]] | None:
    """Names and lengths of the axes over pages, one of which is that of channels; None if there is none such."""
    series, page = file.series[0], file.pages.first
    if page.axes != "YX" or series.axes[-2:] != "YX" or series.axes.count("C") != 1:
        return None
    return series.axes[:-2], tuple(series.shape[:-2])


def _stack_of_channels(file: tifffile.TiffFile, largest: int) -> NDArray[Any] | None:
    """`[height, width, channels]` of an image whose pages are its channels, at the first place of any other axis.

    None if it is no such image, or too large a one.
    """
    lead = _lead(file)
    if lead is None:
        return None
    axes, lengths = lead
    series: Any = file.series[0]
    count = lengths[axes.index("C")]
    page = file.pages.first
    if count > _MOST_STACKED or count * page.nbytes > _BYTES_A_PIXEL * largest:
        return None
    if series.is_truncated:  # ImageJ's way of large files: one page, and all planes behind it
        if series.nbytes > _BYTES_A_PIXEL * largest:
            return None
        first = tuple(slice(None) if axis in "CYX" else 0 for axis in series.axes)
        return np.moveaxis(np.asarray(series.asarray())[first], 0, -1)
    places = [np.ravel_multi_index([c if a == "C" else 0 for a in axes], lengths) for c in range(count)]
    if max(places) >= len(series):
        return None
    pages = [series[int(place)] for place in places]
    if any(page is None for page in pages):
        raise ValueError("a page of its channels is missing")
    return np.stack([page.asarray() for page in pages], axis=-1)


def _check_compression(page: Any, name: str) -> None:
    if page.compression in tifffile.TIFF.DECOMPRESSORS and page.predictor in tifffile.TIFF.UNPREDICTORS:
        return
    how = getattr(page.compression, "name", page.compression)
    raise DamagedFileError(
        f"{name} is a TIFF compressed in a way that is not read here ({how}, predictor {int(page.predictor)}): "
        "save it uncompressed, or with LZW."
    )


def _numbers(page: Any, name: str) -> Numbers:
    """What the first page holds, by its photometric interpretation. Raises DamagedFileError for one not known here."""
    values = _channels_last(page.asarray(), page.axes)
    kind = page.photometric
    extra = list(page.extrasamples)[: values.shape[2] - 1]  # the first sample is a color, whatever a file says
    alpha = next((values.shape[2] - len(extra) + i for i, e in enumerate(extra) if e in _OPACITY), None)
    premultiplied = alpha is not None and tifffile.EXTRASAMPLE.ASSOCALPHA in extra
    inks = values.shape[2] - len(extra)
    if kind == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and inks == 1:
        return Numbers(_from_palette(values, page.colormap), (MODE_STEPS["P"],))
    if kind == tifffile.PHOTOMETRIC.SEPARATED and inks == 4:
        return Numbers(_from_inks(values[:, :, :4], page.bitspersample), (MODE_STEPS["CMYK"],))
    colors = kind == tifffile.PHOTOMETRIC.RGB
    if kind == tifffile.PHOTOMETRIC.YCBCR and values.dtype == np.uint8 and page.compression in _CONVERTING:
        colors = True
    if not colors and kind not in _GRAY:
        how = getattr(kind, "name", str(kind))
        raise DamagedFileError(
            f"{name} is a TIFF whose colors are {how} with {page.bitspersample} bits and {values.shape[2]} samples, "
            "which is not read here: save it as RGB or gray."
        )
    if values.dtype == np.uint8 and page.bitspersample < 8:
        values = to_8_bits(values, (0, 2**page.bitspersample - 1))
    return Numbers(
        values,
        together=colors,
        alpha=alpha,
        premultiplied=premultiplied,
        white_is_low=kind == tifffile.PHOTOMETRIC.MINISWHITE,
    )


def _from_palette(values: NDArray[Any], colormap: NDArray[Any]) -> NDArray[np.uint8]:
    """`[height, width, 3]` of indices; entries of a palette have 16 bits, but some writers fill in 8 alone."""
    colors = (colormap >> 8 if colormap.max() > 255 else colormap).astype(np.uint8)
    found: NDArray[np.uint8] = colors.T[np.minimum(values[:, :, 0], colors.shape[1] - 1)]
    return found


def _from_inks(values: NDArray[Any], bits: int) -> NDArray[np.uint8]:
    """RGB of cyan, magenta, yellow and black. They are shares of full ink, so no range of their own is stretched."""
    if values.dtype.kind not in "uf":
        raise ValueError("its inks are signed numbers")
    inks = to_8_bits(values, (0, 1 if values.dtype.kind == "f" else 2**bits - 1))
    return np.asarray(Image.fromarray(np.ascontiguousarray(inks), "CMYK").convert("RGB"))


def _without_no_data(numbers: Numbers, page: Any) -> Numbers:
    """Marks the values that mean "no data" (GDAL's tag); such a value is black, and leaves the range."""
    values, text = numbers.values, _tag(page, _NO_DATA)
    if text is None or values.dtype in (np.uint8, bool):
        return numbers
    try:
        nothing = float(str(text).strip().strip("\0"))
    except ValueError:
        return numbers
    with np.errstate(over="ignore"):
        missing = values == (values.dtype.type(nothing) if values.dtype.kind == "f" else nothing)
    if math.isnan(nothing) or not missing.any():
        return numbers
    return replace(
        numbers, missing=missing, steps=(*numbers.steps, f"no data ({nothing:g}) is black, out of the range")
    )


def _tag(page: Any, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value


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
