"""`fitting_worker.py FOLDER` does a job that trains a little: softmax regression by SGD in numpy, with checkpoints.

It loads in a moment, and its weights show the last bit of whatever was done differently.
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from engine.files import write_bytes
from engine.jobs import Job, Reporter, worker
from engine.workspace import Workspace

STEPS = 40


def fit(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """`STEPS` steps; at step `die_at` the first attempt is killed."""
    draw = np.random.default_rng(job.spec["seed"])
    images, labels = draw.normal(size=(64, 12)), draw.integers(0, 3, 64)
    kept = job.folder / "checkpoint.npy"
    weights, first = np.zeros((12, 3)), 0
    if kept.exists():
        saved = np.frombuffer(kept.read_bytes())
        weights, first = saved[1:].reshape(12, 3).copy(), int(saved[0])
    for step in range(first, STEPS):
        reporter.check_cancelled()
        reporter.progress(step, STEPS, "steps", "Fitting")
        scores = images @ weights
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        weights -= 0.1 / len(images) * images.T @ (shares - np.eye(3)[labels])
        write_bytes(kept, np.concatenate([[step + 1], weights.ravel()]).tobytes())
        time.sleep(job.spec.get("delay", 0.0))
        if step + 1 == job.spec.get("die_at") and first == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    write_bytes(job.folder / "weights.npy", weights.tobytes())


def command(job: Job) -> list[str]:
    """Command line that does `job`."""
    return [sys.executable, __file__, str(job.folder)]


if __name__ == "__main__":
    sys.exit(worker.run(Path(sys.argv[1]), {"fit": fit}))
