"""A disk that is really full: `python -m tests.faults.small_disk`, as root, who may mount a disk of 3 MB in memory."""

import os
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from engine import files
from engine.jobs import create, space, status, worker
from tests.faults.account import Account

STEPS, BYTES = 6, 200_000


@contextmanager
def small_disk():
    """A folder on a disk of its own."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def fill(path):
    """Take all that is left."""
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def account():
    """Fill the disk under a job, see it wait, make room, and see it end."""
    if os.geteuid() != 0:
        return Account({}, left_out="a disk that is really full: only root may mount a small one")
    done = []
    with small_disk() as disk:
        job, filler = create(disk / "jobs", "one", kind="writing", spec={}, device="cpu"), disk / "filler"
        space.LEAST = 4 * BYTES

        def writing(_, job, report):
            checkpoint = job.folder / "checkpoint.json"
            begin = files.read_json(checkpoint)["step"] if checkpoint.exists() else 0
            for step in range(begin, STEPS):
                done.append(step)
                if done == [0, 1, 2, 3]:
                    fill(filler)
                report.progress(step, STEPS, "steps", "Writing")
                files.write_bytes(job.folder / f"part-{step}", os.urandom(BYTES))
                files.write_json(checkpoint, {"step": step + 1})

        thread = threading.Thread(target=worker.run, args=(job.folder, {"writing": writing}), daemon=True)
        thread.start()
        until = time.monotonic() + 60
        while not status(job).paused and time.monotonic() < until:
            time.sleep(0.1)
        said = status(job).stage
        filler.unlink(missing_ok=True)
        thread.join(60)
        ended, parts = status(job).state, len(list(job.folder.glob("part-*")))
    right = (said[:12], ended, done, parts) == ("Waiting for ", "done", [0, 1, 2, 3, 3, 4, 5], STEPS)
    figures = {"while the disk is full": said, "with room again": f"{ended}, steps {done}, {parts} files"}
    return Account(figures, () if right else ("a job on a full disk did not wait, or did not go on where it was",))


if __name__ == "__main__":
    print(*account().lines(), sep="\n")
