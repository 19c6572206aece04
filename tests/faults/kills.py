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

TRIALS, KILLS = 8, 2  # a third death would be the run's last attempt
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 24_000}


def run(home: Path, kills: int, lot: random.Random) -> dict:
    """Do one run in `home`, killing its worker `kills` times; its final weights."""
    os.environ["WORKBENCH_CHECKPOINT_SECONDS"] = "0.3"
    options = {"labels_per_class": 2, "device": "cpu", "teachers": ["cifar10", "mnist"], **STUDENT}
    [spec] = plan(Workspace.from_environment(), open_task(home, "emoji-fluent"), ["distill-weighted"], [0], **options)
    job = jobs.load(home.runs / start(home, [spec]).runs[0])
    queue = QueueThread(home, "cpu", until_empty=True)
    queue.start()
    for attempt in range(1, kills + 1):
        while not ((now := jobs.status(job)).state == "running" and now.attempts == attempt):
            if now.terminal:
                break
            time.sleep(0.01)
        time.sleep(lot.uniform(0, 6))
        now = jobs.status(job)
        if now.state == "running" and now.pid:
            os.kill(now.pid, signal.SIGKILL)
    queue.join()
    ended = jobs.status(job)
    assert ended.state == "done", ended.message
    return {"weights": load_file(job.folder / "student.safetensors"), "attempts": ended.attempts}


def main() -> int:
    """Run the campaign."""
    lot, failures = random.Random(0), 0
    with tempfile.TemporaryDirectory() as folder:
        expected = run(Path(folder) / "unbroken", 0, lot)["weights"]
        for trial in range(TRIALS):
            found = run(Path(folder) / str(trial), KILLS, lot)
            same = all(torch.equal(expected[name], found["weights"][name]) for name in expected)
            failures += not same
            print(json.dumps({"trial": trial, "attempts": found["attempts"], "same_weights": same}), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
