"""The one loop that trains every student."""

from __future__ import annotations

import math
import operator
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from engine.devices import set_up
from engine.errors import DamagedFileError, InvalidInputError
from engine.teachers import Network
from engine.training.arithmetic import Arithmetic, laid_out, plain
from engine.training.batches import IMAGES, Batch, Batches, Table, batch_of, read_ahead
from engine.training.data import Rows, TrainData
from engine.training.objective import Objective
from engine.training.spec import TrainSpec
from engine.training.streams import stream_seed
from engine.training.student_network import Student, build_student


@dataclass(frozen=True)
class Point:
    """A report of training: where it is, and the mean of each part of the loss since the last report."""

    step: int
    steps: int
    images: int  # student images with gradient so far
    seconds: float  # spent in steps so far, over all attempts
    losses: dict[str, float]


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had never stopped."""

    tensors: dict[str, Tensor]
    step: int
    seconds: float


class UnfitCheckpointError(DamagedFileError):
    """A checkpoint that is not one of the student that is to be trained."""


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to hear. Hooks never change training; any of them may raise to stop it."""

    on_step: Callable[[int, int, int], None] = lambda step, steps, images: None
    on_evaluation: Callable[[Point, Network], None] = lambda point, network: None
    on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None
    checkpoint_seconds: float = math.inf  # between two checkpoints


@dataclass(frozen=True)
class Trained:
    """A finished student: its averaged weights, without any teacher's head."""

    network: Network
    steps: int
    images: int
    seconds: float


def train(
    spec: TrainSpec,
    objective: Objective,
    data: TrainData,
    seed: int,
    *,
    device: str = "cpu",
    threads: int | None = None,
    hooks: Hooks | None = None,
    resume: Checkpoint | None = None,
    arithmetic: Arithmetic | None = None,
) -> Trained:
    """Train one student. On CPU, the same spec, objective, data, seed and thread count give the same weights, bit for
    bit, also when training was stopped and resumed from any checkpoint. arithmetic: None as the spec says.

    Raises InvalidInputError if no image has a label, or if the loss is no longer a number; UnfitCheckpointError.
    """
    hooks = hooks or Hooks()
    if not len(data.labeled):
        raise InvalidInputError("There is no labeled image to train on: label some images first.")
    way = arithmetic or plain(spec)
    place = set_up(device, threads, repeatable=way.repeatable)
    run = _Run(replace(spec, precision=way.precision), objective, data, seed, place, way.memory_format)
    if resume is not None:
        run.restore(resume)
    run.go(hooks)
    return Trained(run.shipped, spec.steps, run.step * spec.images_per_step, run.seconds)


def learning_rate(spec: TrainSpec, step: int) -> float:
    """The share of the peak learning rate at a step: a linear rise over the warm-up, then a cosine to 0."""
    rise = max(1, round(spec.warm_up * spec.steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, spec.steps - rise)))


def ema_decay(updates: int) -> float:
    """How much of the average stays at an update: min(.999, (1 + t) / (10 + t)): a short run forgets its start."""
    return min(0.999, (1 + updates) / (10 + updates))


