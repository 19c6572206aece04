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
from pathlib import Path

import torch

from engine.devices import available, describe, set_up
from engine.features import extract
from engine.features.forward import CPU_BATCH
from engine.methods import get_method
from engine.review import open_task
from engine.teachers import get_teacher, load_teacher
from engine.training import Objective, TrainData, TrainSpec, augment
from engine.training.loop import _Run
from engine.training.student_network import build_student
from engine.training.throughput import made_up
from engine.workspace import Workspace
from tests.benchmarks.material import Teachers
from tests.benchmarks.ranking import few_labels, many_images

ROUNDS = 7
FINE_TUNING = {"labeled_batch": 80}  # as many images a step as the others take


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


def step_of(method: str, material: Teachers, device: str, **changes: object) -> Callable[[], object]:
    """A function that does one step of training and waits for it."""
    recipe = get_method(method).recipe(changes)
    objective: Objective = recipe.settings.prepare(material)
    run = _Run(recipe.train, objective, made_up(recipe.train), 0, set_up(device))

    def step() -> None:
        run.advance()
        if device == "cuda":
            torch.cuda.synchronize()

    return step


def distillation_step(device: str) -> dict:
    """A distillation step against a fine-tuning step of as many images."""
    # A hundred steps of warm-up would hide nothing: the schedule does not change what a step costs.
    fine = step_of("fine-tune", Teachers(), device, **FINE_TUNING)
    found = {}
    for teachers, classes in ((1, 1000), (30, 100), (30, 1000)):
        material = Teachers(names=tuple(f"t{i}" for i in range(teachers)), number=classes)
        distill = step_of("distill-equal", material, device)
        found[f"{teachers} teachers, {teachers * classes} classes"] = paired_ratio(distill, fine, device=device)
    consensus = step_of("distill-consensus", Teachers(), device)
    found["consensus"] = paired_ratio(consensus, fine, device=device)
    fixmatch = step_of("fixmatch", Teachers(), device)
    found["FixMatch, for comparison"] = paired_ratio(fixmatch, fine, device=device)
    return found


def bare_step(spec: TrainSpec, data: TrainData, device: str) -> Callable[[], object]:
    """Forward, backward and update of the same student on one batch that lies on the device, and nothing else."""
    student = build_student(spec, data.classes, {}, 0, data.start).to(set_up(device)).train()
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
    spec = get_method("fine-tune").recipe(FINE_TUNING).train
    bare, crop = bare_step(spec, made_up(spec), device), augment.crop
    whole = step_of("fine-tune", Teachers(), device, **FINE_TUNING)

    def without_augmentation() -> None:
        augment.crop = lambda pixels, boxes: pixels.float()
        try:
            whole()
        finally:
            augment.crop = crop

    return {
        "with augmentation": paired_ratio(bare, whole, device=device),
        "without augmentation": paired_ratio(bare, without_augmentation, device=device),
    }


def extraction(device: str) -> dict:
    """How much of a bare forward pass's speed feature extraction keeps, decoding, resizing and writing included."""
    images = 640
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        teacher = get_teacher(workspace, "imagenet-lite0")
        network = load_teacher(workspace, teacher, set_up(device))
        task = open_task(workspace, "emoji-fluent")
        rows = task.train_rows[:images]
        pixels = torch.randint(256, (CPU_BATCH, 3, teacher.input_size, teacher.input_size)).to(torch.uint8)

        def bare() -> None:
            with torch.inference_mode():
                for start in range(0, len(rows), CPU_BATCH):
                    network(pixels[: len(rows) - start].to(device))[0].cpu()

        def whole() -> None:
            shutil.rmtree(workspace.features, ignore_errors=True)
            extract(workspace, task, [teacher], rows, device=device)

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
