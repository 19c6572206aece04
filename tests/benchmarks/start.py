"""`python -m tests.benchmarks.start [--json]`: what a job takes to begin, in a new process and in one that waits.

One real run, map, ranking and import of small size, each queued as the app does it, on the CPU. For each kind, until
its own handler has counted the first unit (an image read, a teacher loaded): `first_progress_seconds` since it was
queued, `cpu_seconds` of its process and its children since then, and `peak_mb`, the most memory its process had until
then, what it shares with others included. `first step` is the same of a run until its first step of training; `own_mb`
is what no other process shares then. Times are those of the machine as busy as it is: its load is printed.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from engine import jobs, maps, runs
from engine.intake import ImportRequest, request_import
from engine.jobs import IMPORT, INTERACTIVE, Job, Status
from engine.jobs.worker import BEGINNING, LOADING
from engine.review import open_task
from engine.runs import QueueThread, RunSpec, plan
from engine.runs.extraction_job import request_extraction
from engine.tasks import Draw
from engine.workspace import Workspace

TASK, TEACHER, DEVICE = "emoji-fluent", "mnist", "cpu"
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": 32, "images": 2_000}
IMPORTED = 60  # images
LOOK = 0.005  # s between looks
STILL = 1.5  # s without work after which a process that waits has loaded what it needs
LONGEST = 120.0  # s until such a process must be there
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Used:
    """What a process and those that it waited for have used: seconds of a processor, and MB at the most."""

    cpu: float
    peak: float


def used(pid: int) -> Used | None:
    """What a process has used so far; None if it has gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        peak = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None
    return Used(sum(map(int, fields[11:15])) / TICKS, int(peak.split()[1]) / 1024)


def waiting_for(lane: str) -> int | None:
    """The child of this process that waits for a job of a lane, if there is one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            parent = (folder / "stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid() and words[4:6] == [b"warm", lane.encode()]:
            return int(folder.name)
    return None


def wait_until_warm(lane: str) -> Used:
    """Wait until a process waits for a job of a lane and has loaded what it needs; what that took."""
    last, began = None, time.monotonic()
    since = began
    while last is None or time.monotonic() - since < STILL:
        pid = waiting_for(lane)
        now = used(pid) if pid else None
        if now is None or last is None or now.cpu > last.cpu:
            last, since = now, time.monotonic()
        if time.monotonic() - began > LONGEST:
            raise SystemExit(f"No process came to wait for a job of the lane {lane}.")
        time.sleep(0.05)
    return last


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still run: in such ones an import reads a user's bytes."""
    found = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for some in found for child in some]


def own_memory(pid: int) -> float:
    """MB of a process that no other one shares."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


def has_begun(now: Status, training: bool) -> bool:
    """Whether a job has counted something in its own work; training: in its steps."""
    own = now.stage.startswith("Training") if training else now.stage not in (LOADING, BEGINNING)
    return bool(now.done) and own


def watch(ask: Callable[[], Job], lane: str, warm: bool, training: bool = False) -> dict:
    """Queue a job, and see what it takes until it has begun; then it is cancelled."""
    before = wait_until_warm(lane) if warm else Used(0.0, 0.0)
    queued = time.monotonic()
    job, found = ask(), Used(0.0, 0.0)
    while not (now := jobs.status(job)).terminal:
        found = (used(now.pid) if now.pid else None) or found
        if has_begun(now, training):
            break
        time.sleep(LOOK)
    seconds = time.monotonic() - queued
    if not now.done:
        raise SystemExit(f"{job.id} is {now.state}: {now.message or 'it counted nothing'}")
    assert now.pid
    own, beside = own_memory(now.pid), [used(child) for child in children(now.pid)]
    jobs.request_cancel(job)
    jobs.wait([job])
    print(f"{job.kind}, {'warm' if warm else 'cold'}: began after {seconds:.2f} s", file=sys.stderr)
    return {
        "first_progress_seconds": round(seconds, 2),
        "cpu_seconds": round(found.cpu - before.cpu + sum(one.cpu for one in beside if one), 2),
        "peak_mb": round(found.peak),
        "own_mb": round(own),
    }


def measured(workspace: Workspace, warm: bool) -> dict[str, dict]:
    """One job of each kind in a workspace of its own."""
    source = workspace.path.parent / "images"
    for number, pixels in enumerate(np.random.default_rng(0).integers(0, 256, (IMPORTED, 64, 64, 3), dtype=np.uint8)):
        path = source / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)
    workspace.path.mkdir(exist_ok=True)
    workspace.settings.write_text(json.dumps({"import": {"roots": [str(source)]}}))
    task = open_task(workspace, TASK)
    first, second = plan(workspace, task, ["fine-tune"], [0, 1], labels_per_class=2, device=DEVICE, **STUDENT)

    def run(spec: RunSpec) -> Job:
        return jobs.load(workspace.runs / runs.start(workspace, [spec]).runs[0])

    kinds: dict[str, tuple[str, Callable[[], Job]]] = {
        "run": (DEVICE, lambda: run(first)),
        "first step": (DEVICE, lambda: run(second)),
        "ranking": (
            INTERACTIVE,
            lambda: request_extraction(workspace, task, Draw(2, 0), device=DEVICE),
        ),
        "map": (INTERACTIVE, lambda: maps.request_map(workspace, task, TEACHER, DEVICE)),
        "import": (IMPORT, lambda: request_import(workspace, ImportRequest(str(source), "Noise"))),
    }
    queue = QueueThread(workspace, DEVICE, warm=warm)
    queue.start()
    try:
        return {kind: watch(ask, lane, warm, kind == "first step") for kind, (lane, ask) in kinds.items()}
    finally:
        queue.stop()
        queue.join()


def main(as_json: bool) -> int:
    """Measure in new processes, then in processes that wait, and print it."""
    found: dict[str, dict] = {"machine": {"cpus": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}}
    for name, warm in (("cold", False), ("warm", True)):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = measured(Workspace(Path(folder) / "workspace"), warm)
    if as_json:
        print(json.dumps(found, indent=2))
        return 0
    print(f"{'':6}{'kind':12}{'first progress':>16}{'CPU':>10}{'peak':>10}{'own':>10}")
    for name in ("cold", "warm"):
        for kind, one in found[name].items():
            print(
                f"{name:6}{kind:12}{one['first_progress_seconds']:14.2f} s{one['cpu_seconds']:8.2f} s"
                f"{one['peak_mb']:7d} MB{one['own_mb']:7d} MB"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv[1:]))
