"""`make faults`: kill a run outright at random moments, let it resume, and compare its weights with an unbroken run's.

Prints one JSON line per trial and exits with 1 if any trial differs.
"""

import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

from engine import jobs
from engine.review import open_task
from engine.runs import QueueThread, plan, start
from engine.workspace import Workspace
from tests.benchmarks.start import wait_until_warm

TRIALS, KILLS = 8, 2  # a third death would be the run's last attempt
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 24_000}


def run(workspace: Workspace, kills: int, chance: random.Random, waits: bool = False) -> dict:
    """Do one run, killing its worker `kills` times; its final weights. waits: its first worker waited for it."""
    os.environ["WORKBENCH_CHECKPOINT_SECONDS"] = "0.3"
    options = {"labels_per_class": 2, "device": "cpu", "teachers": ["cifar10", "mnist"], **STUDENT}
    task = open_task(workspace, "emoji-fluent")
    [spec] = plan(workspace, task, ["distill-weighted"], [0], **options)
    queue = QueueThread(workspace, "cpu", warm=waits)
    queue.start()
    if waits:
        wait_until_warm("cpu")
    job = jobs.load(workspace.runs / start(workspace, [spec]).runs[0])
    for attempt in range(1, kills + 1):
        while not ((now := jobs.status(job)).state == "running" and now.attempts == attempt):
            if now.terminal:
                break
            time.sleep(0.01)
        time.sleep(chance.uniform(0, 6))
        now = jobs.status(job)
        if now.state == "running" and now.pid:
            os.kill(now.pid, signal.SIGKILL)
    ended = jobs.wait([job])[job]
    queue.stop()
    queue.join()
    assert ended.state == "done", ended.message
    return {"weights": load_file(job.folder / "student.safetensors"), "attempts": ended.attempts}


def main() -> int:
    """Run the campaign; every other run is begun by a worker that waited for it."""
    chance, failures = random.Random(0), 0
    with tempfile.TemporaryDirectory() as folder:
        expected = run(Workspace(Path(folder) / "unbroken"), 0, chance)["weights"]
        for trial in range(TRIALS):
            waits = trial % 2 == 0
            found = run(Workspace(Path(folder) / str(trial)), KILLS, chance, waits)
            same = all(torch.equal(expected[name], found["weights"][name]) for name in expected)
            failures += not same
            told = {"trial": trial, "attempts": found["attempts"], "waited": waits, "same_weights": same}
            print(json.dumps(told), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
