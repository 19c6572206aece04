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
from engine.tasks.pixels import Converted, Reading, check_pixels, to_8_bits


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
        pixels = _rgb(dataset, raw, reading, steps)
        patient = str(dataset.get("PatientID", "") or "").strip()
    return Converted(Image.fromarray(pixels), tuple(steps), keep=False, patient=patient)


def _rgb(dataset: Any, raw: NDArray[Any], reading: Reading, steps: list[str]) -> NDArray[np.uint8]:
    """`[rows, columns, 3]`, 0..255."""
    kind = str(dataset.get("PhotometricInterpretation", "")).strip()
    if kind == "PALETTE COLOR":
        steps.append("palette: each index became its color")
        raw = apply_color_lut(raw, dataset)
    if raw.ndim == 3:
        return np.ascontiguousarray(raw[:, :, :3] if raw.dtype == np.uint8 else to_8_bits(raw[:, :, :3], None))
    values = np.asarray(apply_modality_lut(raw, dataset))
    if "RescaleSlope" in dataset or "RescaleIntercept" in dataset:
        steps.append("rescaled by its slope and intercept")
    gray = _windowed(dataset, values, reading, steps)
    if kind == "MONOCHROME1":
        steps.append("MONOCHROME1 turned: its lowest value is white")
        gray = 255 - gray
    steps.append("gray: three equal channels")
    return np.repeat(gray[:, :, None], 3, axis=2)


def _windowed(dataset: Any, values: NDArray[Any], reading: Reading, steps: list[str]) -> NDArray[np.uint8]:
    if reading.window is None and reading.value_range is not None:
        steps.append(f"{reading.value_range[0]:g} to {reading.value_range[1]:g} became 0 to 255")
        return to_8_bits(values, reading.value_range)
    window = reading.window or _own_window(dataset)
    if window is not None:
        steps.append("the chosen window" if reading.window else "the file's own window")
        return window_8_bits(values, *window)
    if "VOILUTSequence" in dataset:
        steps.append("the file's own look-up table")
        return to_8_bits(apply_voi(values, dataset), None)
    steps.append("no window: each image's own range became 0 to 255")
    return to_8_bits(values, None)


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
