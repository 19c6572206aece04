"""What hostile cases of weights, tables and repositories are made of."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import timm
import torch
from safetensors.torch import save

from engine.features import add_outputs
from engine.tasks import Task
from engine.teachers import TeacherDescription, TeacherRecord, add_checkpoint
from engine.workspace import Workspace

ARCHITECTURE = "test_resnet"  # timm's own for tests: 0.4 M parameters
CLASSES = ("round", "square", "other")
SIZE = 32


@dataclass(frozen=True)
class Case:
    """One hostile input. `add` tries to add it, in an empty folder of its own, to the workspace."""

    mechanism: str
    name: str
    add: Callable[[Path, Task], TeacherRecord]


@cache
def good_state() -> dict[str, torch.Tensor]:
    """Weights that fit."""
    torch.manual_seed(0)
    return dict(timm.create_model(ARCHITECTURE, num_classes=len(CLASSES)).state_dict())


@cache
def good_bytes() -> bytes:
    """The same as a safetensors file."""
    return save(good_state())


def checkpoint(
    content: bytes | None, folder: Path, task: Task, *, file_name: str = "weights.bin", **changes: Any
) -> TeacherRecord:
    """Add a file of weights."""
    path = folder / "upload"
    path.write_bytes(good_bytes() if content is None else content)
    words = {key: changes.pop(key) for key in ("title", "name", "collection", "license") if key in changes}
    about = TeacherDescription(**{"title": "A hostile teacher", "collection": "nowhere", **words})
    options = {"architecture": ARCHITECTURE, "classes": CLASSES, "size": SIZE, "mean": (0.5,) * 3, "std": (0.5,) * 3}
    return add_checkpoint(task.workspace, path, file_name, about, **{**options, **changes})


def state(change: Callable[[dict[str, torch.Tensor]], Any], folder: Path, task: Task) -> TeacherRecord:
    """Add changed weights, as safetensors."""
    changed = {name: value.clone() for name, value in good_state().items()}
    change(changed)
    return checkpoint(save(changed), folder, task)


def saved(value: Callable[[], Any], folder: Path, task: Task, **options: Any) -> TeacherRecord:
    """Add what torch.save makes of a value."""
    buffer = io.BytesIO()
    torch.save(value(), buffer, **options)
    return checkpoint(buffer.getvalue(), folder, task)


def table(columns: Callable[[Task], dict[str, Any]], folder: Path, task: Task, **options: Any) -> TeacherRecord:
    """Add a table of what a network says."""
    path = folder / "table.parquet"
    pq.write_table(pa.table(columns(task)), path)
    return outputs(path, folder, task, **options)


def outputs(path: Path, folder: Path, task: Task, **options: Any) -> TeacherRecord:
    """Add a Parquet file."""
    about = TeacherDescription(title="A hostile table", collection="nowhere")
    return add_outputs(Workspace(task.folder.parents[1]), task, path, "table.parquet", about, **options)


def good_columns(task: Task) -> dict[str, Any]:
    """A table that is all right."""
    random = np.random.default_rng(0)
    count = len(task.images)
    return {
        "image_id": list(task.images.image_ids),
        "features": list(random.normal(size=(count, 8)).astype(np.float32)),
        "pseudo_labels": list(random.dirichlet(np.ones(3), count).astype(np.float32)),
    }


def changed_columns(change: Callable[[dict[str, Any]], Any], task: Task) -> dict[str, Any]:
    """The good table after a change."""
    columns = good_columns(task)
    change(columns)
    return columns


def fuzzed(content: bytes, seed: int, start: int, stop: int | None, count: int = 3) -> bytes:
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for place in random.integers(start, len(content) if stop is None else stop, count):
        changed[place] = int(random.integers(256))
    return bytes(changed)
