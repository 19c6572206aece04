"""Reading weights that nobody vouches for: limits first, then parsers that run no code, then the tensors.

A file is told by its content, not by its name. Call this where a crash or a full memory hurts nobody, which is in a
job's own process: the parsers are others' code.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import storage_error

LARGEST_FILE = int(os.environ.get("WORKBENCH_LARGEST_WEIGHTS", str(8 * 2**30)))  # bytes; ours: the largest timm has
LARGEST_HEADER = 16 * 2**20  # bytes of a safetensors header; ours: a hundred times that of a network of 1,000 tensors
MOST_TENSORS = 20_000  # ours: the largest network of timm has about 2,000
SPARE_MEMORY = 4 * 2**30  # bytes beyond four times the file that reading it may take
# Where training programs put a network; averaged weights (EMA) come first, as in timm's own loader.
CONTAINERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model", "net", "network", "weights")
DEEPEST = 8  # mappings inside one another; ours: training programs use three
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")  # what wrappers put before every name
NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def read_weights(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of one network, as published: safetensors, or what torch.save wrote (.pt, .pth, .bin), which may wrap
    them as training programs do. Floats become float32. `name` is what messages call the file.

    Raises DamagedFileError or InvalidInputError with one sentence, whatever the file is; StorageError.
    """
    with _parsed(path, name) as (found, size):
        state = _checked(_unwrapped(found, name), name, size)
        refuse_infinite(state, name)
        return state


def read_tensors(path: Path, name: str) -> dict[str, Tensor]:
    """All tensors of a checkpoint, which may hold several networks and more: the name of a tensor inside of mappings
    is theirs and its own, joined by dots. Values may be infinite. Otherwise, and in what it raises, as `read_weights`.
    """
    with _parsed(path, name) as (found, size):
        tensors: dict[str, Tensor] = {}
        _flatten(found, "", tensors)
        if not tensors:
            raise InvalidInputError(f"{name} holds no tensors with names: save the network's state_dict, and add that.")
        return _checked(tensors, name, size)


@contextmanager
def _parsed(path: Path, name: str) -> Iterator[tuple[Any, int]]:
    """What a file of weights holds, and its size in bytes, in the memory that this may take."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise storage_error(error, path) from error
    if size > LARGEST_FILE:
        raise InvalidInputError(
            f"{name} has {size:,} bytes, more than the {LARGEST_FILE:,} allowed: set WORKBENCH_LARGEST_WEIGHTS to more."
        )
    if size < 16:
        raise DamagedFileError(f"{name} has {size} bytes, so it holds no weights: choose another file.")
    with _memory_for(size, name):
        if start[8:9] == b"{":
            yield _read_safetensors(path, name, size), size
        else:
            if start[:4] == b"PK\x03\x04":
                _check_zip(path, name, size)
            yield _read_torch(path, name), size


def _flatten(found: Any, before: str, into: dict[str, Tensor], depth: int = 0) -> None:
    """Gather the tensors of nested mappings. An optimizer numbers its parameters: names that are no text are none."""
    if not isinstance(found, Mapping) or depth > DEEPEST:
        return
    for key, value in found.items():
        if isinstance(key, str):
            if isinstance(value, Tensor):
                into[before + key] = value
            else:
                _flatten(value, f"{before}{key}.", into, depth + 1)


def refuse_infinite(state: Mapping[str, Tensor], name: str) -> None:
    """Raises InvalidInputError if a number among the weights is infinite or none."""
    for key, value in state.items():
        if value.dtype in NUMBERS and not torch.isfinite(value).all():
            raise InvalidInputError(
                f"The tensor {shortened(key)!r} of {name} holds values that are infinite or no number: its training "
                "went wrong, or the file is damaged."
            )


def _read_safetensors(path: Path, name: str, size: int) -> Mapping[str, Any]:
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > LARGEST_HEADER:
            raise DamagedFileError(
                f"{name} says that its header has {length:,} bytes, more than the {LARGEST_HEADER:,} allowed: it is "
                "damaged, or no safetensors file."
            )
        if length > size - 8:
            raise DamagedFileError(f"{name} is cut off: its header should have {length:,} bytes. Copy the file again.")
        header = file.read(length)
    try:
        entries = json.loads(header)
        tensors = [entry for key, entry in entries.items() if key != "__metadata__"]
    except (ValueError, AttributeError, RecursionError) as error:
        raise DamagedFileError(f"{name} has a damaged safetensors header: copy the file again.") from error
    if len(tensors) > MOST_TENSORS:
        raise InvalidInputError(f"{name} holds {len(tensors):,} tensors, more than the {MOST_TENSORS:,} allowed.")
    try:
        found: Mapping[str, Any] = load_file(path)
    except Exception as error:  # another's parser of an unknown file
        raise DamagedFileError(f"{name} is no whole safetensors file ({_reason(error)}): copy it again.") from error
    return found


def _check_zip(path: Path, name: str, size: int) -> None:
    """Refuse an archive that torch.save would not write, before anything of it is unpacked."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # the last: of a later version
        raise DamagedFileError(f"{name} is a damaged archive ({_reason(error)}): copy the file again.") from error
    if len(entries) > 2 * MOST_TENSORS:
        raise InvalidInputError(f"{name} holds {len(entries):,} entries, more than the {2 * MOST_TENSORS:,} allowed.")
    if not any(entry.filename.endswith("/data.pkl") or entry.filename == "data.pkl" for entry in entries):
        raise InvalidInputError(f"{name} is an archive without weights: choose the .safetensors, .pt or .pth file.")
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or sum(e.file_size for e in entries) > size:
        raise InvalidInputError(
            f"{name} is a compressed archive, which torch.save never writes: save the weights again, best as "
            "safetensors."
        )


