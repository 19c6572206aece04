"""`make bench`: ratios measured in one process, printed as JSON. Single times on a shared machine mean little.

On a CPU the clock is the processor time of this process, which other programs move less than the wall; on a GPU it is
the wall, after the device has finished. `make bench ONLY=loop` measures one part.
"""

import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from engine.devices import available, describe, set_up
from engine.features import extract
from engine.features.extraction import BATCH_IMAGES
from engine.review import open_task
from engine.teachers import get_teacher, load_teacher
from engine.training import TeacherSignal, TrainData, augment, build_student, recipe
from engine.training.loop import _Run
from tests.benchmarks.ranking import few_labels, many_images

ROUNDS = 7
IMAGES, CLASSES = 256, 10


def paired_ratio(
    first: Callable[[], object], second: Callable[[], object], rounds: int = ROUNDS, device: str = "cpu"
) -> dict:
    """Median of time(first) / time(second) over rounds that run both in turn, with the range."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    first(), second()
    ratios = []
    for _ in range(rounds):
        began = clock()
        first()
        middle = clock()
        second()
        ratios.append((middle - began) / (clock() - middle))
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios), "rounds": rounds}


def step_of(spec, data: TrainData, device: str) -> Callable[[], object]:
    """A function that does one step of training and waits for it."""
    run = _Run(spec, data, 0, set_up(device))

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
        found[f"{teachers} teachers, {teachers * classes} classes"] = paired_ratio(distill, fine, device=device)
    consensus = step_of(recipe("consensus"), replace(made_up(1, 1), consensus=torch.rand(IMAGES, CLASSES)), device)
    found["consensus"] = paired_ratio(consensus, fine, device=device)
    fixmatch = step_of(recipe("fixmatch"), made_up(1, 1), device)
    found["FixMatch, for comparison"] = paired_ratio(fixmatch, fine, device=device)
    return found


def bare_step(spec, data: TrainData, device: str) -> Callable[[], object]:
    """Forward, backward and update of the same student on one batch that lies on the device, and nothing else."""
    student = build_student(spec, CLASSES, {}, 0).to(set_up(device)).train()
    optimizer = torch.optim.SGD(student.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)
    images = data.images[: spec.labeled_batch].float().to(device)
    labels = data.labels[: spec.labeled_batch].to(device)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(student.network(images)[1], labels).backward()
        optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def loop(device: str) -> dict:
    """How much of a bare loop's speed ours keeps: 1 is all of it. A fine-tuning step of 80 images."""
    spec, data = recipe("fine-tune", labeled_batch=80), made_up(1, 1)
    bare, whole, weak = bare_step(spec, data, device), step_of(spec, data, device), augment.weak

    def without_augmentation() -> None:
        augment.weak = lambda pixels, generator, *, flip: pixels.float()
        try:
            whole()
        finally:
            augment.weak = weak

    return {
        "with augmentation": paired_ratio(bare, whole, device=device),
        "without augmentation": paired_ratio(bare, without_augmentation, device=device),
    }


def extraction(device: str) -> dict:
    """How much of a bare forward pass's speed feature extraction keeps, decoding, resizing and writing included."""
    images, teacher = 640, get_teacher("imagenet-lite0")
    network = load_teacher(teacher, set_up(device))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        task = open_task("emoji-fluent", home)
        rows = task.train_rows[:images]
        pixels = torch.randint(256, (BATCH_IMAGES, 3, teacher.input_size, teacher.input_size)).to(torch.uint8)

        def bare() -> None:
            with torch.inference_mode():
                for start in range(0, len(rows), BATCH_IMAGES):
                    network(pixels[: len(rows) - start].to(device))[0].cpu()

        def whole() -> None:
            shutil.rmtree(home / "features", ignore_errors=True)
            extract(home, task, [teacher], rows, device=device)

        return {f"{len(rows)} images, {teacher.name}": paired_ratio(bare, whole, 3, device)}


PARTS: dict[str, tuple[str, Callable[[], object]]] = {
    "steps": ("step / fine-tuning step of as many images", lambda: {d: distillation_step(d) for d in available()}),
    "loop": ("bare loop / our loop, time", lambda: {d: loop(d) for d in available()}),
    "extraction": ("bare forward pass / extraction, time", lambda: {d: extraction(d) for d in available()}),
    "ranking": ("ranking", lambda: {"many images": many_images(2000), "few labels": few_labels(3, 40)}),
}


def main(chosen: Sequence[str]) -> int:
    """Measure, and print one JSON document."""
    document: dict[str, object] = {"machine": {d: describe(d) for d in available()}}
    for name in chosen or PARTS:
        title, measure = PARTS[name]
        document[title] = measure()
    json.dump(document, sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
