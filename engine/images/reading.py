"""How images with more channels than three, or more than 8 bits, become RGB: the choice, and the arithmetic of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InvalidInputError
from engine.wording import NO_BREAK

WITHOUT_EXTREMES = (0.5, 99.5)  # percentiles that leave hot pixels and dust out; nnU-Net clips CT values to the same
WHOLE_RANGE = (0.0, 100.0)
_LOOKED_AT = 65_536  # values of an image that are enough to tell its percentiles to whoever chooses
_AT_ONCE = 1 << 20  # values that are scaled at once: as floats a large image would take many times its memory
OWN_RANGE = "each image's own range became 0 to 255"


@dataclass(frozen=True)
class Reading:
    """How images with more than three channels, or more than 8 bits, become RGB. A decision of the task."""

    channels: tuple[int, ...] = ()  # one or three, counted from 1: gray, or red, green, blue; empty = the first ones
    value_range: tuple[float, float] | None = None  # what becomes black and white in all images; None = in each its own
    window: tuple[float, float] | None = None  # center and width for all of DICOM; None = the file's own window
    percentiles: tuple[float, float] | None = None  # of each image's values, which become black and white; None = 0 and
    # 100, and a DICOM file's own window comes first

    def __post_init__(self) -> None:
        """Refuse what no image can be read by, naming the value."""
        if len(self.channels) not in (0, 1, 3) or any(c < 1 for c in self.channels):
            raise InvalidInputError(
                f"{list(self.channels)} is no choice of channels: name one (gray) or three (red, green, blue), counted "
                "from 1."
            )
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise InvalidInputError(f"The range {list(self.value_range)} is empty: name the lower end first.")
        if self.window is not None and not self.window[1] > 0:
            raise InvalidInputError(f"The window's width is {self.window[1]}: choose a number above 0.")
        if self.percentiles is not None and not 0 <= self.percentiles[0] < self.percentiles[1] <= 100:
            raise InvalidInputError(
                f"{list(self.percentiles)} are no percentiles: name two from 0 to 100, the lower one first."
            )
        if self.percentiles is not None and self.value_range is not None:
            raise InvalidInputError("One range for all images leaves no percentiles to each: choose one of the two.")


def reading_from(value: Mapping[str, Any]) -> Reading:
    """The reading in a JSON value, as `asdict` wrote it. Raises InvalidInputError."""
    try:
        return Reading(
            channels=tuple(int(c) for c in value.get("channels") or ()),
            value_range=_pair(value.get("value_range")),
            window=_pair(value.get("window")),
            percentiles=_pair(value.get("percentiles")),
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise InvalidInputError(f"{value!r} does not say how to read images ({error}).") from error


def _pair(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    low, high = value
    return float(low), float(high)


def reading_as_json(reading: Reading) -> Any:
    """The JSON value of a reading."""
    return asdict(reading)


def reading_in_words(reading: Reading) -> str:
    """What was chosen about channels and bits, as a sentence; "" where nothing was."""
    parts = []
    if len(reading.channels) == 1:
        parts.append(f"channel {reading.channels[0]} is shown as gray")
    elif reading.channels:
        parts.append(f"channels {', '.join(map(str, reading.channels))} are red, green, blue")
    if reading.window is not None:
        parts.append(f"DICOM is seen through one window, center {reading.window[0]:g} and width {reading.window[1]:g}")
    if reading.value_range is not None:
        parts.append(f"{reading.value_range[0]:g} is black and {reading.value_range[1]:g} white in all images")
    elif reading.percentiles == WHOLE_RANGE:
        parts.append("the lowest value of each image is black, the highest white")
    elif reading.percentiles is not None:
        parts.append("of each image the percentiles {:g} and {:g} are black and white".format(*reading.percentiles))
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


@dataclass(frozen=True)
class Values:
    """What an image of more than 8 bits holds before it has 8: for whoever chooses how it gets there."""

    kind: str  # "16-bit", "signed 8-bit", "float", "DICOM" and the like
    low: float  # the lowest value
    high: float  # the highest value
    inner: tuple[float, float]  # about the percentiles WITHOUT_EXTREMES
    window: tuple[float, float] | None = None  # center and width that a DICOM file brings
    table: bool = False  # whether it brings a look-up table, which comes before its window


def values_from(value: Mapping[str, Any] | None) -> Values | None:
    """The values in a JSON value, as `asdict` wrote them."""
    if value is None:
        return None
    return Values(
        str(value["kind"]),
        float(value["low"]),
        float(value["high"]),
        (float(value["inner"][0]), float(value["inner"][1])),
        _pair(value["window"]),
        bool(value["table"]),
    )


def range_of(values: NDArray[Any], reading: Reading) -> tuple[tuple[float, float] | None, str]:
    """The values that become black and white, None for the lowest and the highest of `values`; and that in words."""
    if reading.value_range is not None:
        low, high = reading.value_range
        return (low, high), f"{low:g} to {high:g} became 0 to 255"
    if reading.percentiles in (None, WHOLE_RANGE):
        return None, OWN_RANGE
    low, high = _percentiles(values, reading.percentiles)
    words = f"{reading.percentiles[0]:g} and {reading.percentiles[1]:g}{NO_BREAK}%"
    if not high > low:  # little on an even ground: what little there is must not vanish
        return None, f"{OWN_RANGE}, since its percentiles {words} are the same value"
    return (low, high), f"each image's percentiles {words} became 0 and 255"


def values_of(values: NDArray[Any], kind: str, window: tuple[float, float] | None = None) -> Values | None:
    """What values with more than 8 bits hold; None if none of them is a number."""
    finite = _finite(values)
    if not finite.size:
        return None
    some = finite[:: max(1, finite.size // _LOOKED_AT)]
    return Values(kind, float(finite.min()), float(finite.max()), _percentiles(some, WITHOUT_EXTREMES), window)


def _percentiles(values: NDArray[Any], percentiles: tuple[float, float]) -> tuple[float, float]:
    """Two of the values themselves, so that no huge ones have to be averaged; (0, 0) if none is a number."""
    finite = _finite(values)
    if not finite.size:
        return 0.0, 0.0
    low, high = np.percentile(finite, percentiles, method="nearest")
    return float(low), float(high)


def scaled(
    values: NDArray[Any], reading: Reading, counted: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.uint8], str]:
    """Values as 0..255, as `range_of` says, and that in words.

    A value that is not `counted` has no say in the range; None counts all.
    """
    known = values if counted is None else values[counted]
    value_range, words = range_of(known, reading)
    return to_8_bits(values, value_range or _ends(known)), words


def _finite(values: NDArray[Any]) -> NDArray[Any]:
    """Those that are numbers, in one row."""
    return values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)


def _ends(values: NDArray[Any]) -> tuple[float, float]:
    """The lowest and the highest value; (0, 0) if none is a number."""
    finite = _finite(values)
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def to_8_bits(values: NDArray[Any], value_range: tuple[float, float] | None) -> NDArray[np.uint8]:
    """Values scaled so that `value_range`, or their own finite range, becomes 0..255; what is no number becomes 0.

    Example:
        >>> to_8_bits(np.array([[0, 1000], [2000, 4000]]), None).tolist()
        [[0, 64], [128, 255]]

    """
    low, high = _ends(values) if value_range is None else value_range
    made = np.zeros(values.shape, dtype=np.uint8)
    if not high > low:
        return made
    flat, shades = values.reshape(-1), made.reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        shades[part] = _shades(flat[part].astype(np.float64), low, high)
    return made


def _shades(numbers: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    numbers = np.where(np.isfinite(numbers), numbers, low)
    with np.errstate(over="ignore", invalid="ignore"):
        share = (np.clip(numbers, low, high) / 2 - low / 2) / (high / 2 - low / 2)  # halves: doubles may overflow
    return np.asarray(np.rint(np.nan_to_num(share) * 255))
