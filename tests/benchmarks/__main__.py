"""`make bench`: ratios measured in one process, printed as JSON. Single times on a shared machine mean little."""

import json
import statistics
import sys
import time
from collections.abc import Callable

import torch

from engine.devices import available, describe
from engine.training import TeacherSignal, TrainData, recipe
from engine.training.loop import _Run
from tests.benchmarks.ranking import few_labels, many_images

ROUNDS = 7
IMAGES, CLASSES = 256, 10


def paired_ratio(first: Callable[[], object], second: Callable[[], object], rounds: int = ROUNDS) -> dict:
    """Median of time(first) / time(second) over rounds that run both in turn, with the range."""
    first(), second()
    ratios = []
    for _ in range(rounds):
        began = time.perf_counter()
        first()
        middle = time.perf_counter()
        second()
        ratios.append((middle - began) / (time.perf_counter() - middle))
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "rounds": rounds}


def step_of(spec, data: TrainData, device: str) -> Callable[[], object]:
    """A function that does one step of training and waits for it."""
    run = _Run(spec, data, 0, torch.device(device))

    def step() -> None:
        run.advance()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def made_up(teachers: int, classes: int) -> TrainData:
    """Images of noise, and `teachers` teachers with `classes` classes each."""
    generator = torch.Generator().manual_seed(0)
    signals = {
        f"t{i}": TeacherSignal(1 / teachers, torch.rand(1, IMAGES, classes, generator=generator).softmax(2).half())
        for i in range(teachers)
    }
    images = torch.randint(256, (IMAGES, 3, 64, 64), generator=generator).to(torch.uint8)
    labels = torch.randint(CLASSES, (IMAGES,), generator=generator)
    return TrainData(images, torch.arange(IMAGES), labels, CLASSES, True, signals)


def distillation_step(device: str) -> dict:
    """A distillation step against a fine-tuning step of as many images."""
    # A hundred steps of warm-up would hide nothing: the schedule does not change what a step costs.
    fine = step_of(recipe("fine-tune", labeled_batch=80), made_up(1, 1), device)
    found = {}
    for teachers, classes in ((1, 1000), (30, 100), (30, 1000)):
        distill = step_of(recipe("distill"), made_up(teachers, classes), device)
        found[f"{teachers} teachers, {teachers * classes} classes"] = paired_ratio(distill, fine)
    return found


def main() -> int:
    """Measure, and print one JSON document."""
    document = {"machine": {d: describe(d) for d in available()}}
    document["distillation step / fine-tuning step"] = {device: distillation_step(device) for device in available()}
    document["ranking"] = {"many images": many_images(2000), "few labels": few_labels(3, 40)}
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