@dataclass
class _Run:
    spec: TrainSpec
    objective: Objective
    data: TrainData
    seed: int
    device: torch.device
    memory_format: torch.memory_format = torch.contiguous_format
    step: int = 0
    seconds: float = 0.0
    student: Student = field(init=False)
    averaged: AveragedModel = field(init=False)
    optimizer: torch.optim.SGD = field(init=False)

    def __post_init__(self) -> None:
        student = build_student(self.spec, self.data.classes, self.objective.heads, self.seed, self.data.start)
        self.student = laid_out(student.to(self.device), self.memory_format)
        self.averaged = AveragedModel(self.student.network, multi_avg_fn=_average, use_buffers=True)
        self.optimizer = torch.optim.SGD(
            _groups(self.student, self.objective, self.spec), lr=1.0, momentum=self.spec.momentum
        )
        self.batches = Batches(self.spec, self.data, self.seed)
        tables = {IMAGES: Table((self.data.images,), of=("labeled", "others")), **self.objective.tables}
        self.read_ahead = {name: table for name, table in tables.items() if table.by}
        self.tables = {name: table.on(self.device) for name, table in tables.items() if not table.by}
        self.losses: dict[str, Tensor] = {}  # sums since the last report, without waiting for the device at every step

    @property
    def shipped(self) -> Network:
        """The averaged weights: what is evaluated and what ships."""
        return cast(Network, self.averaged.module)

    def go(self, hooks: Hooks) -> None:
        """Run all steps that are left."""
        report_at = evaluation_steps(self.spec)
        saved = time.monotonic()
        began = time.perf_counter()
        while self.step < self.spec.steps:
            for name, value in self.advance().items():
                self.losses[name] = self.losses[name] + value if name in self.losses else value.clone()
            hooks.on_step(self.step, self.spec.steps, self.step * self.spec.images_per_step)
            due = time.monotonic() - saved > hooks.checkpoint_seconds
            if self.step not in report_at and not due:
                continue
            self._synchronize()
            self.seconds += time.perf_counter() - began
            if self.step in report_at:
                images = self.step * self.spec.images_per_step
                count = self.step - max((step for step in report_at if step < self.step), default=0)
                means = {name: float(total) / count for name, total in self.losses.items()}
                self.losses = {}
                point = Point(self.step, self.spec.steps, images, self.seconds, means)
                if not all(math.isfinite(value) for value in point.losses.values()):
                    raise InvalidInputError(
                        f"The loss is no longer a number after {images} images: start again with a learning rate below "
                        f"{self.spec.learning_rate}."
                    )
                hooks.on_evaluation(point, self.shipped)
            if due:
                hooks.on_checkpoint(self.checkpoint())
                saved = time.monotonic()
            began = time.perf_counter()

    def advance(self) -> dict[str, Tensor]:
        """One step; gives the parts of its loss."""
        torch.manual_seed(stream_seed(self.seed, "layers", self.step))  # dropout and stochastic depth
        self._set_modes()
        rate = self.spec.learning_rate * learning_rate(self.spec, self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        self.optimizer.zero_grad(set_to_none=True)
        batch = self._batch()
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.precision == "bf16"):
            terms = self.objective.loss(self.student, batch)
            parts = [term.weight * term.value for term in terms.values() if term.weight is not None]
            loss = reduce(operator.add, parts)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.averaged.update_parameters(self.student.network)
        self.step += 1
        return {name: term.value.detach() for name, term in terms.items()}

    def _batch(self) -> Batch:
        """The images of this step, on the device."""
        inputs = read_ahead(self.objective.inputs(self.batches, self.step), self.read_ahead)
        there = {
            group: {name: value.to(self.device, non_blocking=True) for name, value in drawn.items()}
            for group, drawn in inputs.items()
        }
        return batch_of(there, self.tables, self.spec.batch_norm)

    def checkpoint(self) -> Checkpoint:
        """Everything that changes in a step, on the CPU."""
        tensors = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        tensors |= {f"averaged.{name}": value for name, value in self.averaged.state_dict().items()}
        for name, parameter in self.student.named_parameters():
            momentum = self.optimizer.state[parameter].get("momentum_buffer") if parameter.requires_grad else None
            if momentum is not None:
                tensors |= {f"momentum.{key}": part for key, part in self.student.apart(name, momentum).items()}
        tensors |= {f"losses.{name}": value for name, value in self.losses.items()}
        return Checkpoint(
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, self.step, self.seconds
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of the same spec and seed. Raises UnfitCheckpointError if it is of another one."""
        parts: dict[str, dict[str, Tensor]] = {"student": {}, "averaged": {}, "momentum": {}, "losses": {}}
        try:
            for key, value in checkpoint.tensors.items():
                part, _, name = key.partition(".")
                parts[part][name] = value
            self.student.load_state_dict(parts["student"])
            self.averaged.load_state_dict(parts["averaged"])
            for name, parameter in self.student.named_parameters():
                momentum = self._momentum_from(parts["momentum"], name, parameter)
                if momentum is not None:
                    self.optimizer.state[parameter]["momentum_buffer"] = momentum
        except (KeyError, RuntimeError) as error:
            raise UnfitCheckpointError(f"The checkpoint is not of this student: {error}") from error
        if parts["momentum"] or not 0 < checkpoint.step <= self.spec.steps:
            raise UnfitCheckpointError("The checkpoint is not of this student, or of another budget.")
        self.losses = {name: total.to(self.device) for name, total in parts["losses"].items()}
        self.step, self.seconds = checkpoint.step, checkpoint.seconds

    def _momentum_from(self, saved: dict[str, Tensor], name: str, parameter: Tensor) -> Tensor | None:
        """A parameter's, taken out of those that were saved, or None. Raises KeyError, RuntimeError."""
        momentum = torch.empty_like(parameter)
        parts = self.student.apart(name, momentum)
        if saved.keys().isdisjoint(parts):
            return None
        for key, part in parts.items():
            if part.shape != saved[key].shape:
                raise RuntimeError(f"momentum of {key} has another shape")
            part.copy_(saved.pop(key))
        return momentum

    def _set_modes(self) -> None:
        self.student.train(not self.objective.head_alone)
        if self.spec.batch_norm == "frozen":
            for module in self.student.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def evaluation_steps(spec: TrainSpec) -> list[int]:
    """The steps after which the student is evaluated for the curve; the last step is always one of them."""
    count = min(spec.evaluations, spec.steps)
    return sorted({round(spec.steps * (i + 1) / count) for i in range(count)})


def predict(network: Network, images: Rows, *, batch: int = 256) -> Tensor:
    """Class probabilities `[N, C]` of images, on the CPU, in evaluation mode; `batch` of them are read at a time."""
    training, device = network.training, network.scale.device
    network.eval()
    try:
        with torch.inference_mode():
            parts = (images[start : start + batch].to(device) for start in range(0, len(images), batch))
            chunks = [network(part)[1].float().softmax(1).cpu() for part in parts]
    finally:
        network.train(training)
    return torch.cat(chunks)


def _groups(student: Student, objective: Objective, spec: TrainSpec) -> list[dict[str, Any]]:
    """Parameters by learning rate (student, further heads) and weight decay (matrices and kernels, the rest)."""
    if objective.head_alone:
        student.requires_grad_(False)
        student.network.classifier.requires_grad_(True)
    groups = []
    heads = [] if student.heads is None else list(student.heads.parameters())
    for part, factor in ((list(student.network.parameters()), 1.0), (heads, objective.head_factor)):
        for decayed in (False, True):
            chosen = [p for p in part if p.requires_grad and (p.ndim > 1) == decayed]
            if chosen:
                groups.append({"params": chosen, "factor": factor, "weight_decay": spec.weight_decay * decayed})
                if part is heads:
                    groups[-1]["fused"] = True  # of millions of weights: one pass over memory instead of five
    return groups


def _average(averaged: Iterable[Tensor], current: Iterable[Tensor], updates: Tensor | int) -> None:
    """One update of the exponential moving average; counters are copied."""
    decay = ema_decay(int(updates))
    with torch.no_grad():
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)
