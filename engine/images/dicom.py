"""DICOM images: rescaled, windowed, and with MONOCHROME1 turned so that white is white (PS3.3, C.11.1 and C.11.2).

The arithmetic is pydicom's; what is here is where each file keeps what it says about its values.
"""

from __future__ import annotations

import copy
import io
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing
from pydicom.pixels.utils import pixel_array

from engine.errors import DamagedFileError
from engine.images.dicom_codecs import register
from engine.images.pixels import Converted, check_pixels
from engine.images.reading import Reading, Values, scaled, to_8_bits, values_of

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_PADDING = ("PixelPaddingValue", "FloatPixelPaddingValue", "DoubleFloatPixelPaddingValue")
_RESCALE = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence")
_WINDOW = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
_GROUPS = {"PixelValueTransformationSequence": _RESCALE, "FrameVOILUTSequence": _WINDOW}  # of multi-frame files
_CENTER, _WIDTH = 0x0028_1050, 0x0028_1051
register()
LINEAR, LINEAR_EXACT, SIGMOID = "LINEAR", "LINEAR_EXACT", "SIGMOID"


@dataclass(frozen=True)
class Window:
    """Which values become black and white."""

    center: float
    width: float
    function: str = LINEAR  # LINEAR, which counts whole numbers, LINEAR_EXACT or SIGMOID


