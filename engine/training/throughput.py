"""How fast a student trains here, from a short measurement on made-up images of the right shape."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import torch

from engine.devices import kind
from engine.training.arithmetic import Arithmetic
from engine.training.data import TrainData
from engine.training.loop import Hooks, train
from engine.training.objective import Objective
from engine.training.spec import TrainSpec

SECONDS = 2.0
CLASSES, IMAGES = 10, 128  # of the made-up task; they hardly move the time of a step


class _EnoughError(Exception):
    """Ends a measurement."""


def images_per_second(
    spec: TrainSpec,
    objective: Objective,
    device: str,
    threads: int | None = None,
    seconds: float = SECONDS,
    check: Callable[[], None] = lambda: None,
    arithmetic: Arithmetic | None = None,
) -> float:
    """Student images with gradient a second on made-up images, over about `seconds` of steps after one that warms up.

    With a budget of one step there is none after that: it then counts as a second. `check` is called at every step and
    may raise to stop.

    Raises UnknownNameError for the architecture.
    """
    marks: list[tuple[float, int]] = []

    def on_step(step: int, steps: int, images: int) -> None:
        check()
        if marks and step < steps and time.perf_counter() - marks[0][0] < seconds:
            return  # a card is not waited for at every step: it would never be told ahead
        if kind(device) == "cuda":
            torch.cuda.synchronize()
        marks.append((time.perf_counter(), images))
        if len(marks) > 1:
            raise _EnoughError

    spec = replace(spec, start="random")  # which weights it starts from does not change how fast it is
    hooks = Hooks(on_step=on_step)
    with suppress(_EnoughError):
        train(spec, objective, made_up(spec), 0, device=device, threads=threads, hooks=hooks, arithmetic=arithmetic)
    (first, none), (last, images) = marks[0], marks[-1]
    return (images - none) / (last - first) if last > first else float(spec.images_per_step)


def made_up(spec: TrainSpec) -> TrainData:
    """Images of noise in the size that the spec asks for, half of them labeled."""
    generator = torch.Generator().manual_seed(0)
    shape = (IMAGES, 3, spec.size, spec.size)
    return TrainData(
        images=torch.randint(256, shape, generator=generator).to(torch.uint8),
        labeled=torch.arange(IMAGES // 2),
        labels=torch.randint(CLASSES, (IMAGES // 2,), generator=generator),
        classes=CLASSES,
        flip=True,
    )
