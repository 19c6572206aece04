"""`python -m tests.benchmarks.extracting [cuda|cpu]`: extraction beside its two halves, in one process.

"decode" makes the pixels of all images at the sizes that teachers want and does nothing with them; "forward" runs the
teachers on one batch of pixels again and again, as extraction runs them; "extract" is the whole, into an empty cache.
The three take turns, so that other programs slow all of them alike; on a CPU the clock is the processor time of this
process, as in `make bench`. The images are JPEGs of made-up photographs.
"""

import io
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from engine.devices import available, describe, kind, set_up
from engine.features import extract
from engine.features.forward import Forward, batch_of, pinned
from engine.images.rendering import threads
from engine.review import open_task
from engine.tasks import Task
from engine.tasks.image_table import IMAGES_FILE, write_image_table
from engine.tasks.task import write_revision, write_task
from engine.teachers import get_teacher, load_teacher
from engine.workspace import Workspace

TEACHERS = ("imagenet-lite0", "openclipart", "fashion-mnist")  # of 112, 96 and 64 px
DIFFERENT = 32  # images, of which a task has as many copies as it takes


def photographs(side: int) -> list[bytes]:
    """JPEGs of `side` × 3/4 `side` pixels with the detail of photographs: noise whose power falls with frequency."""
    rng, height, made = np.random.default_rng(0), side * 3 // 4, []
    fall = 1 / np.maximum(np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(side)[None]), 1 / side)
    for _ in range(DIFFERENT):
        waves = np.fft.rfft2(rng.normal(size=(3, height, side))) * fall
        shades = np.fft.irfft2(waves, (height, side)).transpose(1, 2, 0)
        stream = io.BytesIO()
        Image.fromarray(np.clip(127 + 60 * shades / shades.std(), 0, 255).astype(np.uint8)).save(stream, "JPEG")
        made.append(stream.getvalue())
    return made


def task_of(workspace: Workspace, images: int, side: int) -> Task:
    """A task of `images` photographs, from a bundled one whose images are replaced."""
    contents = photographs(side)
    task = open_task(workspace, "emoji-fluent")
    ids = [str(i) for i in range(images)]
    write_image_table(task.folder / IMAGES_FILE, ((i, contents[n % DIFFERENT]) for n, i in enumerate(ids)))
    labels = write_revision(task.folder / "labels", "label", ids, pa.array([0] * images, pa.int32()))
    splits = write_revision(task.folder / "splits", "split", ids, pa.array(["train"] * images))
    write_task(task.folder, replace(task.record, labels=labels, split=splits))
    return open_task(workspace, "emoji-fluent")


def rates(device: str, images: int = 256, side: int = 500, names: tuple[str, ...] = TEACHERS, rounds: int = 3) -> dict:
    """Images a second (on a CPU: of processor time) of decoding alone, of forward passes alone and of extraction, the
    median of `rounds`, and what extraction keeps: on a CPU of 1 / (1 / decode + 1 / forward), on a card of the slower
    of the two.
    """
    place, on_card = set_up(device), kind(device) == "cuda"
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        task, records = task_of(workspace, images, side), [get_teacher(workspace, name) for name in names]
        sizes, rows = sorted({record.input_size for record in records}), np.arange(images)
        batch = batch_of(place, max(sizes))
        forwards = [(record, Forward(load_teacher(workspace, record, place), place, print)) for record in records]
        empty = {"empty": pinned} if on_card else {}

        def decode() -> None:
            for _ in task.images.rendered(rows, sizes, task.record.resize, batch=batch, **empty):
                pass

        def run() -> None:
            for start in range(0, images, batch):
                count = min(batch, images - start)
                for record, forward in forwards:
                    forward(made[record.input_size][:count].to(place, non_blocking=True), made[record.input_size])
            if on_card:
                torch.cuda.synchronize()

        def whole() -> None:
            shutil.rmtree(workspace.features, ignore_errors=True)
            extract(workspace, task, records, rows, device=device)

        made = next(task.images.rendered(rows[:batch], sizes, task.record.resize, batch=batch, **empty))
        made = {size: torch.from_numpy(found).permute(0, 3, 1, 2) for size, found in made.items()}
        parts = {"decode": decode, "forward": run, "extract": whole, "loading": loading(workspace, records, place)}
        seconds = in_turn(parts, rounds, time.perf_counter if on_card else time.process_time)
    return figures(images, seconds, on_card) | {
        "device": describe(device),
        "teachers": list(names),
        "sizes": sizes,
        "images": images,
        "side": side,
        "batch": batch,
        "decoding threads": threads(),
        "torch threads": torch.get_num_threads(),
    }


def loading(workspace: Workspace, records: list, place: torch.device) -> Callable[[], object]:
    """What an extraction does once, however many images it has: it is taken off its time."""
    return lambda: [load_teacher(workspace, record, place) for record in records]


def in_turn(parts: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Seconds of each part in each round, after one that does not count."""
    seconds: dict[str, list[float]] = {name: [] for name in parts}
    for number in range(rounds + 1):
        for name, part in parts.items():
            began = clock()
            part()
            if number:
                seconds[name].append(clock() - began)
    return seconds


def figures(images: int, seconds: dict[str, list[float]], on_card: bool) -> dict:
    """Rates in images a second, and the share that extraction keeps: the median over rounds, with the range."""
    kept = []
    for decode, forward, whole, load in zip(*seconds.values(), strict=True):
        bound = max(decode, forward) if on_card else decode + forward
        kept.append(bound / (whole - load))
    found: dict = {name: images / statistics.median(seconds[name]) for name in ("decode", "forward")}
    took = [whole - load for whole, load in zip(seconds["extract"], seconds["loading"], strict=True)]
    found["extract"] = images / statistics.median(took)
    of = "the slower of decode and forward" if on_card else "1 / (1 / decode + 1 / forward)"
    return found | {f"kept of {of}": {"median": statistics.median(kept), "low": min(kept), "high": max(kept)}}


if __name__ == "__main__":
    json.dump(rates(sys.argv[1] if len(sys.argv) > 1 else available()[0]), sys.stdout, indent=1)
    print()