def convert_dicom(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The first frame of a DICOM file as RGB. Raises DamagedFileError if it holds no image that can be read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break the standard without harm
        dataset, steps = _read(content, name)
        check_pixels(name, int(dataset.Columns), int(dataset.Rows), largest)
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        steps.insert(0, f"DICOM: first of {frames} frames" if frames > 1 else "DICOM")
        raw = _pixels(dataset, name)
        pixels, values = _rgb(dataset, raw, reading, steps)
        patient = str(dataset.get("PatientID", "") or "").strip()
    return Converted(Image.fromarray(pixels), tuple(steps), keep=False, patient=patient, values=values)


def _read(content: bytes, name: str) -> tuple[Any, list[str]]:
    """The elements of a file, and what had to be guessed, in words."""
    bare = content[128:132] != b"DICM"
    dataset = pydicom.dcmread(io.BytesIO(content), force=bare)
    found = any(keyword in dataset for keyword in _PIXELS)
    if bare and not (found and "Rows" in dataset and "Columns" in dataset):
        raise UnidentifiedImageError
    if not found:
        raise DamagedFileError(f"{name} is a DICOM file without an image: leave it out.")
    if "TransferSyntaxUID" in dataset.file_meta:
        return dataset, ["without its preamble"] if bare else []
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise DamagedFileError(
            f"{name} lacks the header of a DICOM file, which says how its image is compressed: export it again."
        )
    implicit, little = dataset.original_encoding
    explicit = uid.ExplicitVRLittleEndian if little else uid.ExplicitVRBigEndian
    dataset.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian if implicit else explicit
    return dataset, ["without its header: read as uncompressed"]


def _pixels(dataset: Any, name: str) -> NDArray[Any]:
    """The first frame as it is stored. Raises DamagedFileError for a compression that is not known, or damaged."""
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        readable = not syntax.is_encapsulated or get_decoder(syntax).is_available
    except (NotImplementedError, ValueError):  # pydicom knows no decoder of this syntax, or no such syntax
        readable = False
    if not readable:
        raise DamagedFileError(
            f"{name} is compressed as {syntax.name}, which is not read here: export it uncompressed."
        )
    try:
        return pixel_array(dataset, index=0)
    except (RuntimeError, NotImplementedError) as error:  # pydicom's, after each decoder that it tried
        raise DamagedFileError(
            f"{name} is no readable image (its {syntax.name} data are damaged, or of a kind that is not read here): "
            "replace it, or export it uncompressed."
        ) from error


def _rgb(
    dataset: Any, raw: NDArray[Any], reading: Reading, steps: list[str]
) -> tuple[NDArray[np.uint8], Values | None]:
    """`[rows, columns, 3]`, 0..255; and what values of more than 8 bits it comes from."""
    kind = str(dataset.get("PhotometricInterpretation", "")).strip()
    if kind == "PALETTE COLOR":
        steps.append("palette: each index became its color")
        return _colored(dataset, raw), None
    if raw.ndim == 3:
        colors = raw[:, :, :3]
        if colors.dtype == np.uint8:
            return np.ascontiguousarray(colors), None
        shades, words = scaled(colors, reading)
        steps.append(words)
        return shades, values_of(colors, "DICOM")
    frame = _first_frame(dataset)
    values = _rescaled(frame, raw, steps)
    padding = _padding(dataset, raw)
    gray = _windowed(frame, values, ~padding, reading, steps)
    if kind == "MONOCHROME1":
        steps.append("MONOCHROME1 turned: its lowest value is white")
        gray = 255 - gray
    if padding.any():
        steps.append("padding is black, out of the range")
        gray = np.where(padding, np.uint8(0), gray)
    steps.append("gray: three equal channels")
    own = _own_window(frame)
    pair = None if own is None else (own.center, own.width)
    found = values_of(values[~padding], "DICOM", pair)
    table = bool(frame.get("VOILUTSequence"))
    return np.repeat(gray[:, :, None], 3, axis=2), found and replace(found, table=table)


def _colored(dataset: Any, raw: NDArray[Any]) -> NDArray[np.uint8]:
    """`[rows, columns, 3]` of indices; a palette's entries are shares of full light, so no range is stretched."""
    colors = apply_color_lut(raw, dataset)[:, :, :3]
    depth = 8 if colors.dtype == np.uint8 else int(dataset.RedPaletteColorLookupTableDescriptor[2])
    return to_8_bits(colors, (0, 2**depth - 1))


def _first_frame(dataset: Any) -> Dataset:
    """What a file says of its first frame's values: for all frames, in a group that they share, or in its own."""
    frame = Dataset()
    frame.file_meta = dataset.file_meta
    _take(frame, dataset, (*_RESCALE, *_WINDOW))
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        first = (dataset.get(groups) or [Dataset()])[0]
        for group, keywords in _GROUPS.items():
            if first.get(group):
                _take(frame, first[group][0], keywords)
    return frame


def _take(frame: Dataset, source: Dataset, keywords: tuple[str, ...]) -> None:
    for keyword in keywords:
        value = source.get(keyword)
        if value is not None and value != "":
            frame.add(source[keyword])


def _rescaled(frame: Dataset, raw: NDArray[Any], steps: list[str]) -> NDArray[Any]:
    if frame.get("ModalityLUTSequence"):
        steps.append("rescaled by its look-up table")
        item, first, last, _ = _table(frame.ModalityLUTSequence[0])
        view = Dataset()
        view.file_meta, view.ModalityLUTSequence = frame.file_meta, [item]
        return np.asarray(apply_modality_lut(np.clip(raw.astype(np.int64), first, last), view))
    if "RescaleSlope" in frame or "RescaleIntercept" in frame:
        steps.append("rescaled by its slope and intercept")
        frame.RescaleSlope, frame.RescaleIntercept = frame.get("RescaleSlope", 1), frame.get("RescaleIntercept", 0)
    return np.asarray(apply_modality_lut(raw, frame))


def _table(item: Dataset) -> tuple[Dataset, int, int, int]:
    """A look-up table as pydicom applies it without overflow, its first and last input, and the bits of its entries."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    wide = copy.deepcopy(item)
    wide.LUTDescriptor[2] = 16
    return wide, first, first + (entries or 2**16) - 1, bits


def _padding(dataset: Any, raw: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a file says that there is no picture, such as around a round CT slice (PS3.3, C.7.5.1.1.2)."""
    first = next((dataset[keyword].value for keyword in _PADDING if keyword in dataset), None)
    last = dataset.get("PixelPaddingRangeLimit", first)
    if not isinstance(first, int | float) or not isinstance(last, int | float):
        return np.zeros(raw.shape, dtype=bool)
    found: NDArray[np.bool_] = (raw >= min(first, last)) & (raw <= max(first, last))
    return found if not found.all() else ~found


def _windowed(
    frame: Dataset, values: NDArray[Any], pictured: NDArray[np.bool_], reading: Reading, steps: list[str]
) -> NDArray[np.uint8]:
    """0..255 by what was chosen, or else by what the file says; a range of its own is that of the pictured values."""
    if reading.window is not None:
        steps.append("the chosen window, center {:g} and width {:g}".format(*reading.window))
        return window_8_bits(values, _chosen_window(values, *reading.window))
    if reading.value_range is not None or reading.percentiles is not None:
        shades, words = scaled(values, reading, pictured)
        steps.append(words)
        return shades
    if frame.get("VOILUTSequence"):
        steps.append("the file's own look-up table")
        return _through_table(frame, values)
    own = _own_window(frame)
    if own is not None:
        steps.append("the file's own window" + ("" if own.function == LINEAR else f" ({own.function})"))
        return window_8_bits(values, own)
    shades, words = scaled(values, reading, pictured)
    steps.append(f"no window: {words}")
    return shades


def _through_table(frame: Dataset, values: NDArray[Any]) -> NDArray[np.uint8]:
    item, first, last, bits = _table(frame.VOILUTSequence[0])
    view = Dataset()
    view.file_meta, view.VOILUTSequence = frame.file_meta, [item]
    whole = np.clip(np.rint(values), first, last).astype(np.int64)
    return to_8_bits(apply_voi(whole, view), (0, 2**bits - 1))


def _own_window(frame: Dataset) -> Window | None:
    """The first window of a file, if it has one."""
    center, width = frame.get("WindowCenter"), frame.get("WindowWidth")
    try:
        pair = float(np.atleast_1d(center)[0]), float(np.atleast_1d(width)[0])
    except (TypeError, ValueError, IndexError):
        return None
    if not (pair[1] > 0 and np.isfinite(pair).all()):
        return None
    function = str(frame.get("VOILUTFunction", LINEAR)).strip().upper()
    if function not in (LINEAR_EXACT, SIGMOID):
        function = LINEAR if pair[1] >= 1 else LINEAR_EXACT  # LINEAR is not defined below 1
    return Window(*pair, function)


def _chosen_window(values: NDArray[Any], center: float, width: float) -> Window:
    """LINEAR counts whole numbers, and is off by half of one for others."""
    whole = values.dtype.kind in "iu" or bool((values == np.rint(values)).all())
    return Window(center, width, LINEAR if whole and width >= 1 else LINEAR_EXACT)


def window_8_bits(values: NDArray[Any], window: Window) -> NDArray[np.uint8]:
    """Values through a window, as 0..255 (PS3.3, C.11.2.1.2 and C.11.2.1.3).

    Example:
        >>> window_8_bits(np.array([[-200, -110], [40, 190]]), Window(40, 300)).tolist()
        [[0, 0], [128, 255]]
        >>> window_8_bits(np.array([0, 0.25, 0.5, 1]), Window(0.5, 1, LINEAR_EXACT)).tolist()
        [0, 64, 128, 255]

    """
    view = Dataset()  # of 8 unsigned bits, which become those of the result
    view.PhotometricInterpretation, view.BitsStored, view.PixelRepresentation = "MONOCHROME2", 8, 0
    view.add_new(_CENTER, "FD", window.center)
    view.add_new(_WIDTH, "FD", window.width)
    view.VOILUTFunction = window.function
    return np.asarray(np.rint(np.nan_to_num(apply_windowing(values, view))), dtype=np.uint8)
