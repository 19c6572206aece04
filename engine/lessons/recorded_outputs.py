"""The material that comes with the program: what the teachers say of a few images of one bundled task, so that lessons
need not wait for an extraction.

It is small, and so not all that a network says: some of the dimensions of the features in eight bits, and the likeliest
of a teacher's classes, with what is left over spread evenly over its others. A teacher whose weights have changed since
is left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.features import FeatureStore
from engine.installation import bundled
from engine.lessons.images_of_lesson import LessonMaterial, material_of
from engine.review import open_task
from engine.runs import candidates
from engine.tasks import Draw, Task
from engine.tensors import read_tensors, write_tensors
from engine.workspace import Workspace

ASSETS = bundled("lessons")
TASK = "emoji-fluent"  # the smallest bundled task: no other has so much to say of so few images
IMAGES_A_CLASS = 13  # five of them with the labels of draw 0
DIMENSIONS = 320  # of each teacher's features, evenly from all
LIKELIEST = 8  # classes of a teacher whose probabilities are kept
STEPS = 255  # of eight bits, between the least and the largest value of a dimension


def recorded_material(workspace: Workspace, source: Path = ASSETS) -> LessonMaterial | None:
    """The lessons' own material; None where it does not come with the program. Raises DamagedFileError,
    StorageError.
    """
    path = source / f"{TASK}.safetensors"
    if not path.exists():
        return None
    arrays, task, draw = read_tensors(path, "numpy"), open_task(workspace, TASK), Draw()
    rows = arrays["rows"]
    known = {c.teacher.name: c for c in candidates(workspace, task) if c.allowed}
    features, pseudo_labels = {}, {}
    for name, candidate in known.items():
        about = f"{name}/{candidate.teacher.key}"
        if f"{about}/features" in arrays:
            features[name] = arrays[f"{about}/features"] * arrays[f"{about}/step"] + arrays[f"{about}/least"]
            pseudo_labels[name] = _whole(
                arrays[f"{about}/classes"], arrays[f"{about}/probabilities"], len(candidate.teacher.classes)
            )
    return material_of(
        task,
        draw,
        rows,
        task.labeled_rows(draw),
        [known[name].teacher for name in features],
        features,
        pseudo_labels,
        recorded=True,
    )


def record_material(workspace: Workspace, out: Path = ASSETS) -> Path:
    """Write that file from the features in a workspace, in which those of its images must be. Raises as `read`."""
    task = open_task(workspace, TASK)
    rows = recorded_rows(task)
    arrays: dict[str, npt.NDArray[np.generic]] = {"rows": rows}
    for candidate in candidates(workspace, task):
        teacher = candidate.teacher
        if not candidate.allowed or teacher.origin != "bundled":
            continue
        outputs = FeatureStore(workspace, task, teacher).read(rows)
        width = outputs.features.shape[1]
        kept = outputs.features[:, np.linspace(0, width - 1, min(width, DIMENSIONS)).round().astype(int)]
        least = kept.min(axis=0)
        step = np.maximum((kept.max(axis=0) - least) / STEPS, np.finfo(np.float32).tiny).astype(np.float32)
        order = np.argsort(-outputs.pseudo_labels, axis=1, kind="stable")[:, :LIKELIEST]
        arrays |= {
            f"{teacher.name}/{teacher.key}/features": np.rint((kept - least) / step).astype(np.uint8),
            f"{teacher.name}/{teacher.key}/least": least.astype(np.float32),
            f"{teacher.name}/{teacher.key}/step": step,
            f"{teacher.name}/{teacher.key}/classes": order.astype(np.int16),
            f"{teacher.name}/{teacher.key}/probabilities": np.take_along_axis(
                outputs.pseudo_labels, order, axis=1
            ).astype(np.float16),
        }
    path = out / f"{TASK}.safetensors"
    write_tensors(path, arrays)
    return path


def recorded_rows(task: Task) -> npt.NDArray[np.int64]:
    """The images of the file: as many of each class, those of the usual draw among them."""
    return task.labeled_rows(Draw(IMAGES_A_CLASS))


def _whole(
    classes: npt.NDArray[np.int16], probabilities: npt.NDArray[np.float16], number: int
) -> npt.NDArray[np.float32]:
    """Pseudo-labels `[N, Z]` from the likeliest classes `[N, k]`; what they leave is spread over the others."""
    kept = probabilities.astype(np.float32)
    left = np.maximum(1 - kept.sum(axis=1, keepdims=True), 0)
    found = np.repeat(left / max(1, number - kept.shape[1]), number, axis=1)
    np.put_along_axis(found, classes.astype(np.int64), kept, axis=1)
    return np.asarray(found / found.sum(axis=1, keepdims=True), dtype=np.float32)
