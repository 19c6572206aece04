"""CIFAR-10 as its authors publish it: five batches and a test batch, pickled by Python 2, or as plain bytes.

A pickle may run any program. These are read by an unpickler that knows nothing but numbers, texts, lists and one kind
of array, which it checks; anything else in the file is refused before it is called.
"""

from __future__ import annotations

import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.errors import DamagedFileError, WorkbenchError
from engine.intake.inventory import Found, Inventory, Item, below, first_line, read_lines

_SIDE = 32
_VALUES = 3 * _SIDE * _SIDE
_BATCH_BYTES = 200_000_000
_TRAINING = tuple(f"data_batch_{i}" for i in range(1, 6))


@dataclass(frozen=True)
class _Batch:
    labels: list[int]
    pixels: NDArray[np.uint8]  # [images, 3072]: red, green and blue planes
    names: list[str]


def cifar_10(found: Found) -> Inventory | None:
    """CIFAR-10, from cifar-10-batches-py or cifar-10-batches-bin, with its official split."""
    for suffix in ("", ".bin"):
        root = below(found.tree, f"test_batch{suffix}")
        if root is not None and f"{root}data_batch_1{suffix}" in found.tree.files:
            return _inventory(found, root, suffix)
    return None


def _inventory(found: Found, root: str, suffix: str) -> Inventory:
    classes = _classes(found, root, suffix)
    items: list[Item] = []
    batches: dict[str, int] = {}
    held: tuple[str, _Batch | None] = ("", None)

    def batch(name: str) -> _Batch:
        nonlocal held
        if held[0] != name:
            held = (name, _read_batch(found, root + name + suffix, bool(suffix), len(classes)))
        assert held[1] is not None
        return held[1]

    for name in (*_TRAINING, "test_batch"):
        if root + name + suffix not in found.tree.files:
            continue
        content = batch(name)
        batches[name] = len(content.labels)
        split = "test" if name == "test_batch" else "train"
        items += [
            Item(f"{name}/{number}-{file}", classes[label], split, place=(name, number))
            for number, (label, file) in enumerate(zip(content.labels, content.names, strict=True))
        ]

    def read(item: Item) -> bytes:
        name, number = item.place
        planes = batch(name).pixels[number].reshape(3, _SIDE, _SIDE)
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0))).save(stream, "PNG", compress_level=3)
        return stream.getvalue()

    missing = [name for name in _TRAINING if name not in batches]
    notes = ["The official split is kept."]
    if missing:
        notes.append(f"Not there: {', '.join(missing)}.")
    return Inventory(
        layout="cifar-10",
        layout_title="CIFAR-10",
        items=items,
        read=read,
        fingerprint=found.tree.fingerprint(),
        classes=classes,
        notes=tuple(notes),
        skipped=tuple(found.tree.skipped),
        collection="cifar10",
        license="not stated by its authors",
        close=found.tree.close,
    )


def _classes(found: Found, root: str, suffix: str) -> tuple[str, ...]:
    if suffix:
        return tuple(line.strip() for line in read_lines(found, root + "batches.meta.txt"))
    meta = _unpickle(found, root + "batches.meta")
    return tuple(_text(name) for name in _value(meta, "label_names", list, root + "batches.meta"))


def _read_batch(found: Found, name: str, plain: bool, classes: int) -> _Batch:
    if plain:
        content = np.frombuffer(found.tree.read(name, _BATCH_BYTES), dtype=np.uint8)
        if len(content) == 0 or len(content) % (_VALUES + 1):
            raise _wrong(name, f"{len(content):,} bytes are no whole number of images")
        rows = content.reshape(-1, _VALUES + 1)
        labels, pixels = rows[:, 0].tolist(), rows[:, 1:]
        names = [str(i) for i in range(len(labels))]
    else:
        value = _unpickle(found, name)
        labels = _value(value, "labels", list, name)
        array = _value(value, "data", _PickledArray, name)
        pixels = array.pixels(name)
        files = value.get("filenames", value.get(b"filenames", [str(i) for i in range(len(labels))]))
        names = [_text(file).replace("/", "_") for file in files] if isinstance(files, list) else []
    if len(labels) != len(pixels) or len(names) != len(labels):
        raise _wrong(name, f"{len(labels)} labels for {len(pixels)} images")
    if not all(isinstance(label, int) and 0 <= label < classes for label in labels):
        raise _wrong(name, f"a label is none of the {classes} classes")
    return _Batch(labels, pixels, names)


def _wrong(name: str, what: str) -> DamagedFileError:
    return DamagedFileError(f"{name} is no batch of CIFAR-10 ({what}): download the data set again.")


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _value(value: Any, key: str, kind: type, name: str) -> Any:
    found = value.get(key, value.get(key.encode())) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise _wrong(name, f"it has no {key}")
    return found


class _PickledArray:
    """Stands for a numpy array while unpickling: it keeps what the pickle says, and trusts nothing of it."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def pixels(self, name: str) -> NDArray[np.uint8]:
        """`[images, 3072]`. Raises DamagedFileError if the pickle holds another kind of array."""
        try:
            _, shape, kind, _, content = self.state
            count, values = shape
        except (TypeError, ValueError):
            raise _wrong(name, "its data is no array") from None
        data = content.encode("latin-1") if isinstance(content, str) else content
        if not isinstance(kind, _PickledKind) or kind.name not in ("u1", "|u1") or not isinstance(data, bytes):
            raise _wrong(name, "its data is no array of bytes")
        if values != _VALUES or not isinstance(count, int) or len(data) != count * values:
            raise _wrong(name, f"its data has the shape {shape}")
        return np.frombuffer(data, dtype=np.uint8).reshape(count, values)


class _PickledKind:
    """Stands for a numpy dtype while unpickling."""

    def __init__(self, name: Any = "", *_: Any) -> None:
        self.name = _text(name)

    def __setstate__(self, state: Any) -> None:
        return


def _encode(text: Any, encoding: Any = "latin-1") -> bytes:
    """What newer pickles write bytes as."""
    return str(text).encode("latin-1") if _text(encoding) in ("latin1", "latin-1") else str(text).encode()


_ARRAY_PARTS = {
    ("numpy.core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy._core.multiarray", "_reconstruct"): _PickledArray,
    ("numpy", "ndarray"): _PickledArray,
    ("numpy", "dtype"): _PickledKind,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    """Knows the parts of a numpy array, and has its own harmless stand-ins for them."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in of a part. Raises UnpicklingError for anything else."""
        if (module, name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which is not allowed")
        return _ARRAY_PARTS[module, name]

    def persistent_load(self, key: Any) -> Any:
        """Raises UnpicklingError: there is nothing outside of the file."""
        raise pickle.UnpicklingError("it refers to something outside of it")


def _unpickle(found: Found, name: str) -> Any:
    content = found.tree.read(name, _BATCH_BYTES)
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except WorkbenchError:
        raise
    except Exception as error:  # a pickle may fail in any way
        raise DamagedFileError(f"{name} is no batch of CIFAR-10 ({first_line(error)}): download it again.") from error
