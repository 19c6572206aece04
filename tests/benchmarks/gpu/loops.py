"""Our training beside plain loops of the same step: operation by operation ("eager"), and captured as a CUDA graph.

The plain loops have the same student, loss, images, crops, moving average, determinism and TF32 settings. What they
leave out is what a loop may cost beyond its step: their draws lie on the device, there is no report and no checkpoint.
Their schedule is written here a second time on purpose: they are the reference that training is held against.
"""

from __future__ import annotations

import copy
import math
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.devices import set_up
from engine.methods import get_method
from engine.training import Batches, Hooks, Objective, TrainData, TrainSpec, train
from engine.training.batches import batch_of
from engine.training.steps import all_tables
from engine.training.student_network import build_student
from engine.training.throughput import made_up
from tests.benchmarks.gpu.watch import Seen, seen
from tests.benchmarks.material import Teachers

CARD_STEPS, CPU_STEPS = 10, 1  # in a row between two looks at the clock
WARM = 12  # steps of a card that do not count: libraries wake up, the step is captured
CPU_THREADS = 1  # as one run has beside another, and so that the processor's clock counts work, not waiting
DRAWN = 8  # steps whose draws the plain loops take in turn


class EnoughError(Exception):
    """Ends a training that was only timed."""


@dataclass(frozen=True)
class Case:
    """One row: a method at a size. images: labeled and other images in a step."""

    title: str
    method: str
    size: int
    images: tuple[int, int]
    precision: str = "fp32"
    teachers: int = 1
    classes: int = 300  # of each teacher
    architecture: str = TrainSpec.architecture

    def prepared(self) -> tuple[TrainSpec, Objective, TrainData]:
        """What training takes, on made-up images and teachers."""
        labeled, others = self.images
        chosen = {"labeled_batch": labeled, **({"unlabeled_batch": others} if others else {})}
        chosen |= {"size": self.size, "precision": self.precision, "architecture": self.architecture}
        recipe = get_method(self.method).recipe({**chosen, "start": "random", "images": 10**7})
        names = tuple(f"t{i}" for i in range(self.teachers))
        objective = recipe.settings.prepare(Teachers(names=names, number=self.classes))
        return recipe.train, objective, made_up(recipe.train)


@dataclass(frozen=True)
class Rates:
    """Student images with gradient a second; captured is None where nothing can be captured."""

    ours: float
    eager: float
    captured: float | None
    notes: tuple[str, ...] = ()  # what ours said of how it trains, such as that its step could not be captured

    @property
    def ratio(self) -> float:
        """Ours as a share of the quickest plain loop."""
        return self.ours / max(self.eager, self.captured or 0)


class Plain:
    """A plain loop. `learn` takes a step on what lies in `inputs`; `step(i)` lays a drawn step there and takes it."""

    def __init__(self, case: Case, device: str, steps: int = DRAWN, spec: TrainSpec | None = None) -> None:
        planned, self.objective, data = case.prepared()
        self.spec, self.place = spec or planned, set_up(device, threads_of(device))
        self.on_card = self.place.type == "cuda"
        student = build_student(self.spec, data.classes, self.objective.heads, 0, data.start)
        self.student = student.to(self.place).train()
        self.averaged = copy.deepcopy(self.student.network)
        batches = Batches(self.spec, data, 0)
        self.tables = {name: table.on(self.place) for name, table in all_tables(self.objective, batches).items()}
        self.drawn = [self._there(self.objective.inputs(batches, step)) for step in range(steps)]
        self.inputs = {g: {name: value.clone() for name, value in group.items()} for g, group in self.drawn[0].items()}
        self.weight = torch.zeros((), device=self.place)  # of the new values in the average
        self.optimizer = torch.optim.SGD(list(self._groups()), lr=0.0, momentum=self.spec.momentum)
        pairs = list(zip(self.averaged.state_dict().values(), self.student.network.state_dict().values(), strict=True))
        self.averages = [pair for pair in pairs if pair[0].is_floating_point()]
        self.counters = [pair for pair in pairs if not pair[0].is_floating_point()]
        self.replay: Callable[[], object] = self.learn

    def step(self, index: int) -> None:
        """One step, with the learning rate and the average's weight of that step."""
        for group, drawn in self.drawn[index % len(self.drawn)].items():
            for name, value in drawn.items():
                self.inputs[group][name].copy_(value)
        self._schedule(index)
        self.replay()

    def learn(self) -> None:
        """Loss, gradient, update, average."""
        batch = batch_of(self.inputs, self.tables, self.spec.batch_norm)
        with torch.autocast(self.place.type, torch.bfloat16, enabled=self.spec.precision == "bf16"):
            terms = self.objective.loss(self.student, batch).values()
            loss = sum(term.weight * term.value for term in terms if term.weight is not None)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        with torch.no_grad():
            means, values = zip(*self.averages, strict=True)
            distance = torch._foreach_sub(values, means)
            torch._foreach_mul_(distance, self.weight)
            torch._foreach_add_(means, distance)
            for mean, value in self.counters:
                mean.copy_(value)

    def capture(self) -> None:
        """From now on a step is one CUDA graph."""
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.learn()
        torch.cuda.current_stream().wait_stream(aside)
        self.optimizer.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.learn()
        self.replay = graph.replay

    def rates(self, step: int) -> tuple[float, float]:
        """The learning rate of a step, as a share of its peak: a linear rise, then a cosine; and the weight of the
        step's result in the moving average."""
        rise, steps = max(1, round(self.spec.warm_up * self.spec.steps)), self.spec.steps
        falling = 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
        average = 1 - min(0.999, (1 + step) / (10 + step)) if step else 1.0
        return (step + 1) / rise if step < rise else falling, average

    def _schedule(self, step: int) -> None:
        share, average = self.rates(step)
        for group in self.optimizer.param_groups:
            rate = self.spec.learning_rate * share * group["factor"]
            if self.on_card:
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate
        self.weight.fill_(average)

    def _groups(self):
        parts = [(self.student.network, 1.0)]
        if self.student.heads is not None:
            parts.append((self.student.heads, self.objective.head_factor))
        for part, factor in parts:
            for decayed in (False, True):
                chosen = [p for p in part.parameters() if (p.ndim > 1) == decayed]
                rate = torch.zeros((), device=self.place) if self.on_card else 0.0
                fused = self.on_card or part is self.student.heads or None
                decay = self.spec.weight_decay * decayed
                yield {"params": chosen, "factor": factor, "lr": rate, "weight_decay": decay, "fused": fused}

    def _there(self, inputs) -> dict[str, dict[str, Tensor]]:
        return {group: {name: value.to(self.place) for name, value in drawn.items()} for group, drawn in inputs.items()}


