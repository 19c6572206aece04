"""One pass of teachers over a task's images. Each image is decoded once for all teachers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from engine.devices import set_up
from engine.errors import InvalidInputError
from engine.features.forward import Computed, Forward, batch_of, pinned
from engine.features.store import SHARD_IMAGES, FeatureStore
from engine.images.rendering import Empty, Pixels
from engine.images.views import boxes
from engine.tasks import Task
from engine.teachers import TeacherRecord, load_teacher
from engine.workspace import Workspace

LOADING = "Loading the teachers"  # a stage, before the first image
SHARE_ROWS = 512  # rows of the image table that one of several extractions takes in turn
Progress = Callable[[int, int, str], None]  # done, total, what is being done


@dataclass(frozen=True)
class ExtractionShare:
    """Part `part` of `of` of a task's images, for as many extractions of the same task side by side, each on a card.

    Images are dealt by blocks of SHARE_ROWS rows, whatever is extracted already: no two shares have an image in common.
    """

    part: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Raises InvalidInputError."""
        if not 0 <= self.part < self.of:
            raise InvalidInputError(f"There is no share {self.part} of {self.of}: they are counted from 0.")

    def rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Those of `rows` that belong to this share."""
        return rows[np.flatnonzero(rows // SHARE_ROWS % self.of == self.part)]


@dataclass
class _Pending:
    """What one teacher has computed since its last shard was written."""

    forward: Forward
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

    def add(self, rows: NDArray[np.int64], computed: Computed) -> None:
        """Keep what was computed of `rows`. Raises InvalidInputError if it is no number."""
        features, pseudo_labels = computed.arrays(self.store.teacher.name)
        self.rows.append(rows)
        self.features.append(features)
        self.pseudo_labels.append(pseudo_labels)

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
    share: ExtractionShare = ExtractionShare(),
    progress: Progress = lambda done, total, stage: None,
) -> None:
    """Fill the cache with features and pseudo-labels of `rows` under each teacher and view; what is there is kept.

    With a `share`, of the part of them that is its own: processes with a card each divide one extraction so, and
    together they fill the cache as one would. `progress` is told the teachers loaded and their number, then the (image,
    teacher, view) triples done, their total, and the view, also while images are decoded; it may raise to stop, and
    then a later call goes on from the last shard. Raises DamagedFileError for damaged images or weights,
    UnavailableError for a device without memory.
    """
    stores = [FeatureStore(workspace, task, teacher) for teacher in teachers]
    plan = [(view, store, store.missing(share.rows(rows), view)) for view in views for store in stores]
    heard = _Heard(progress, sum(len(missing) for _, _, missing in plan))
    if not heard.total:
        return
    place = set_up(device)
    records = {store.teacher.name: store.teacher for _, store, missing in plan if len(missing)}
    forwards: dict[str, Forward] = {}
    for name, record in records.items():
        progress(len(forwards), len(records), LOADING)
        forwards[name] = Forward(load_teacher(workspace, record, place), place, heard.say)
    batch = batch_of(place, max(record.input_size for record in records.values()))
    for view in views:
        pending = [_Pending(forwards[s.teacher.name], s, m) for v, s, m in plan if v == view and len(m)]
        if pending:
            heard.stage = "Extracting features" + (f" (view {view})" if len(views) > 1 else "")
            _run_view(task, view, pending, place, batch, heard)


@dataclass
class _Heard:
    """How far an extraction is, and who hears of it."""

    progress: Progress
    total: int
    done: int = 0
    stage: str = ""
    remark: str = ""

    def __call__(self, pairs: int = 0) -> None:
        """`pairs` more are done; may raise to stop."""
        self.done += pairs
        self.progress(self.done, self.total, f"{self.stage}; {self.remark}" if self.remark else self.stage)

    def say(self, remark: str) -> None:
        """What to know beside it from now on."""
        self.remark = remark
        self()


def _run_view(
    task: Task, view: int, pending: Sequence[_Pending], device: torch.device, batch: int, heard: _Heard
) -> None:
    """Fill what teachers lack of one view: the next batch is made, and the last one fetched, while one is computed."""
    heard()
    on_card = device.type == "cuda"
    behind = len(pending) if on_card else 0  # results that may be on their way: those of one batch
    union = np.unique(np.concatenate([p.missing for p in pending]))
    waiting = deque[tuple[_Pending, NDArray[np.int64], Computed]]()

    def land() -> None:
        p, rows, computed = waiting.popleft()
        p.add(rows, computed)
        if p.count() >= SHARD_IMAGES:
            p.flush(view)
        heard(len(rows))

    try:
        with closing(_batches(task, union, view, pending, batch, heard, pinned if on_card else _plain)) as batches:
            for rows, pixels in batches:
                for one in _run_batch(rows, pixels, pending, device):
                    waiting.append(one)
                    while len(waiting) > behind:
                        land()
        while waiting:
            land()
    finally:
        for p in pending:
            p.flush(view)


def _plain(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.empty(shape, dtype=np.uint8)


def _batches(
    task: Task,
    rows: NDArray[np.int64],
    view: int,
    pending: Sequence[_Pending],
    batch: int,
    heard: Callable[[], None],
    empty: Empty,
) -> Generator[tuple[NDArray[np.int64], Pixels]]:
    """The images of `rows` at all sizes that teachers want, made while the batch before is computed."""
    view_boxes = boxes([task.images.image_ids[row] for row in rows], view, flip=task.record.flip)
    sizes = sorted({p.store.teacher.input_size for p in pending})
    how = {"batch": batch, "hear": lambda _: heard(), "empty": empty}
    with closing(task.images.rendered(rows, sizes, task.record.resize, view_boxes, **how)) as made:
        for start, pixels in zip(range(0, len(rows), batch), made, strict=True):
            yield rows[start : start + batch], pixels


def _run_batch(
    rows: NDArray[np.int64], pixels: Pixels, pending: Sequence[_Pending], device: torch.device
) -> Iterator[tuple[_Pending, NDArray[np.int64], Computed]]:
    """Run one batch of images through each teacher that lacks some of them; gives each one's rows and outputs."""
    memory = {size: torch.from_numpy(found) for size, found in pixels.items()}
    there: dict[int, torch.Tensor] = {}  # [B, 3, S, S], copied once for all teachers of a size
    for p in pending:
        lacking = np.flatnonzero(np.isin(rows, p.missing))
        if not len(lacking):
            continue
        size = p.store.teacher.input_size
        if size not in there:
            there[size] = memory[size].to(device, non_blocking=True).permute(0, 3, 1, 2)
        whole = there[size]
        images = whole if len(lacking) == len(rows) else whole[torch.from_numpy(lacking).to(device)]
        yield p, rows[lacking], p.forward(images, memory[size])
