"""The one loop that trains every student."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.devices import set_up
from engine.errors import InvalidInputError
from engine.teachers import Network
from engine.training.arithmetic import Arithmetic, laid_out, plain
from engine.training.batches import Batches
from engine.training.card import CardSteps
from engine.training.data import Rows, TrainData
from engine.training.objective import Objective
from engine.training.schedule import evaluation_steps
from engine.training.spec import TrainSpec
from engine.training.state import State
from engine.training.steps import HostSteps, Say, Steps
from engine.training.student_network import build_student


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


@dataclass(frozen=True)
class Hooks:
    """What the caller wants to hear. Hooks never change training; any of them may raise to stop it."""

    on_step: Callable[[int, int, int], None] = lambda step, steps, images: None
    on_evaluation: Callable[[Point, Network], None] = lambda point, network: None
    on_checkpoint: Callable[[Checkpoint], None] = lambda checkpoint: None
    checkpoint_seconds: float = math.inf  # between two checkpoints
    on_note: Say = lambda sentence: None  # what happened to how training is done


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
    spec = replace(spec, precision=way.precision)
    try:
        run = _Run(spec, objective, data, seed, place, way.memory_format, hooks.on_note)
    except torch.OutOfMemoryError as error:
        raise InvalidInputError(
            f"The student does not fit into the memory that is free on {device}: end what else uses it, or choose a "
            "smaller student."
        ) from error
    if resume is not None:
        run.restore(resume)
    try:
        run.go(hooks)
    finally:
        run.steps.close()
    return Trained(run.shipped, spec.steps, run.step * spec.images_per_step, run.seconds)


class _Run:
    """One training, from its first step or from a checkpoint."""

    def __init__(
        self,
        spec: TrainSpec,
        objective: Objective,
        data: TrainData,
        seed: int,
        device: torch.device,
        memory_format: torch.memory_format = torch.contiguous_format,
        say: Say = print,
    ) -> None:
        self.spec, self.device = spec, device
        self.step, self.seconds = 0, 0.0
        student = build_student(spec, data.classes, objective.heads, seed, data.start)
        self.state = State(spec, objective, laid_out(student.to(device), memory_format))
        self.say: Say = say
        batches = Batches(spec, data, seed)
        on_card = device.type == "cuda"
        self.steps: Steps = CardSteps(self.state, batches, say) if on_card else HostSteps(self.state, batches)

    @property
    def shipped(self) -> Network:
        """The averaged weights: what is evaluated and what ships."""
        return self.state.averaged

    def go(self, hooks: Hooks) -> None:
        """Run all steps that are left."""
        report_at = evaluation_steps(self.spec)
        saved = time.monotonic()
        began = time.perf_counter()
        while self.step < self.spec.steps:
            self.advance()
            hooks.on_step(self.step, self.spec.steps, self.step * self.spec.images_per_step)
            due = time.monotonic() - saved > hooks.checkpoint_seconds
            if self.step not in report_at and not due:
                continue
            self._synchronize()
            self.seconds += time.perf_counter() - began
            if self.step in report_at:
                hooks.on_evaluation(self._report(report_at), self.shipped)
            if due:
                hooks.on_checkpoint(self.checkpoint())
                saved = time.monotonic()
            began = time.perf_counter()

    def advance(self) -> None:
        """One step. Where a card has not the memory for it, its images are learned from part by part, from then on."""
        while not self._taken():
            self._halve()
        self.step += 1
        self.state.updates += 1

    def _taken(self) -> bool:
        """Whether the memory sufficed for the step. What an error held of it is free when this returns."""
        try:
            self.steps.take(self.step)
        except torch.OutOfMemoryError:
            return False
        return True

    def _halve(self) -> None:
        """Halve the micro-batch. Raises InvalidInputError if it cannot be smaller."""
        spec, parts = self.spec, 2 * self.state.parts
        smallest = min(batch for batch in (spec.labeled_batch, spec.unlabeled_batch) if batch) // parts
        # BatchNorm needs two images for a variance, and a method may pass either group through the student alone.
        if smallest < 2:
            raise InvalidInputError(
                f"The memory of the device is full with {-(-spec.images_per_step // self.state.parts)} images of "
                f"{spec.size} px at a time: choose a smaller image size or student, or end what else uses the device."
            )
        self.state.parts = parts
        self.steps.begin_anew()
        self.say(
            f"The memory of the device is full: a step's {spec.images_per_step} images are learned from in {parts} "
            "parts. Its gradient is that of all of them, but BatchNorm sees one part at a time."
        )

    def checkpoint(self) -> Checkpoint:
        """Everything that changes in a step, on the CPU."""
        return Checkpoint(self.state.checkpoint(), self.step, self.seconds)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of the same spec and seed. Raises UnfitCheckpointError if it is of another one."""
        self.state.restore(checkpoint.tensors, checkpoint.step)
        self.step, self.seconds = checkpoint.step, checkpoint.seconds

    def _report(self, report_at: list[int]) -> Point:
        """Where training is. Raises InvalidInputError if the loss is no longer a number."""
        images = self.step * self.spec.images_per_step
        count = self.step - max((step for step in report_at if step < self.step), default=0)
        means = {name: float(total) / count for name, total in self.state.losses.items()}
        if not all(math.isfinite(value) for value in means.values()):
            raise InvalidInputError(
                f"The loss is no longer a number after {images} images: start again with a learning rate below "
                f"{self.spec.learning_rate}."
            )
        self.state.forget_losses()
        return Point(self.step, self.spec.steps, images, self.seconds, means)

    def _synchronize(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def predict(network: Network, images: Rows, *, batch: int = 256) -> Tensor:
    """Class probabilities `[N, C]` of images, on the CPU, in evaluation mode; `batch` of them are read at a time, or
    fewer where the device has not the memory. Raises InvalidInputError if it has not enough for one.
    """
    training, device = network.training, network.scale.device
    chunks: list[Tensor] = []
    done = 0
    network.eval()
    try:
        with torch.inference_mode():
            while done < len(images):
                part = images[done : done + batch]
                try:
                    chunks.append(network(part.to(device))[1].float().softmax(1).cpu())
                except torch.OutOfMemoryError as error:
                    if batch == 1:
                        raise InvalidInputError(
                            "The memory of the device is full with one image: end what else uses the device."
                        ) from error
                    batch //= 2
                else:
                    done += len(part)
    finally:
        network.train(training)
    return torch.cat(chunks)
