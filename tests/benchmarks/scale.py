"""`python -m tests.benchmarks.scale [--images N] [--json]`: whether memory grows with a task.

A task of made-up JPEGs at 224 px: imported in place, seen by one small teacher, then two runs of 2,000 images (fewer
with --budget) on the CPU, with the teacher's pseudo-labels and with the consensus. Each stage is a process of its own.
`peak_mb` is the most that the largest of its processes holds at once of memory that belongs to no file (RssAnon and
RssShmem of /proc, looked at every 50 ms), `own_mb` how much of that it did not have when it began; pages of mapped
files can be dropped by the system at any time and do not count. Ends with 1 above 4 GB. Linux alone.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from engine.features import extract
from engine.intake import ImportRequest, import_images
from engine.jobs import load, status, worker
from engine.review import open_task
from engine.runs import plan, start
from engine.runs.execution import execute
from engine.runs.spec import KIND
from engine.teachers import all_teachers
from engine.workspace import Workspace

IMAGES, PIXELS, CLASSES, BUDGET = 50_000, 224, 10, 2_000
STUDENT = {"architecture": "mobilenetv3_small_050", "start": "random", "size": PIXELS, "evaluations": 1}
TEST_SHARE = 0.005  # evaluating is no part of what is asked here
MOST = 4_000  # MB
LOOK = 0.05  # s between looks
NOISE = 0.12  # share of noise in a made-up picture, without which there would be little to decode
SQUARES = 8  # colored squares along a side of a made-up picture: no two look alike


@dataclass(frozen=True)
class Stage:
    """What one stage took. rate: images a second. cpu_seconds: of all its processes."""

    name: str
    images: int
    seconds: float
    rate: float
    cpu_seconds: float
    peak_mb: float
    own_mb: float


def make_images(folder: Path, count: int) -> None:
    """JPEGs of soft squares in random colors under a little noise, in a folder for each class; always the same ones."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (PIXELS, PIXELS, 3), dtype=np.uint8))

    def make(number: int) -> None:
        rng = np.random.default_rng(number)
        colors = Image.fromarray(rng.integers(0, 256, (SQUARES, SQUARES, 3), dtype=np.uint8))
        soft = Image.blend(colors.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC), noise, NOISE)
        stream = io.BytesIO()
        soft.save(stream, "JPEG", quality=75)
        (folder / f"class{number % CLASSES}" / f"{number:06}.jpg").write_bytes(stream.getvalue())

    for label in range(CLASSES):
        (folder / f"class{label}").mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(make, range(count)))


def processes(root: int) -> Iterator[int]:
    """A process and all that come from it."""
    yield root
    try:
        found = [child for path in Path(f"/proc/{root}/task").glob("*/children") for child in path.read_text().split()]
    except OSError:
        return
    for child in found:
        yield from processes(int(child))


def held(pid: int) -> float:
    """MB of a process that belong to no file; 0 if it has gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem"))) / 1000


def watched(name: str, images: int, work: Callable[[], None]) -> Stage:
    """Do something in a process of its own, and see what it takes."""
    began, peak, before = time.perf_counter(), 0.0, held(os.getpid())
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    while not (ended := os.wait4(child, os.WNOHANG))[0]:
        peak = max(peak, *map(held, processes(child)))
        time.sleep(LOOK)
    if ended[1]:
        raise SystemExit(f"{name} failed.")
    seconds, usage = time.perf_counter() - began, ended[2]
    times = [round(value, 1) for value in (seconds, images / seconds, usage.ru_utime + usage.ru_stime)]
    stage = Stage(name, images, *times, round(peak), round(peak - before))
    print(f"{name}: {stage.seconds} s, {stage.peak_mb} MB", file=sys.stderr)
    return stage


def bring(workspace: Workspace, source: Path) -> None:
    """Import the images where they lie."""
    import_images(workspace, ImportRequest(str(source), "Scale", in_place=True, test_share=TEST_SHARE))


def see(workspace: Workspace, teacher: str) -> None:
    """The teacher's features of every training image."""
    task = open_task(workspace, "scale")
    extract(workspace, task, [t for t in all_teachers(workspace) if t.name == teacher], task.train_rows)


def train(workspace: Workspace, teacher: str, method: str, budget: int, batches: dict[str, int]) -> None:
    """One run, as its worker does it."""
    task = open_task(workspace, "scale")
    chosen = {"teachers": [teacher], "images": budget, "device": "cpu", **STUDENT, **batches}
    comparison = start(workspace, plan(workspace, task, [method], [0], **chosen))
    folder = workspace.runs / comparison.runs[0]
    if worker.run(folder, {KIND: execute}):
        raise SystemExit(status(load(folder)).message)


def measured(folder: Path, images: int, budget: int, batches: dict[str, int]) -> list[Stage]:
    """All stages, one after the other, in a folder that is removed afterwards."""
    workspace, source = Workspace(folder / "workspace"), folder / "images"
    workspace.path.mkdir()
    workspace.settings.write_text(json.dumps({"import": {"roots": [str(source)]}}))
    teacher = min((t for t in all_teachers(workspace) if t.has_network), key=lambda record: record.gflops).name
    stages: list[tuple[str, int, Callable[[], None]]] = [
        ("making the images", images, partial(make_images, source, images)),
        ("import in place", images, partial(bring, workspace, source)),
        (f"extraction ({teacher})", images, partial(see, workspace, teacher)),
        ("run, DistillWeighted", budget, partial(train, workspace, teacher, "distill-weighted", budget, batches)),
        ("run, DistillConsensus", budget, partial(train, workspace, teacher, "distill-consensus", budget, batches)),
    ]
    return [watched(*stage) for stage in stages]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a stage of the program held more than `MOST`."""
    parser = argparse.ArgumentParser(description="Whether memory grows with a task.")
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--budget", type=int, default=BUDGET, help="student images with gradient of each run")
    parser.add_argument("--batch", type=int, help="labeled, and other, images of a step (default: the recipe's)")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args(arguments)
    batches = {"labeled_batch": chosen.batch, "unlabeled_batch": chosen.batch} if chosen.batch else {}
    with tempfile.TemporaryDirectory() as folder:
        stages = measured(Path(folder), chosen.images, chosen.budget, batches)
    if chosen.json:
        print(json.dumps({"images": chosen.images, "stages": [asdict(stage) for stage in stages]}, indent=1))
    else:
        print(f"{'':28}{'images':>9}{'seconds':>10}{'a second':>10}{'CPU s':>9}{'peak MB':>9}{'own MB':>9}")
        for one in stages:
            print(f"{one.name:28}{one.images:9,}{one.seconds:10}{one.rate:10}", end="")
            print(f"{one.cpu_seconds:9}{one.peak_mb:9,}{one.own_mb:9,}")
    return int(any(stage.peak_mb > MOST for stage in stages[1:]))


if __name__ == "__main__":
    sys.exit(main())
