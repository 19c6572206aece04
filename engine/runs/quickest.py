"""Precision "auto": how a student is computed the quickest on this card, by two seconds of measurement.

What was found holds for a student at a size on a card, whichever method trains it, so that the runs of a comparison
compute alike. A run that is resumed goes on as it began.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine.devices import describe, kind
from engine.errors import WorkbenchError
from engine.files import canonical_hash
from engine.jobs import FileLock, Job, Reporter
from engine.methods import REFERENCE
from engine.methods.made_up import MadeUp
from engine.records import read_record, write_record
from engine.training import Arithmetic, TrainSpec, choose, plain
from engine.training.arithmetic import QUICK
from engine.training.throughput import images_per_second
from engine.workspace import Workspace

SECONDS_EACH = 0.5  # of measuring one of four ways
ARITHMETIC = "arithmetic.json"  # in a run's folder: how it began
LOOK_AGAIN = 0.2  # s until another run's measurement of the same is looked for again
_FILE = ("how a student is computed the quickest here", "remove it")


def arithmetic_of_run(workspace: Workspace, job: Job, train: TrainSpec, device: str, report: Reporter) -> Arithmetic:
    """How a run computes: as its spec says, else as it began, else the quickest. Raises StorageError."""
    if not _is_open(train, device):
        return plain(train)
    path = job.folder / ARITHMETIC
    try:
        return read_record(path, Arithmetic, *_FILE)
    except WorkbenchError:  # it begins now, or what it began with is lost: then the same is found, unless that was too
        found = quickest(workspace, train, device, report.check_cancelled)
        write_record(path, found)
        return found


def quickest(workspace: Workspace, train: TrainSpec, device: str, check: Callable[[], None]) -> Arithmetic:
    """What was found for such a student on such a card, measured if it was not yet; as `plain` where there is nothing
    to choose. check: called often, and may raise to stop. Raises StorageError.
    """
    if not _is_open(train, device):
        return plain(train)
    path = _path(workspace, train, device)
    lock = FileLock(workspace, path.stem)
    while not lock.acquire():  # a run on another card of the kind measures the same: both shall compute alike
        check()
        time.sleep(LOOK_AGAIN)
    with lock:
        try:
            return read_record(path, Arithmetic, *_FILE)
        except WorkbenchError:
            found = _measured(train, device, check)
            write_record(path, found)
            return found


def _is_open(train: TrainSpec, device: str) -> bool:
    """Whether there is something to choose: the spec leaves it open, and the device is a card."""
    return train.precision == "auto" and kind(device) == "cuda"


def _measured(train: TrainSpec, device: str, check: Callable[[], None]) -> Arithmetic:
    usual = TrainSpec.labeled_batch + TrainSpec.unlabeled_batch  # images in a step of most methods
    recipe = REFERENCE.recipe({"architecture": train.architecture, "size": train.size, "labeled_batch": usual})
    objective = recipe.settings.prepare(MadeUp(None))
    rates = {
        way: images_per_second(recipe.train, objective, device, seconds=SECONDS_EACH, check=check, arithmetic=way)
        for way in QUICK
    }
    return choose(rates)


def _path(workspace: Workspace, train: TrainSpec, device: str) -> Path:
    shape = [train.architecture, train.size, describe(device)]
    return workspace.speeds / f"arithmetic-{canonical_hash(shape, 10)}.json"
