"""One pass of teachers over a task's images. Each image is decoded once for all teachers."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from engine.devices import set_up
from engine.errors import InvalidInputError
from engine.features.store import SHARD_IMAGES, FeatureStore
from engine.images.rendering import Pixels
from engine.images.views import boxes
from engine.tasks import Task
from engine.teachers import Network, TeacherRecord, load_teacher
from engine.workspace import Workspace

BATCH_IMAGES = 128  # decoded and run together
LOADING = "Loading the teachers"  # a stage, before the first image
Progress = Callable[[int, int, str], None]  # done, total, what is being done


@dataclass
class _Pending:
    """What one teacher has computed since its last shard was written."""

    network: Network
    store: FeatureStore
    missing: NDArray[np.int64]  # sorted
    rows: list[NDArray[np.int64]] = field(default_factory=list)
    features: list[NDArray[np.float16]] = field(default_factory=list)
    pseudo_labels: list[NDArray[np.float16]] = field(default_factory=list)

    def flush(self, view: int) -> None:
        """Write what is pending as one shard."""
        if self.rows:
            self.store.write(
                np.concatenate(self.rows), view, np.concatenate(self.features), np.concatenate(self.pseudo_labels)
            )
            self.rows, self.features, self.pseudo_labels = [], [], []

    def count(self) -> int:
        """Images that are pending."""
        return sum(len(rows) for rows in self.rows)


def extract(
    workspace: Workspace,
    task: Task,
    teachers: Sequence[TeacherRecord],
    rows: NDArray[np.int64],
    *,
    views: Sequence[int] = (0,),
    device: str = "cpu",
    progress: Progress = lambda done, total, stage: None,
) -> None:
    """Fill the cache with features and pseudo-labels of `rows` under each teacher and view; what is there is kept.

    `progress` is told the teachers loaded and their number, then the (image, teacher, view) triples done, their total,
    and the view; it may raise to stop, and then a later call goes on from the last shard.
    Raises DamagedFileError for damaged images or weights.
    """
    plan = [(view, store, store.missing(rows, view)) for view in views for store in _stores(workspace, task, teachers)]
    total, done = sum(len(missing) for _, _, missing in plan), 0
    if not total:
        return
    place = set_up(device)
    records = {store.teacher.name: store.teacher for _, store, missing in plan if len(missing)}
    networks: dict[str, Network] = {}
    for name, record in records.items():
        progress(len(networks), len(records), LOADING)
        networks[name] = load_teacher(workspace, record, place)
    for view in views:
        pending = [_Pending(networks[s.teacher.name], s, m) for v, s, m in plan if v == view and len(m)]
        if not pending:
            continue
        stage = "Extracting features" + (f" (view {view})" if len(views) > 1 else "")
        done = _run_view(task, view, pending, place, done, partial(_hear, progress, total, stage))


def _hear(progress: Progress, total: int, stage: str, done: int) -> None:
    progress(done, total, stage)


def _run_view(
    task: Task, view: int, pending: Sequence[_Pending], device: torch.device, done: int, hear: Callable[[int], None]
) -> int:
    """Fill what teachers lack of one view; gives the pairs done, of which hear(done) is told, and which may stop it."""
    hear(done)
    union = np.unique(np.concatenate([p.missing for p in pending]))
    try:
        with closing(_batches(task, union, view, pending, lambda _: hear(done))) as batches:
            for rows, pixels in batches:
                for pairs in _run_batch(rows, pixels, view, pending, device):
                    done += pairs
                    hear(done)
    finally:
        for p in pending:
            p.flush(view)
    return done


def _stores(workspace: Workspace, task: Task, teachers: Sequence[TeacherRecord]) -> list[FeatureStore]:
    return [FeatureStore(workspace, task, teacher) for teacher in teachers]


def _batches(
    task: Task, rows: NDArray[np.int64], view: int, pending: Sequence[_Pending], hear: Callable[[int], None]
) -> Generator[tuple[NDArray[np.int64], Pixels]]:
    """The images of `rows` at all sizes that teachers want, made while the batch before is computed."""
    view_boxes = boxes([task.images.image_ids[row] for row in rows], view, flip=task.record.flip)
    sizes = sorted({p.store.teacher.input_size for p in pending})
    made = task.images.rendered(rows, sizes, task.record.resize, view_boxes, batch=BATCH_IMAGES, hear=hear)
    with closing(made):
        for start, pixels in zip(range(0, len(rows), BATCH_IMAGES), made, strict=True):
            yield rows[start : start + BATCH_IMAGES], pixels


def _run_batch(
    rows: NDArray[np.int64], pixels: Pixels, view: int, pending: Sequence[_Pending], device: torch.device
) -> Iterator[int]:
    """Run one batch of images through each teacher that lacks them; gives each one's number of images."""
    at_size = {size: torch.from_numpy(found).permute(0, 3, 1, 2) for size, found in pixels.items()}  # [B, 3, S, S]
    for p in pending:
        lacking = np.isin(rows, p.missing)
        if not lacking.any():
            continue
        with torch.inference_mode():
            images = at_size[p.store.teacher.input_size][torch.from_numpy(lacking)]
            features, logits = p.network(images.to(device))
        halves = features.half()
        if not torch.isfinite(halves).all():
            raise InvalidInputError(
                f"Teacher {p.store.teacher.name!r} gives features that are no number below 65,504: leave it out."
            )
        p.rows.append(rows[lacking])
        p.features.append(halves.cpu().numpy())
        p.pseudo_labels.append(logits.float().softmax(1).half().cpu().numpy())
        if p.count() >= SHARD_IMAGES:
            p.flush(view)
        yield int(lacking.sum())
