"""Files of tensors (safetensors) that carry a checksum of themselves, which whoever reads them verifies.

The SHA-256 is of the whole file, header included, with zeros in the checksum's own place. It lies in the header's
metadata, which other readers of safetensors pass over. Files of version 0.1 have none, and are read all the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import DamagedFileError
from engine.files import replacing, storage_error

CHECKSUM = "sha256"  # its key in the metadata
_EMPTY = "0" * 64
_PLACE = re.compile(rb'"sha256":"([0-9a-f]{64})"')
_LARGEST_HEADER = 16 * 2**20  # bytes; a hundred times that of a network of 1,000 tensors
_OS_ERROR = re.compile(r"\(os error (\d+)\)")  # how the library, written in Rust, tells what the system refused


def write_tensors(
    path: Path, tensors: Mapping[str, Tensor] | Mapping[str, NDArray[Any]], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, or arrays, with a checksum, atomically. Raises StorageError, which says how much room is needed
    where there is too little.
    """
    about = {**(metadata or {}), CHECKSUM: _EMPTY}
    of_torch = all(isinstance(value, Tensor) for value in tensors.values())
    save: Any = safetensors.torch.save if of_torch else safetensors.numpy.save
    # The library writes an array's memory as it lies, also where that is column by column, and reads it row by row.
    values = dict(tensors) if of_torch else {name: np.asarray(value, order="C") for name, value in tensors.items()}
    content: bytes = save(values, about)
    body = 8 + int.from_bytes(content[:8], "little")
    place = _place(content[:body])
    assert place is not None
    digest = hashlib.sha256(content).hexdigest().encode()
    with replacing(path, needed=len(content)) as temporary, temporary.open("wb") as file:
        file.write(content[: place[0]] + digest + content[place[1] : body])
        file.write(memoryview(content)[body:])


@contextmanager
def reading_tensors(path: Path, framework: str, also: Collection[str] = ()) -> Iterator[Any]:
    """An open file of tensors whose checksum was verified, as `safetensors.safe_open` gives it.

    framework: "pt" or "numpy". also: keys that its metadata may hold besides the checksum. A file is verified once in
    this process, and again when it changes. Raises FileNotFoundError, DamagedFileError, StorageError.
    """
    try:
        stamps = path.stat()
        _verify(path, tuple(sorted(also)), stamps.st_ino, stamps.st_mtime_ns, stamps.st_size)
        with safetensors.safe_open(path, framework=framework) as file:
            yield file
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(error, path) from error
    except safetensors.SafetensorError as error:
        raise _damaged(path, str(error)) from error


def read_tensors(path: Path, framework: str = "pt") -> dict[str, Any]:
    """All tensors of a file. Raises as `reading_tensors`."""
    with reading_tensors(path, framework) as file:
        return all_tensors(file)


def all_tensors(file: Any) -> dict[str, Any]:
    """All tensors, by name, of a file that `reading_tensors` opened."""
    return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, though it has keys


@contextmanager
def refusals_as_errors(path: Path, needed: int) -> Iterator[None]:
    """Turn what the library says of a disk that refuses into a StorageError. needed: bytes that are being written."""
    try:
        yield
    except safetensors.SafetensorError as error:
        found = _OS_ERROR.search(str(error))
        if found is None:
            raise
        raise storage_error(OSError(int(found[1]), str(error)), path, needed) from error


@lru_cache(maxsize=4096)
def _verify(path: Path, also: tuple[str, ...], *_stamps: int) -> None:
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise _damaged(path, "its header has no end")
        header = file.read(length)
        try:
            metadata = json.loads(header).get("__metadata__") or {}
            known = set(metadata) <= {CHECKSUM, *also}
        except (ValueError, AttributeError, TypeError, RecursionError) as error:
            raise _damaged(path, "its header cannot be read") from error
        if not known:  # also a checksum whose name was changed: without one the file would pass as an old one
            raise _damaged(path, "its header names what no version of the program writes")
        if CHECKSUM not in metadata:
            return
        place = _place(header)
        if place is None:
            raise _damaged(path, "its checksum is none")
        summed = hashlib.sha256(length.to_bytes(8, "little"))
        summed.update(header[: place[0]] + _EMPTY.encode() + header[place[1] :])
        while chunk := file.read(2**20):
            summed.update(chunk)
    if summed.hexdigest().encode() != header[place[0] : place[1]]:
        raise _damaged(path, "its content does not match its checksum")


def _place(header: bytes) -> tuple[int, int] | None:
    """Where the checksum lies in a header; None if there is not exactly one."""
    found = list(_PLACE.finditer(header))
    return found[0].span(1) if len(found) == 1 else None


def _damaged(path: Path, reason: str) -> DamagedFileError:
    return DamagedFileError(f"{path} is damaged: {reason.splitlines()[0] if reason else 'it cannot be read'}.")
