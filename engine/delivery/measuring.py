"""What a format of a student costs on this machine: its size, and how long one picture takes."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.delivery.format import Classify

WARM_UP, FEWEST, MOST = 3, 10, 100  # single pictures; ours
ENOUGH_SECONDS = 0.5  # of measuring; ours: less waits for other work to pass


def milliseconds(classify: Classify, picture: NDArray[np.uint8]) -> float:
    """Milliseconds that one picture `[1, S, S, 3]` takes: the quickest of several, one after the other, as whatever
    else the machine does only adds to it.
    """
    for _ in range(WARM_UP):
        classify(picture)
    taken: list[float] = []
    while len(taken) < FEWEST or (len(taken) < MOST and sum(taken) < ENOUGH_SECONDS):
        began = time.perf_counter()
        classify(picture)
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