def _read_torch(path: Path, name: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # another's parser of an unknown file
        text = str(error)
        if "weights_only" in text or "Weights only" in text or "Unsupported" in text:
            raise InvalidInputError(
                f"{name} holds more than weights ({_culprit(text)}), and reading it could run a program: save the "
                "state_dict alone, best as safetensors, and add that file."
            ) from error
        raise DamagedFileError(
            f"{name} is no readable file of weights ({_reason(error)}): choose a .safetensors, .pt or .pth file."
        ) from error


def _culprit(text: str) -> str:
    """What a pickle asked for that weights do not need, from PyTorch's message."""
    for mark in ("GLOBAL ", "Unsupported class ", "Unsupported operand ", "Trying to ", "Unsupported "):
        if mark in text:
            return mark.strip() + " " + text.split(mark, 1)[1].split(" was not")[0].splitlines()[0][:80].strip()
    return "objects of a program"


def _unwrapped(found: Any, name: str) -> dict[str, Any]:
    """The state dict inside what a training program saved, without the prefix that its wrappers gave every name."""
    for _ in range(3):
        if not isinstance(found, Mapping):
            break
        inner = next((key for key in CONTAINERS if isinstance(found.get(key), Mapping)), None)
        if inner is None:
            break
        found = found[inner]
    if not isinstance(found, Mapping) or not any(isinstance(value, Tensor) for value in found.values()):
        raise InvalidInputError(f"{name} holds no tensors with names: save the network's state_dict, and add that.")
    state = {key: value for key, value in found.items() if isinstance(value, Tensor)}
    if any(not isinstance(key, str) for key in state):
        raise InvalidInputError(f"{name} holds tensors whose names are no text: save the network's state_dict.")
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key[len(prefix) :]: value for key, value in state.items()}
    return state


def _checked(state: Mapping[str, Tensor], name: str, size: int) -> dict[str, Tensor]:
    """Plain tensors that together are about as large as the file."""
    if len(state) > MOST_TENSORS:
        raise InvalidInputError(f"{name} holds {len(state):,} tensors, more than the {MOST_TENSORS:,} allowed.")
    total = 0
    for key, value in state.items():
        shown = shortened(key)
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise InvalidInputError(f"The tensor {shown!r} of {name} is sparse or quantized: save it as plain numbers.")
        if value.dtype not in NUMBERS + COUNTS:
            raise InvalidInputError(
                f"The tensor {shown!r} of {name} has the type {type_name(value)}: save it as float32 or float16."
            )
        amount = value.numel() * value.element_size()
        total += amount
        if amount > value.untyped_storage().nbytes() or total > 4 * size + 2**20:
            raise InvalidInputError(
                f"The tensor {shown!r} of {name} claims more numbers than the file holds: it is damaged, or made to "
                "harm."
            )
    return {key: value.float() if value.dtype in NUMBERS else value for key, value in state.items()}


@contextmanager
def _memory_for(size: int, name: str) -> Iterator[None]:
    """Keep this process from taking much more memory than a file of `size` bytes can need, where the system can."""
    limits = _memory_limits()
    if limits is None:
        yield
        return
    import resource  # not on Windows

    soft, hard, used = limits
    wanted = used + 4 * size + SPARE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    try:
        yield
    except MemoryError as error:
        raise InvalidInputError(
            f"Reading {name} takes far more memory than its {size:,} bytes: it is damaged or made to harm."
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _memory_limits() -> tuple[int, int, int] | None:
    """Soft and hard limit of this process's address space and what it uses, in bytes; None where that is not known."""
    if sys.platform != "linux":
        return None
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return (*resource.getrlimit(resource.RLIMIT_AS), pages * resource.getpagesize())


def _reason(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:160]


def shortened(key: str, most: int = 80) -> str:
    """A tensor's name as a message shows it."""
    return key if len(key) <= most else key[:most] + "…"


def type_name(tensor: Tensor) -> str:
    """A tensor's type of number in a message, such as "float32"."""
    return str(tensor.dtype).removeprefix("torch.")
