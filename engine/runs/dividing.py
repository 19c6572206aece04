"""Runs that start at once on several cards or nodes need the same teachers' outputs: they divide the extraction.

There is nobody who deals out the work. A run takes the shares that no other has taken, its own first, and then waits
for those that others took; what one of these did not finish, it finishes itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.devices import place_among_workers
from engine.features import ExtractionShare, extract
from engine.jobs import FileLock, Reporter
from engine.runs.extraction_job import progress_to
from engine.tasks import Task
from engine.teachers import TeacherRecord
from engine.workspace import Workspace

LOOK_AGAIN = 0.5  # s until a share that another run works on is looked at again
WAITING = "Waiting for features that a run beside it extracts"  # a stage


def extract_beside(
    workspace: Workspace,
    task: Task,
    teachers: Sequence[TeacherRecord],
    rows: NDArray[np.int64],
    *,
    views: Sequence[int],
    device: str,
    report: Reporter,
) -> None:
    """As `extract`, beside runs on other cards or nodes that need the same; alone it is that very call."""
    first, of = place_among_workers()

    def extract_share(part: int) -> None:
        share, progress = ExtractionShare(part, of), progress_to(report)
        extract(workspace, task, teachers, rows, views=views, device=device, share=share, progress=progress)

    if of == 1:
        extract_share(0)
        return
    others = []
    for part in ((first + i) % of for i in range(of)):
        lock = FileLock(workspace, f"features {part} of {of} {task.name}")
        if lock.acquire():
            with lock:
                extract_share(part)
        else:
            others.append((part, lock))
    for part, lock in others:
        while not lock.acquire():
            report.check_cancelled()
            report.progress(0, None, "", WAITING)
            time.sleep(LOOK_AGAIN)
        with lock:
            extract_share(part)
