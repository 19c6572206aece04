"""Jobs that take all memory: of their process, and, as root, of a control group, whose kernel then ends them.

`hunger.py drain WORKSPACE` drains the lane "cpu" of a workspace, `hunger.py eat FOLDER` does one job.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine import jobs
from engine.jobs import Job, Reporter, worker
from engine.workspace import Workspace
from tests.faults.account import Account

ROOT = Path(__file__).resolve().parents[2]
GROUPS = (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"), (Path("/sys/fs/cgroup"), "memory.max")
LIMIT = 200_000_000  # bytes, several times what a drainer and a worker of these jobs take
BITE = 20_000_000  # bytes
SAYS = "did not suffice"


def eat(workspace: Workspace, job: Job, reporter: Reporter) -> None:
    """Take more and more memory. spec: `limited` says whether the process is limited itself, not its group."""
    if job.spec["limited"]:
        resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    eaten = []
    for number in range(100):
        eaten.append(os.urandom(BITE))
        reporter.progress(number, None, "bites", "Eating")


def command(job: Job) -> list[str]:
    """The command line of a worker."""
    return [sys.executable, "-P", "-m", "tests.faults.hunger", "eat", str(job.folder)]


def account() -> Account:
    """What users read of both."""
    with tempfile.TemporaryDirectory() as folder:
        home = Workspace(Path(folder))
        said = {"of its process": _eaten(home, "own", True, None)}
        with group() as place:
            if place is not None:
                said["of the kernel"] = _eaten(home, "system", False, place)
    wrong = tuple(f"out of memory {how}: {words}" for how, words in said.items() if SAYS not in words)
    left_out = None if place is not None else "the kernel's own end of a worker: no control group can be made here"
    return Account({f"out of memory {how}": words for how, words in said.items()}, wrong, left_out)


def _eaten(home: Workspace, name: str, limited: bool, place: Path | None) -> str:
    job = jobs.create(home.jobs, name, kind="eat", spec={"limited": limited}, device="cpu")
    start = [sys.executable, "-P", "-m", "tests.faults.hunger", "drain", str(home.path), str(place or "")]
    subprocess.run(start, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False, timeout=120)
    return str(jobs.status(job).message)


@contextmanager
def group() -> Iterator[Path | None]:
    """A control group with little memory; None where none can be made."""
    for root, limit in GROUPS:
        place = root / f"distill-faults-{os.getpid()}"
        try:
            place.mkdir()
        except OSError:
            continue
        try:
            if (place / limit).exists():
                (place / limit).write_text(str(LIMIT))
                yield place
                return
        finally:
            place.rmdir()
    yield None


if __name__ == "__main__":
    verb, where = sys.argv[1], Path(sys.argv[2])
    if verb == "eat":
        sys.exit(worker.run(where, {"eat": eat}))
    if sys.argv[3]:
        Path(sys.argv[3], "cgroup.procs").write_text(str(os.getpid()))
    jobs.drain(Workspace(where), "cpu", command, until_empty=True)
