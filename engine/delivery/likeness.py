"""Whether an image looks like those that a student was trained on: by its distance to the nearest of them in the
student's own features.

The measure is the distance that training images have to the nearest other one (k nearest neighbors with k = 1 as by
Sun et al., "Out-of-distribution detection with deep nearest neighbors", ICML 2022, on features of unit length). It is
found out once a run, on a sample of the training images, and kept beside the student.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from engine.delivery.ready import ReadyStudent
from engine.errors import DamagedFileError, UnknownNameError
from engine.records import Share
from engine.review import open_task
from engine.tasks import Task
from engine.tensors import all_tensors, reading_tensors, write_tensors
from engine.workspace import Workspace

FILE = "likeness.safetensors"
SAMPLE = 2000  # ours: training images; their distances to each other take a quarter of a second
HELD_OUT = 500  # ours: held-out images that say how often images of the task are marked
QUANTILE = 0.95  # ours: of the training images' own distances; one in twenty of them would be marked
COMPARING = "Looking at the training images"
_BATCH = 64
_SEED = 0x11CE
Progress = Callable[[int, int, str], None]


class _About(msgspec.Struct, frozen=True):
    """What the file says beside its features."""

    beyond: float
    held_out: Share | None
    quantile: float


@dataclass(frozen=True)
class Likeness:
    """Training images as a student sees them, and how far from them an image may be."""

    references: NDArray[np.float32]  # [m, D], of unit length
    beyond: float  # the cosine distance above which an image is unlike them, 0 to 2
    held_out: float | None = None  # share of the task's held-out images that is; None without any

    def distances(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """The cosine distance of each image to the nearest training image, `[n]`, 0 to 2."""
        return np.asarray(1 - (_unit(features) @ self.references.T).max(axis=1))

    def unlike(self, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which images are farther from all training images than these are from each other, `[n]`."""
        return np.asarray(self.distances(features) > self.beyond)


def measured(training: NDArray[np.float32], held_out: NDArray[np.float32] | None = None) -> Likeness | None:
    """The likeness of features `[m, D]` of training images; None of fewer than two. held_out: `[h, D]`, if any."""
    if len(training) < 2:
        return None
    references = _unit(training)
    cosines = references @ references.T
    np.fill_diagonal(cosines, -np.inf)  # an image is no neighbor of its own
    beyond = float(np.quantile(1 - cosines.max(axis=1), QUANTILE))
    found = Likeness(references, beyond)
    if held_out is None or not len(held_out):
        return found
    return Likeness(references, beyond, float(found.unlike(held_out).mean()))


def _unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, 1e-12), dtype=np.float32)


def likeness_of(workspace: Workspace, student: ReadyStudent, progress: Progress) -> Likeness | None:
    """The likeness of a finished run, as kept, or measured now; None where its task is gone.

    Raises DamagedFileError if an image of the task cannot be read, StorageError.
    """
    if (kept := kept_likeness(student.folder)) is not None:
        return kept
    try:
        task = open_task(workspace, student.record.task)
    except UnknownNameError:
        return None
    random = np.random.default_rng(_SEED)
    training, held_out = _some(random, task.train_rows, SAMPLE), _some(random, task.test_rows, HELD_OUT)
    features = _features(task, student, np.concatenate([training, held_out]), progress)
    found = measured(features[: len(training)], features[len(training) :])
    if found is not None:
        about = msgspec.json.encode(_About(found.beyond, found.held_out, QUANTILE)).decode()
        write_tensors(student.folder / FILE, {"references": found.references}, {"about": about})
    return found


def kept_likeness(folder: Path) -> Likeness | None:
    """The likeness that was measured for the run in `folder`; None where none was, by this quantile, or it is damaged:
    it is kept to save time alone.
    """
    try:
        with reading_tensors(folder / FILE, "numpy", also=("about",)) as file:
            about = msgspec.json.decode(file.metadata()["about"], type=_About)
            references = all_tensors(file)["references"]
    except (FileNotFoundError, DamagedFileError, KeyError, ValueError):
        return None
    return Likeness(references, about.beyond, about.held_out) if about.quantile == QUANTILE else None


def _some(random: np.random.Generator, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    return np.sort(random.permutation(rows)[:most])


def _features(task: Task, student: ReadyStudent, rows: NDArray[np.int64], progress: Progress) -> NDArray[np.float32]:
    """What a student sees in images of its task, `[rows, D]`."""
    size, resize, _ = student.looks_like
    found: list[NDArray[np.float32]] = []
    done = 0
    progress(done, len(rows), COMPARING)
    for part in task.images.rendered(rows, [size], resize, batch=_BATCH):
        features, _ = student.answer(torch.from_numpy(part[size]).permute(0, 3, 1, 2))
        found.append(features.numpy())
        done += len(features)
        progress(done, len(rows), COMPARING)
    return np.concatenate(found) if found else np.empty((0, 1), np.float32)
