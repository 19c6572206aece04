"""A worker that is killed outright in the middle of its first attempt, some steps after its only checkpoint.

`python dying_worker.py FOLDER` does a run as `python -m engine job FOLDER` does; a new one takes it up and ends it.
"""

import os
import signal
import sys
from pathlib import Path

from engine.jobs import worker
from engine.runs import execution
from engine.runs.execution import execute
from engine.runs.spec import KIND


class Dying(execution._Watched):
    """Writes one checkpoint, works on for a while, and dies."""

    def on_step(self, step: int, steps: int, images: int) -> None:
        super().on_step(step, steps, images)
        if step >= steps // 2 and self.job.folder.joinpath(execution.CHECKPOINT).exists():
            os.kill(os.getpid(), signal.SIGKILL)

    def on_checkpoint(self, checkpoint: execution.Checkpoint) -> None:
        if not self.job.folder.joinpath(execution.CHECKPOINT).exists():
            super().on_checkpoint(checkpoint)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    if not (folder / execution.CHECKPOINT).exists():
        execution._Watched = Dying
    sys.exit(worker.run(folder, {KIND: execute}))
