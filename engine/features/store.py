"""Features and pseudo-labels in shards: features/<task>/<teacher>-<key>/view-<k>/<shard>.safetensors.

Of a teacher whose network is not here they lie with its record, in teachers/<teacher>/outputs/, and are no cache: they
describe the whole images, so they serve for every view, and what is damaged there cannot be made again.

A shard holds `rows [n]` of the task's image table, `features [n, D]` and `pseudo_labels [n, Z]` in half precision
(about three significant digits; every consumer computes in float32 or float64). Labels are never in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float16
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import storage_error
from engine.tasks import Task
from engine.teachers import TeacherRecord
from engine.tensors import read_tensors, reading_tensors, write_tensors
from engine.workspace import Workspace

SHARD_IMAGES = 4096
OUTPUTS = "outputs"  # folder of a teacher whose network is not here


@dataclass(frozen=True)
class Outputs:
    """What one teacher says of some images, in the order that was asked for."""

    features: NDArray[np.float32]  # [images, D]
    pseudo_labels: NDArray[np.float32]  # [images, Z], rows sum to 1; Z = 0 for a teacher without classes


class MappedPseudoLabels:
    """What one teacher says of N images in K views, `[K, N, Z]` in half precision, read from its shards when asked."""

    def __init__(self, shards: Sequence[Float16[Tensor, "rows Z"]], where: NDArray[np.int32]) -> None:
        self._shards, self._where = shards, where

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def shape(self) -> torch.Size:
        """Views, images, classes."""
        return torch.Size((*self._where.shape[1:], self._shards[0].shape[1]))

    @property
    def dtype(self) -> torch.dtype:
        """Half precision."""
        return torch.float16

    @property
    def nbytes(self) -> int:
        """Bytes that all of it takes."""
        return 2 * self.shape.numel()

    def __getitem__(self, index: slice | Tensor | tuple[Tensor, ...], /) -> Float16[Tensor, "... Z"]:
        """Rows that sum to 1, at these views or at these (views, places)."""
        parts = index if isinstance(index, tuple) else (index,)
        chosen = [part if isinstance(part, slice) else part.numpy() for part in parts]
        shard, place = self._where[(slice(None), *chosen)]
        numbers = np.unique(shard)
        found = np.empty((*shard.shape, self.shape[2]), dtype=np.float16)
        for number in numbers:
            hits = shard == number
            found[hits] = self._shards[number].numpy().take(place[hits], axis=0)
        return _summing_to_one(found)


def _summing_to_one(halves: NDArray[np.float16]) -> Float16[Tensor, "... Z"]:
    """Half precision leaves sums a little off 1."""
    values = halves.astype(np.float32)
    return torch.from_numpy(values / values.sum(axis=-1, keepdims=True)).half()


class FeatureStore:
    """The cached outputs of one teacher for one task."""

    def __init__(self, workspace: Workspace, task: Task, teacher: TeacherRecord) -> None:
        self.teacher = teacher
        if not teacher.has_network:
            self.folder = workspace.teachers / teacher.name / OUTPUTS
            return
        # The geometry of the task is a part of the transform; its images are not, because the table only grows.
        geometry = task.record.resize + ("-flip" if task.record.flip else "")
        self.folder = workspace.features / task.name / f"{teacher.name}-{teacher.key}-{geometry}"

    def missing(self, rows: NDArray[np.int64], view: int) -> NDArray[np.int64]:
        """Those of `rows` that are not in the cache, sorted."""
        held = [shard_rows for _, shard_rows in self._shards(view)]
        return np.setdiff1d(rows, np.concatenate(held) if held else np.empty(0, dtype=np.int64))

    def read(self, rows: NDArray[np.int64], view: int = 0) -> Outputs:
        """Outputs for `rows`, in their order. Raises InvalidInputError if some were never extracted."""
        features, pseudo_labels = self._gather(rows, view, "features"), self._gather(rows, view, "pseudo_labels")
        # Half precision leaves sums a little off 1.
        return Outputs(features, pseudo_labels / pseudo_labels.sum(axis=1, keepdims=True))

    def read_features(self, rows: NDArray[np.int64], view: int = 0) -> NDArray[np.float32]:
        """Features alone, `[rows, D]`. Raises as `read`."""
        return self._gather(rows, view, "features")

    def map_pseudo_labels(self, rows: NDArray[np.int64], views: Sequence[int]) -> MappedPseudoLabels:
        """Pseudo-labels of `rows` in several views `[views, rows, Z]`, which stay on disk until they are asked for.

        Raises as `read`.
        """
        located = [self._located(rows, view) for view in views]
        paths = list(dict.fromkeys(path for shards in located for path, *_ in shards))
        number = {path: i for i, path in enumerate(paths)}
        where = np.empty((2, len(views), len(rows)), dtype=np.int32)  # of each: the shard, and the place in it
        for i, shards in enumerate(located):
            for path, positions, places in shards:
                where[0, i, positions], where[1, i, positions] = number[path], places
        return MappedPseudoLabels([_mapped(path) for path in paths], where)

    def write(
        self, rows: NDArray[np.int64], view: int, features: NDArray[np.float16], pseudo_labels: NDArray[np.float16]
    ) -> None:
        """Add one shard, atomically. Writing the same rows again is harmless."""
        name = hashlib.sha256(rows.tobytes()).hexdigest()[:16]
        arrays: dict[str, NDArray[Any]] = {"rows": rows, "features": features, "pseudo_labels": pseudo_labels}
        write_tensors(self._view(view) / f"{name}.safetensors", arrays)

    def _view(self, view: int) -> Path:
        return self.folder / f"view-{view if self.teacher.has_network else 0}"

    def _gather(self, rows: NDArray[np.int64], view: int, name: str) -> NDArray[np.float32]:
        out: NDArray[np.float32] | None = None
        for path, positions, places in self._located(rows, view):
            with reading_tensors(path, "numpy") as shard:
                values = shard.get_tensor(name)
            if out is None:
                out = np.zeros((len(rows), values.shape[1]), dtype=np.float32)
            out[positions] = values[places]
        assert out is not None
        return out

    def _located(self, rows: NDArray[np.int64], view: int) -> list[tuple[Path, NDArray[np.int64], NDArray[np.int64]]]:
        """By shard: which of `rows` it holds, as positions among them, and where in it. Raises as `read`."""
        located = []
        found = np.zeros(len(rows), dtype=bool)
        order = np.argsort(rows, kind="stable")
        for path, shard_rows in self._shards(view):
            place = np.searchsorted(shard_rows, rows[order])
            place[place == len(shard_rows)] = 0
            hits = shard_rows[place] == rows[order]
            if hits.any():
                located.append((path, order[hits], place[hits]))
                found[order[hits]] = True
        if not located or not found.all():
            raise InvalidInputError(
                f"{int((~found).sum())} of {len(rows)} images have no features of teacher {self.teacher.name!r} yet "
                f"(view {view}): extract them first."
            )
        return located

    def _shards(self, view: int) -> list[tuple[Path, NDArray[np.int64]]]:
        """Every whole shard and the rows it holds, sorted. A damaged shard is removed: it can be made again."""
        shards: list[tuple[Path, NDArray[np.int64]]] = []
        widths: set[tuple[int, int]] = set()
        for path in sorted(self._view(view).glob("[0-9a-f]*.safetensors")):
            try:
                rows, width = _rows(path)
                if widths and width not in widths:
                    raise DamagedFileError(f"{path} is damaged: it is not as wide as the others.")
            except FileNotFoundError:  # another process found it damaged
                continue
            except DamagedFileError as error:
                if not self.teacher.has_network:
                    raise DamagedFileError(
                        f"{error} With it is lost what the teacher {self.teacher.name!r} says of images: remove this "
                        "teacher, and add it again from its file."
                    ) from error
                path.unlink(missing_ok=True)
                continue
            widths.add(width)
            shards.append((path, rows))
        return shards


def _rows(path: Path) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """The rows that a shard holds, sorted, and the widths of its arrays; looked up once as long as it does not change.

    Raises FileNotFoundError, DamagedFileError, StorageError.
    """
    try:
        stamps = path.stat()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise storage_error(error, path) from error
    return _looked_up(path, stamps.st_ino, stamps.st_mtime_ns, stamps.st_size)


def _mapped(path: Path) -> Float16[Tensor, "rows Z"]:
    """The pseudo-labels of a shard; the library maps them, and they outlive the file's name. Raises as `_rows`."""
    with reading_tensors(path, "pt") as shard:
        found: Tensor = shard.get_tensor("pseudo_labels")
    return found


@lru_cache(maxsize=2048)
def _looked_up(path: Path, *_stamps: int) -> tuple[NDArray[np.int64], tuple[int, int]]:
    arrays = read_tensors(path, "numpy")
    if set(arrays) != {"rows", "features", "pseudo_labels"}:
        raise DamagedFileError(f"{path} is damaged: it holds other arrays than features.")
    rows, outputs = arrays["rows"], (arrays["features"], arrays["pseudo_labels"])
    sorted_rows = rows.ndim == 1 and rows.dtype == np.int64 and bool((np.diff(rows, prepend=-1) > 0).all())
    if not sorted_rows or not all(a.dtype == np.float16 and a.ndim == 2 and len(a) == len(rows) for a in outputs):
        raise DamagedFileError(f"{path} is damaged: its arrays do not fit together.")
    if not all(np.isfinite(a).all() for a in outputs):  # a file of version 0.1 has no checksum that would tell
        raise DamagedFileError(f"{path} is damaged: it holds what is no number.")
    rows.flags.writeable = False
    return rows, (outputs[0].shape[1], outputs[1].shape[1])
