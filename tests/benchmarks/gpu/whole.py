"""What a user waits for: extraction, and two commands from the first key to the table."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from tests.benchmarks.extracting import rates

TASK = "quickdraw"
TEACHERS = ("openclipart", "fashion-mnist")  # of 96 and 64 px, whose weights lie in the repository
PATIENCE = 30  # s for a command to end that is told to


def extraction(device: str, images: int, side: int = 500, rounds: int = 3) -> dict[str, float]:
    """Photographs of `side` pixels a second: decoding and rendering alone, the teachers alone, and the real extraction;
    and what this keeps of the two, as the goals of card and CPU have it."""
    found = rates(device, images, side, TEACHERS, rounds)
    (kept,) = (value["median"] for name, value in found.items() if name.startswith("kept"))
    return {name: found[name] for name in ("decode", "forward", "extract")} | {"kept": kept}


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
                try:
                    program.communicate(timeout=PATIENCE)
                except subprocess.TimeoutExpired:  # nothing may go on beside what is measured next
                    program.kill()
                    program.communicate()
        seconds = time.perf_counter() - began
    if program.returncode:
        raise RuntimeError(said.strip().splitlines()[-1] if said.strip() else f"exit status {program.returncode}")
    return seconds, json.loads(out)