def measure(case: Case, device: str, seconds: float) -> tuple[Rates, Seen]:
    """Ours, eager and captured, each for about so many seconds after warming up; and what was seen of the card in ours.

    On a CPU ours and the eager loop take turns step by step, by the clock of the processor, which other programs move
    less; on a card one comes after the other, since ours draws while the card computes.
    """
    if device == "cpu":
        plain = Timed(Plain(case, device), device)
        ours, notes = _ours(case, device, seconds, between=plain.chunk)
        return Rates(ours, plain.rate, None, notes), Seen()
    set_up(device)
    with seen(device) as found:
        ours, notes = _ours(case, device, seconds)
    loop = Plain(case, device)
    eager = Timed(loop, device).run(seconds)
    loop.capture()
    return Rates(ours, eager, Timed(loop, device).run(seconds), notes), found


class Timed:
    """A plain loop under the clock, some steps at a time."""

    def __init__(self, plain: Plain, device: str) -> None:
        self.plain, self.device = plain, device
        self.steps = CPU_STEPS if device == "cpu" else CARD_STEPS
        self.done, self.times = 0, []

    def chunk(self) -> None:
        """Some steps."""
        began = clock(self.device)
        for _ in range(self.steps):
            self.plain.step(self.done)
            self.done += 1
        self.times.append(clock(self.device) - began)

    def run(self, seconds: float) -> float:
        """Steps for so long; gives the rate."""
        for _ in range(2):
            self.chunk()
        ends, self.times = time.monotonic() + seconds, []
        while not self.times or time.monotonic() < ends:
            self.chunk()
        return self.rate

    @property
    def rate(self) -> float:
        """Images a second."""
        return self.steps * self.plain.spec.images_per_step / typical(self.times, self.device)


def _ours(
    case: Case, device: str, seconds: float, between: Callable[[], object] = lambda: None
) -> tuple[float, tuple[str, ...]]:
    """The real `train`: its rate, and what it said. between: what is done after some steps, which does not count."""
    spec, objective, data = case.prepared()
    steps, warm = (CPU_STEPS, 1) if device == "cpu" else (CARD_STEPS, WARM)
    times: list[float] = []
    notes: list[str] = []
    began = ends = 0.0

    def on_step(step: int, _: int, images: int) -> None:
        nonlocal began, ends
        if step < warm or (step - warm) % steps:
            return
        now = clock(device)
        if step > warm:
            times.append(now - began)
            if time.monotonic() > ends:
                raise EnoughError
        else:
            ends = time.monotonic() + seconds
        between()
        began = clock(device)

    with suppress(EnoughError):
        hooks, threads = Hooks(on_step=on_step, on_note=notes.append), threads_of(device)
        train(replace(spec, evaluations=1), objective, data, 0, device=device, threads=threads, hooks=hooks)
    return steps * spec.images_per_step / typical(times, device), tuple(notes)


def typical(times: Sequence[float], device: str) -> float:
    """Of equal pieces of work: the median on a CPU, which others use too; on a card the mean, with every wait in it."""
    return statistics.median(times) if device == "cpu" else statistics.mean(times)


def threads_of(device: str) -> int | None:
    """Threads of the CPU: one where it computes."""
    return CPU_THREADS if device == "cpu" else None


def clock(device: str) -> float:
    """Of the processor for a CPU; of the wall for a card, after it has finished."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
