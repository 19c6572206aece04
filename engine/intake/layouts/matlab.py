"""Lists in MATLAB files."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from engine.errors import DamagedFileError
from engine.intake.inventory import first_line


def matlab_lists(content: bytes, name: str) -> dict[str, list[Any]]:
    """The arrays in a MATLAB file as lists of numbers and texts. Raises DamagedFileError."""
    from scipy.io import loadmat  # most sources have no such list, and it takes a while to load

    try:
        arrays = loadmat(io.BytesIO(content))
    except Exception as error:  # it raises whatever it likes on damaged bytes
        raise DamagedFileError(
            f"{name} is no readable MATLAB file ({first_line(error)}): download the data set again."
        ) from error
    return {
        key: [_plain(entry) for entry in value.ravel().tolist()]
        for key, value in arrays.items()
        if isinstance(value, np.ndarray) and not key.startswith("__")
    }


def _plain(value: Any) -> Any:
    """A number or a text, out of the arrays that MATLAB wraps them in."""
    while hasattr(value, "ravel"):
        flat = value.ravel().tolist()
        value = flat[0] if flat else ""
    return value if isinstance(value, int | float | str) else str(value)
