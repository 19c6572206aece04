"""`python -m tests.benchmarks.public --timm CHECKOUT --fixmatch CHECKOUT`: our training beside public code.

CHECKOUT is a folder with huggingface/pytorch-image-models, of which `train.py` is run as it is, or with
kekmodel/FixMatch-pytorch, whose `train.train` is called (tests/benchmarks/public_fixmatch.py says how). Either may be
left out. Prints one JSON document: student images with gradient per second of processor time, ours and theirs, and the
ratio ours / theirs, with the range over the rounds.

All train timm's tf_efficientnet_lite0 at 64 pixels from random weights on the images of the bundled QuickDraw, on the
CPU with one thread and channels last, with SGD and an average of the weights. Beside timm: 80 labeled images a step,
all of them labeled, crop and flip. Beside FixMatch: 32 labeled images, of 5 a class, and 64 others a step, in their
weak and strong views. Counted are labeled images and strong views; the weak ones, of which no gradient is used, are
not.

What counts is the processor time of a process with all its children. A run of a few steps is subtracted from one of
more steps, so that start, first reading of the images, evaluation and the last checkpoint cancel: each is once in both.
What stays in is whatever a step costs: drawing, decoding, augmenting, the update, the average, progress, logging, and
for ours, which is the worker process of a run, the checkpoints that come by the clock and the look for a cancel. timm
decodes an image each time that it is drawn; ours and FixMatch hold the pixels in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from engine.review import open_task
from engine.runs import plan, start
from engine.tasks import Task
from engine.workspace import Workspace
from tests.benchmarks.public_fixmatch import ARCHITECTURE, LABELED, LABELS_PER_CLASS, OTHERS, SIZE, TASK

STEPS = (4, 20)  # of the run that is subtracted, and of the one it is subtracted from
ROUNDS = 3
BATCH = 80  # labeled images in a step beside timm
ROOT = Path(__file__).resolve().parents[2]

Run = Callable[[int, int], object]  # of so many steps, in a round


def processor_seconds(work: Callable[[], object]) -> float:
    """Processor time of the processes that `work` starts and waits for, and of theirs, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def images_per_second(run: Run, images_per_step: int, number: int) -> float:
    """Images per second of processor time in round `number`, without what a run costs that has no steps."""
    few, many = STEPS
    seconds = processor_seconds(lambda: run(many, number)) - processor_seconds(lambda: run(few, number))
    return (many - few) * images_per_step / seconds


def beside(ours: Run, theirs: Sequence[tuple[str, Run]], images_per_step: int, rounds: int) -> dict:
    """Both in turn, round by round; the ratio is that of the same round."""
    speeds: dict[str, list[float]] = {"ours": [], **{name: [] for name, _ in theirs}}
    for number in range(rounds):
        for name, run in [("ours", ours), *theirs]:
            speeds[name].append(images_per_second(run, images_per_step, number))
            print(f"round {number}, {name}: {speeds[name][-1]:.0f} images/s", file=sys.stderr, flush=True)
    ratios = {name: [a / b for a, b in zip(speeds["ours"], speeds[name], strict=True)] for name, _ in theirs}
    return {
        "images per second of processor time": {name: summary(values) for name, values in speeds.items()},
        "ours / theirs": {name: summary(values) for name, values in ratios.items()},
    }


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": statistics.median(values), "low": min(values), "high": max(values), "rounds": len(values)}


def started(command: Sequence[object], folder: Path, workspace: Workspace) -> None:
    """Run a command with one thread, and wait for it. Raises RuntimeError with the end of what it printed."""
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {
        **os.environ,
        **one,
        "WORKBENCH_HOME": str(workspace.path),
        "PYTHONPATH": path,
        "CUDA_VISIBLE_DEVICES": "",
    }
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{(done.stdout + done.stderr)[-3000:]}")


WORKER = """
import sys
from pathlib import Path
from engine.handlers import HANDLERS
from engine.jobs import worker
sys.exit(worker.run(Path(sys.argv[1]), HANDLERS))
"""


