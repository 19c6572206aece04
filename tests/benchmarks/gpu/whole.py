"""What a user waits for: extraction, and two commands from the first key to the table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

TASK, TEACHERS = "quickdraw", ("quickdraw-300", "emoji-google")  # bundled, and their weights in the repository
PATIENCE = 30  # s for a command to end that is told to


def extraction(device: str, images: int) -> dict[str, float]:
    """(image, teacher) pairs a second: decoding and rendering alone, the teachers alone, and the real extraction."""
    from engine.devices import set_up
    from engine.features import extract
    from engine.features.extraction import BATCH_IMAGES
    from engine.images.views import boxes
    from engine.review import open_task
    from engine.teachers import get_teacher, load_teacher
    from engine.workspace import Workspace

    with tempfile.TemporaryDirectory() as folder:
        workspace, place = Workspace(Path(folder)), set_up(device)
        task, teachers = open_task(workspace, TASK), [get_teacher(workspace, name) for name in TEACHERS]
        rows = task.train_rows[:images]
        sizes = sorted({teacher.input_size for teacher in teachers})
        view = boxes([task.images.image_ids[row] for row in rows], 0, flip=task.record.flip)

        def decode() -> None:
            for _ in task.images.rendered(rows, sizes, task.record.resize, view, batch=BATCH_IMAGES):
                pass

        def forward() -> None:
            for network, teacher in zip(networks, teachers, strict=True):
                shape = (BATCH_IMAGES, 3, teacher.input_size, teacher.input_size)
                pixels = torch.zeros(shape, dtype=torch.uint8)
                with torch.inference_mode():
                    for start in range(0, len(rows), BATCH_IMAGES):
                        network(pixels[: len(rows) - start].to(place))[0].cpu()

        networks = [load_teacher(workspace, teacher, place) for teacher in teachers]
        extract(workspace, task, teachers, task.train_rows[-BATCH_IMAGES:], device=device)  # wakes everything up
        pairs = len(rows) * len(teachers)
        decoding, computing = pairs / _seconds(decode), pairs / _seconds(forward)
        whole = pairs / _seconds(lambda: extract(workspace, task, teachers, rows, device=device))
    return {
        "decode only": decoding,
        "forward only": computing,
        "extraction": whole,
        "of the slower one": whole / min(decoding, computing),
        "of one after the other": whole * (1 / decoding + 1 / computing),
    }


def command(arguments: Sequence[str], device: str) -> tuple[float, dict[str, Any]]:
    """Seconds of `python -m engine ... --json` in a new workspace, and what it printed.

    Raises RuntimeError with what it said if it failed.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        environment = {**os.environ, "WORKBENCH_HOME": folder}
        began = time.perf_counter()
        program = subprocess.Popen(
            [sys.executable, "-m", "engine", *arguments, "--device", device, "--json"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            out, said = program.communicate()
        finally:
            if program.poll() is None:
                program.send_signal(signal.SIGINT)  # it then cancels its runs
                program.wait(PATIENCE)
        seconds = time.perf_counter() - began
    if program.returncode:
        raise RuntimeError(said.strip().splitlines()[-1] if said.strip() else f"exit status {program.returncode}")
    return seconds, json.loads(out)


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began
