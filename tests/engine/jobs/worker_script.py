"""A worker with small handlers, and a drainer, both run as real processes by the tests of this folder.

`worker_script.py work FOLDER` does one job; `worker_script.py drain WORKSPACE` drains the queue of "cpu", and
`worker_script.py drain-warm WORKSPACE` does so with a worker that waits: `worker_script.py warm CHANNEL`.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from engine import files
from engine.errors import InvalidInputError
from engine.jobs import Job, Reporter, WarmWorker, drain, wait_for_job, worker
from engine.workspace import Workspace

ROOTS = ("jobs", "runs")


def trace(job: Job, what: str) -> None:
    """Append what happened to a file that all jobs of a test share."""
    if "trace" in job.spec:
        with open(job.spec["trace"], "a") as file:
            file.write(f"{what} {job.id} {os.getpid()}\n")


def count(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Count to `steps` with a checkpoint every second step; die at `die_at`, once or always, if asked to."""
    checkpoint = job.folder / "checkpoint.json"
    kept = json.loads(checkpoint.read_text()) if checkpoint.exists() else {"step": 0}
    reporter.replace_events([{"step": step} for step in range(kept["step"])])
    trace(job, "begin")
    for step in range(kept["step"], job.spec["steps"]):
        reporter.check_cancelled()
        time.sleep(job.spec.get("delay", 0.0))
        reporter.event(step=step)
        reporter.progress(step + 1, job.spec["steps"], "steps", "counting")
        died_before = (job.folder / "died").exists()
        if step + 1 == job.spec.get("die_at") and (job.spec.get("always") or not died_before):
            (job.folder / "died").touch()
            (job.folder / ".tmp-left-behind").write_bytes(b"half")
            print("about to die")
            os.kill(os.getpid(), signal.SIGKILL)
        if step % 2:
            files.write_json(checkpoint, {"step": step + 1})
    trace(job, "end")


def mistaken(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Fail as a user's mistake does."""
    raise InvalidInputError("row 17: label 'cat ' is not one of cat, dog; trim the space.")


def buggy(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Fail as a bug does."""
    len(job.spec["number"])


def busy(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Work on and on without a look at the cancel flag; tell when the stack is unwound."""
    try:
        (job.folder / "ready").touch()
        time.sleep(3600)
    finally:
        (job.folder / "unwound").touch()


def stubborn(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Ignore SIGTERM too, in a child process as well."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.fork() == 0:
        (job.folder / "child").write_text(str(os.getpid()))
        time.sleep(3600)
        os._exit(0)
    while not (job.folder / "child").exists():
        time.sleep(0.01)
    (job.folder / "ready").touch()
    time.sleep(3600)


def dies_confused(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """See the cancellation, and die of something else because of it."""
    (job.folder / "ready").touch()
    while not (job.folder / "cancel").exists():
        time.sleep(0.01)
    raise ValueError("lost my way")


def exits(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """End without a word."""
    print("segmentation of something", flush=True)
    os._exit(job.spec["code"])


def lingers(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Leave a thread behind that keeps the process alive."""
    import threading

    threading.Thread(target=time.sleep, args=(3600,)).start()


HANDLERS = {
    "count": count,
    "mistaken": mistaken,
    "buggy": buggy,
    "busy": busy,
    "stubborn": stubborn,
    "dies_confused": dies_confused,
    "exits": exits,
    "lingers": lingers,
}


def command(job: Job) -> list[str]:
    """Command line that does `job`."""
    return [sys.executable, __file__, "work", str(job.folder)]


def warm() -> WarmWorker:
    """A worker that waits for a job."""
    return WarmWorker([sys.executable, __file__, "warm"], lambda: None)


def main(verb: str, folder: Path) -> int:
    """Do one job, or drain a workspace's queue."""
    if verb == "work":
        return worker.run(folder, HANDLERS)
    if verb == "warm":
        handed = wait_for_job(int(folder.name), lambda: None, float(os.environ.get("PATIENCE", "60")))
        return worker.run(handed, HANDLERS) if handed else 0
    waiting = verb == "drain-warm"
    drain(
        Workspace(folder),
        "cpu",
        command,
        until_empty=not waiting,
        warm=warm if waiting else None,
        poll=0.02,
        grace=0.3,
        kill_grace=0.3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