def ours(
    task: Task, workspace: Workspace, method: str, images_per_step: int, labels_per_class: int, **batches: int
) -> Run:
    """A run as a worker process does it, with one evaluation at its end."""

    def run(steps: int, number: int) -> None:
        [spec] = plan(
            workspace,
            task,
            [method],
            [number],
            labels_per_class=labels_per_class,
            device="cpu",
            architecture=ARCHITECTURE,
            size=SIZE,
            start="random",
            images=steps * images_per_step,
            evaluations=1,
            **batches,
        )
        [run_id] = start(workspace, [replace(spec, threads=1)]).runs
        started([sys.executable, "-c", WORKER, workspace.runs / run_id], ROOT, workspace)

    return run


def timm(checkout: Path, folder: Path, workspace: Workspace) -> Run:
    """timm's train.py: one epoch over a folder with as many images as the steps take, one validation after it."""
    options = ["--model", ARCHITECTURE, "--input-size", 3, SIZE, SIZE, "--batch-size", BATCH]
    options += ["--validation-batch-size", 256, "--device", "cpu", "--workers", 0, "--epochs", 1, "--warmup-epochs", 0]
    options += ["--opt", "sgd", "--lr", 0.02, "--weight-decay", 5e-4, "--model-ema", "--color-jitter", 0]
    options += ["--scale", 0.5, 1, "--train-interpolation", "bicubic", "--checkpoint-hist", 1, "--channels-last"]

    def run(steps: int, number: int) -> None:
        data = folder / str(steps)
        options_here = ["--data-dir", data, "--num-classes", len(list((data / "train").iterdir())), "--seed", number]
        with tempfile.TemporaryDirectory() as output:
            command = [sys.executable, "train.py", *options_here, *options, "--output", output]
            started(command, checkout, workspace)

    return run


def fixmatch(checkout: Path, workspace: Workspace) -> Run:
    """kekmodel's FixMatch: one epoch of as many steps, one test after it."""
    script = Path(__file__).with_name("public_fixmatch.py")
    return lambda steps, number: started([sys.executable, script, steps, number, workspace.path], checkout, workspace)


def write_folders(task: Task, folder: Path) -> None:
    """For each number of steps train/class/image with as many images as these take, over and over, and validation."""
    for split, rows in (("train", task.train_rows), ("validation", task.test_rows)):
        mixed = [int(row) for row in rows[:: 1 if split == "train" else 5]]
        for row, image in zip(mixed, task.images.decoded(mixed), strict=True):
            path = folder / split / f"{task.labels[row]:02}" / f"{row}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    for steps in STEPS:
        needed = steps * BATCH
        for i in range(needed):
            row = int(task.train_rows[i * 37 % len(task.train_rows)])  # 37 apart, so that every class has some
            source = folder / "train" / f"{task.labels[row]:02}" / f"{row}.png"
            link = folder / str(steps) / "train" / source.parent.name / f"{i}.png"
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
        (folder / str(steps) / "validation").symlink_to(folder / "validation")


def main(arguments: Sequence[str]) -> int:
    """Measure what was asked for, and print one JSON document."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.public", description="Our training beside public code."
    )
    parser.add_argument("--timm", type=Path, help="a checkout of huggingface/pytorch-image-models")
    parser.add_argument("--fixmatch", type=Path, help="a checkout of kekmodel/FixMatch-pytorch")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args(arguments)
    found = {}
    with tempfile.TemporaryDirectory() as made:
        folder, workspace = Path(made) / "images", Workspace(Path(made) / "workspace")
        task = open_task(workspace, TASK)
        if options.timm:
            write_folders(task, folder)
            checkout = options.timm.resolve()
            theirs = [("train.py", timm(checkout, folder, workspace))]
            all_labels = int(task.available_labels().max())
            mine = ours(task, workspace, "fine-tune", BATCH, all_labels, labeled_batch=BATCH)
            found["fine-tuning beside timm"] = beside(mine, theirs, BATCH, options.rounds)
        if options.fixmatch:
            batches = {"labeled_batch": LABELED, "unlabeled_batch": OTHERS}
            mine = ours(task, workspace, "fixmatch", LABELED + OTHERS, LABELS_PER_CLASS, **batches)
            theirs = [("FixMatch-pytorch", fixmatch(options.fixmatch.resolve(), workspace))]
            found["FixMatch beside FixMatch-pytorch"] = beside(mine, theirs, LABELED + OTHERS, options.rounds)
    json.dump(found, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
