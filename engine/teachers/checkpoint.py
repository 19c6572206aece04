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
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import storage_error

LARGEST_FILE = int(os.environ.get("WORKBENCH_LARGEST_WEIGHTS", str(8 * 2**30)))  # bytes; ours: the largest timm has
LARGEST_HEADER = 16 * 2**20  # bytes of a safetensors header; ours: a hundred times that of a network of 1,000 tensors
MOST_TENSORS = 20_000  # ours: the largest network of timm has about 2,000
SPARE_MEMORY = 4 * 2**30  # bytes beyond four times the file that reading it may take
CONTAINERS = ("state_dict", "model_state_dict", "model", "state_dict_ema", "model_ema", "net", "network", "weights")
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")  # what wrappers put before every name
NUMBERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COUNTS = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


@dataclass(frozen=True)
class KeyDiff:
    """How the tensors of a file differ from those of an architecture."""

    missing: tuple[str, ...]  # the architecture has them, the file does not
    unexpected: tuple[str, ...]  # the file has them, the architecture does not
    wrong_shape: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]  # name, in the file, in the architecture
    matching: int  # how many fit

    def __bool__(self) -> bool:
        return bool(self.missing or self.unexpected or self.wrong_shape)

    def sentence(self) -> str:
        """The difference in words: counts and the first names of each kind."""
        shapes = [f"{name} is {_shape(found)} instead of {_shape(wanted)}" for name, found, wanted in self.wrong_shape]
        kinds = (("missing", self.missing), ("unexpected", self.unexpected), ("of another shape", shapes))
        parts = [f"{len(names):,} {kind} ({_first(names)})" for kind, names in kinds if names]
        return f"{self.matching:,} tensors fit; {'; '.join(parts)}"

    def rows(self) -> list[dict[str, str]]:
        """The difference as a table: tensor, what is wrong, its shape in the file and in the architecture."""
        found = [
            {"tensor": n, "problem": "another shape", "file": _shape(a), "architecture": _shape(b)}
            for n, a, b in self.wrong_shape
        ]
        for names, problem in ((self.unexpected, "only in the file"), (self.missing, "only in the architecture")):
            found += [{"tensor": n, "problem": problem, "file": "", "architecture": ""} for n in names]
        return found


class MismatchError(InvalidInputError):
    """Weights that do not fit the architecture; `diff` says where."""

    def __init__(self, name: str, architecture: str, diff: KeyDiff) -> None:
        hint = "the architecture, and that there is one class name for each of the network's classes"
        if diff.missing and diff.unexpected and not diff.matching:
            hint = "the architecture: not one name is the same"
        super().__init__(f"{name} does not fit {architecture}: {diff.sentence()}. Check {hint}.")
        self.diff = diff


def read_weights(path: Path, name: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint: safetensors, or what torch.save wrote (.pt, .pth, .bin), which may wrap them as
    training programs do. Floats become float32. `name` is what messages call the file.

    Raises DamagedFileError or InvalidInputError with one sentence, whatever the file is; StorageError.
    """
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
            state = _read_safetensors(path, name, size)
        elif start[:4] == b"PK\x03\x04":
            _check_zip(path, name, size)
            state = _read_torch(path, name)
        else:
            state = _read_torch(path, name)
        return _checked(_unwrapped(state, name), name, size)


def diff(model: nn.Module, state: Mapping[str, Tensor]) -> KeyDiff:
    """How `state` differs from the parameters and buffers of `model`."""
    wanted = model.state_dict()
    shared = [name for name in wanted if name in state]
    wrong = [
        (name, tuple(state[name].shape), tuple(wanted[name].shape))
        for name in shared
        if state[name].shape != wanted[name].shape
    ]
    return KeyDiff(
        missing=tuple(name for name in wanted if name not in state),
        unexpected=tuple(name for name in state if name not in wanted),
        wrong_shape=tuple(wrong),
        matching=len(shared) - len(wrong),
    )


def refuse_whole_numbers(model: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Raises InvalidInputError if a weight of `model` is a whole number in `state`, so that its digits are lost."""
    for key, wanted in model.state_dict().items():
        if wanted.is_floating_point() != state[key].is_floating_point():
            raise InvalidInputError(
                f"The tensor {key!r} of {name} has the type {_type(state[key])} where the architecture has "
                f"{_type(wanted)}: save the weights as float32 or float16."
            )


def as_event(found: KeyDiff, most: int = 200) -> dict[str, Any]:
    """A difference as fields of an event, at most `most` names of each kind."""
    return {name: value[:most] if isinstance(value, tuple) else value for name, value in asdict(found).items()}


def from_event(fields: Mapping[str, Any]) -> KeyDiff:
    """What `as_event` wrote."""
    return KeyDiff(
        missing=tuple(fields["missing"]),
        unexpected=tuple(fields["unexpected"]),
        wrong_shape=tuple((name, tuple(found), tuple(wanted)) for name, found, wanted in fields["wrong_shape"]),
        matching=int(fields["matching"]),
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
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeDecodeError) as error:
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
    """Plain, finite tensors that together are about as large as the file."""
    if len(state) > MOST_TENSORS:
        raise InvalidInputError(f"{name} holds {len(state):,} tensors, more than the {MOST_TENSORS:,} allowed.")
    total = 0
    for key, value in state.items():
        shown = key if len(key) <= 80 else key[:80] + "…"
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise InvalidInputError(f"The tensor {shown!r} of {name} is sparse or quantized: save it as plain numbers.")
        if value.dtype not in NUMBERS + COUNTS:
            raise InvalidInputError(
                f"The tensor {shown!r} of {name} has the type {_type(value)}: save it as float32 or float16."
            )
        amount = value.numel() * value.element_size()
        total += amount
        if amount > value.untyped_storage().nbytes() or total > 4 * size + 2**20:
            raise InvalidInputError(
                f"The tensor {shown!r} of {name} claims more numbers than the file holds: it is damaged, or made to "
                "harm."
            )
        if value.dtype in NUMBERS and not torch.isfinite(value).all():
            raise InvalidInputError(
                f"The tensor {shown!r} of {name} holds values that are infinite or no number: its training went wrong, "
                "or the file is damaged."
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


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shape(shape: tuple[int, ...]) -> str:
    return " × ".join(str(length) for length in shape) or "one number"


def _first(names: Any, most: int = 3) -> str:
    shown = [name if len(name) <= 120 else name[:120] + "…" for name in names[:most]]
    return ", ".join(shown) + (", …" if len(names) > most else "")
