"""DICOM images: rescaled, windowed, and with MONOCHROME1 turned so that white is white (PS3.3, C.11.1 and C.11.2)."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut, apply_voi
from pydicom.pixels.utils import pixel_array

from engine.errors import DamagedFileError
from engine.tasks.pixels import Converted, check_pixels
from engine.tasks.reading import Reading, Values, range_of, to_8_bits, values_of


def convert_dicom(content: bytes, name: str, reading: Reading, largest: int) -> Converted:
    """The first frame of a DICOM file as RGB. Raises DamagedFileError if it holds no image that can be read here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of values that break the standard without harm
        dataset = pydicom.dcmread(io.BytesIO(content))
        if "PixelData" not in dataset:
            raise DamagedFileError(f"{name} is a DICOM file without an image: leave it out.")
        check_pixels(name, int(dataset.Columns), int(dataset.Rows), largest)
        frames = int(dataset.get("NumberOfFrames", 1) or 1)
        steps = [f"DICOM: first of {frames} frames" if frames > 1 else "DICOM"]
        try:
            raw = pixel_array(dataset, index=0)
        except (RuntimeError, NotImplementedError) as error:
            syntax = dataset.file_meta.TransferSyntaxUID.name
            raise DamagedFileError(
                f"{name} is compressed as {syntax}, which is not read here: export it uncompressed."
            ) from error
        pixels, values = _rgb(dataset, raw, reading, steps)
        patient = str(dataset.get("PatientID", "") or "").strip()
    return Converted(Image.fromarray(pixels), tuple(steps), keep=False, patient=patient, values=values)


def _rgb(
    dataset: Any, raw: NDArray[Any], reading: Reading, steps: list[str]
) -> tuple[NDArray[np.uint8], Values | None]:
    """`[rows, columns, 3]`, 0..255; and what values of more than 8 bits it comes from."""
    kind = str(dataset.get("PhotometricInterpretation", "")).strip()
    if kind == "PALETTE COLOR":
        steps.append("palette: each index became its color")
        raw = apply_color_lut(raw, dataset)
    if raw.ndim == 3:
        colors = raw[:, :, :3]
        if colors.dtype == np.uint8:
            return np.ascontiguousarray(colors), None
        value_range, words = range_of(colors, reading)
        steps.append(words)
        return to_8_bits(colors, value_range), values_of(colors, "DICOM")
    values = np.asarray(apply_modality_lut(raw, dataset))
    if "RescaleSlope" in dataset or "RescaleIntercept" in dataset:
        steps.append("rescaled by its slope and intercept")
    pictured = values[~_padding(dataset, raw)]
    gray = _windowed(dataset, values, pictured, reading, steps)
    if kind == "MONOCHROME1":
        steps.append("MONOCHROME1 turned: its lowest value is white")
        gray = 255 - gray
    steps.append("gray: three equal channels")
    return np.repeat(gray[:, :, None], 3, axis=2), values_of(pictured, "DICOM", _own_window(dataset))


def _padding(dataset: Any, raw: NDArray[Any]) -> NDArray[np.bool_]:
    """Where a file says that there is no picture, such as around a round CT slice (PS3.3, C.7.5.1.1.2)."""
    first = dataset.get("PixelPaddingValue")
    last = dataset.get("PixelPaddingRangeLimit", first)
    if not isinstance(first, int | float) or not isinstance(last, int | float):
        return np.zeros(raw.shape, dtype=bool)
    found: NDArray[np.bool_] = (raw >= min(first, last)) & (raw <= max(first, last))
    return found if not found.all() else ~found


def _windowed(
    dataset: Any, values: NDArray[Any], pictured: NDArray[Any], reading: Reading, steps: list[str]
) -> NDArray[np.uint8]:
    """0..255 by what was chosen, or else by what the file says; a range of its own is that of the pictured values."""
    own = _own_window(dataset)
    if reading.window is not None:
        steps.append(f"the chosen window, center {reading.window[0]:g} and width {reading.window[1]:g}")
        return window_8_bits(values, *reading.window)
    if reading.value_range is None and reading.percentiles is None and own is not None:
        steps.append("the file's own window")
        return window_8_bits(values, *own)
    if reading.value_range is None and reading.percentiles is None and "VOILUTSequence" in dataset:
        steps.append("the file's own look-up table")
        return to_8_bits(apply_voi(values, dataset), None)
    value_range, words = range_of(pictured, reading)
    asked = reading.value_range is not None or reading.percentiles is not None
    steps.append(words if asked else f"no window: {words}")
    return to_8_bits(values, value_range or _ends(pictured))


def _ends(values: NDArray[Any]) -> tuple[float, float] | None:
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def _own_window(dataset: Any) -> tuple[float, float] | None:
    """The first window of a file, if it has one."""
    center, width = dataset.get("WindowCenter"), dataset.get("WindowWidth")
    if center is None or width is None:
        return None
    try:
        pair = float(np.atleast_1d(center)[0]), float(np.atleast_1d(width)[0])
    except (TypeError, ValueError, IndexError):
        return None
    return pair if pair[1] >= 1 and np.isfinite(pair).all() else None


def window_8_bits(values: NDArray[Any], center: float, width: float) -> NDArray[np.uint8]:
    """Values through a linear window, as 0..255 (PS3.3, C.11.2.1.2.1).

    Example:
        >>> window_8_bits(np.array([[-200, -110], [40, 190]]), 40, 300).tolist()
        [[0, 0], [128, 255]]

    """
    if width <= 1:
        return np.where(values > center - 0.5, 255, 0).astype(np.uint8)
    scaled = ((values.astype(np.float64) - (center - 0.5)) / (width - 1) + 0.5) * 255
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
