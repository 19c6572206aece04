"""All that a step changes, and the step itself: gradients, update, moving average.

On a CPU it is bit for bit what it was in version 0.1. On a card nothing here waits for the host, and all tensors keep
their places, so that a step can be captured and repeated.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import DamagedFileError
from engine.training.batches import Batch, GroupName
from engine.training.objective import Objective
from engine.training.spec import TrainSpec
from engine.training.student_network import Student


class UnfitCheckpointError(DamagedFileError):
    """A checkpoint that is not one of the student that is to be trained."""


@dataclass(frozen=True)
class Rates:
    """What a step's number decides: numbers on a CPU, scalars `[]` that lie there on a card.

    network, heads: their learning rates. decay: how much of the moving average stays, 0 for nothing.
    """

    network: float | Tensor
    heads: float | Tensor
    decay: float | Tensor


class State:
    """The student, the average of its weights, the momentum, and the sums of the losses since the last report."""

    def __init__(self, spec: TrainSpec, objective: Objective, student: Student) -> None:
        self.spec, self.objective, self.student = spec, objective, student
        self.device = student.network.scale.device
        self.averaged = copy.deepcopy(student.network)  # what is evaluated and what ships
        _set_modes(student, spec, objective)
        self.optimizer = torch.optim.SGD(_groups(student, objective, spec, self.device), lr=1.0, momentum=spec.momentum)
        self.losses: dict[str, Tensor] = {}  # sums since the last report, without waiting for the device at every step
        self.updates = 0  # of the average, as a checkpoint counts them: one in each step
        self.parts = 1  # micro-batches of a step; more than one where a card has not the memory for a whole one
        values = list(chain(student.network.parameters(), student.network.buffers()))
        means = list(chain(self.averaged.parameters(), self.averaged.buffers()))
        pairs = list(zip(means, values, strict=True))
        self._means, self._values = ([pair[i] for pair in pairs if pair[0].is_floating_point()] for i in range(2))
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    def step(self, batch: Batch, rates: Rates) -> None:
        """Learn from one batch. Out of memory leaves everything as it was but BatchNorm's running statistics, which
        the layers before the failure have then updated once more: all that asks a card for memory comes before the
        update, so that a step which is tried again was not taken already.
        """
        for group in self.optimizer.param_groups:
            group["lr"] = getattr(rates, group["part"])
        self.optimizer.zero_grad(set_to_none=True)
        losses: dict[str, Tensor] = {}
        for share, part in batch.parts(self.parts):
            for name, value in self._add_gradients(part, share).items():
                losses[name] = losses[name] + value if name in losses else value
        for name, value in losses.items():
            if name not in self.losses:
                self.losses[name] = torch.zeros_like(value)
        self.optimizer.step()
        self._average(rates.decay)
        for name, value in losses.items():
            self.losses[name].add_(value)

    def _add_gradients(self, batch: Batch, share: Mapping[GroupName, float]) -> dict[str, Tensor]:
        """Of one part of a step's images; gives the parts of its loss, each as its share of the whole step's."""
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.spec.precision == "bf16"):
            terms = self.objective.loss(self.student, batch)
            loss: Tensor | None = None
            for term in terms.values():
                if term.weight is not None:
                    weighted = term.weight * share[term.of] * term.value
                    loss = weighted if loss is None else loss + weighted
        assert loss is not None, "a loss of no part has no gradient"
        torch.autograd.backward(loss)
        return {name: share[term.of] * term.value.detach() for name, term in terms.items()}

    def _average(self, decay: float | Tensor) -> None:
        """One update of the exponential moving average, in place; counters are copied."""
        with torch.no_grad():
            if isinstance(decay, Tensor):  # lerp takes no weight that lies on a card: value + decay · (mean - value)
                torch._foreach_sub_(self._means, self._values)
                torch._foreach_mul_(self._means, decay)
                torch._foreach_add_(self._means, self._values)
            else:
                torch._foreach_lerp_(self._means, self._values, 1 - decay)
            for mean, value in self._copied:
                mean.copy_(value)

    def hold_momentum(self) -> None:
        """Momentum is there before the first step, so that a captured step finds it."""
        for parameter in chain.from_iterable(group["params"] for group in self.optimizer.param_groups):
            self.optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)

    def forget_losses(self) -> None:
        """The sums begin anew, where they lie."""
        for total in self.losses.values():
            total.zero_()

    def tensors(self) -> list[Tensor]:
        """Everything that a step changes, where it lies, without its history: nodes of that are of another stream."""
        modules = (self.student, self.averaged)
        found = [value for module in modules for value in chain(module.parameters(), module.buffers())]
        found += [kept["momentum_buffer"] for kept in self.optimizer.state.values() if "momentum_buffer" in kept]
        return [value.detach() for value in (*found, *self.losses.values())]

    def checkpoint(self) -> dict[str, Tensor]:
        """Copies of that on the CPU, under the names that version 0.1 gave them."""
        tensors = {f"student.{name}": value for name, value in self.student.state_dict().items()}
        tensors["averaged.n_averaged"] = torch.tensor(self.updates)
        tensors |= {f"averaged.module.{name}": value for name, value in self.averaged.state_dict().items()}
        for name, parameter in self.student.named_parameters():
            momentum = self.optimizer.state[parameter].get("momentum_buffer") if parameter.requires_grad else None
            if momentum is not None:
                tensors |= {f"momentum.{key}": part for key, part in self.student.apart(name, momentum).items()}
        tensors |= {f"losses.{name}": value for name, value in self.losses.items()}
        return {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}

    def restore(self, tensors: Mapping[str, Tensor], step: int) -> None:
        """Go back to a checkpoint after so many steps. Raises UnfitCheckpointError if it is of another student."""
        found: dict[str, dict[str, Tensor]] = {"student": {}, "averaged": {}, "momentum": {}, "losses": {}}
        try:
            for key, value in tensors.items():
                room, _, name = key.partition(".")
                found[room][name] = value
            self.updates = int(found["averaged"].pop("n_averaged"))
            self.student.load_state_dict(found["student"])
            self.averaged.load_state_dict({k.removeprefix("module."): v for k, v in found["averaged"].items()})
            for name, parameter in self.student.named_parameters():
                self._restore_momentum(found["momentum"], name, parameter)
        except (KeyError, RuntimeError) as error:
            raise UnfitCheckpointError(f"The checkpoint is not of this student: {error}") from error
        if found["momentum"] or not 0 < step <= self.spec.steps:
            raise UnfitCheckpointError("The checkpoint is not of this student, or of another budget.")
        self.losses = {name: total.to(self.device) for name, total in found["losses"].items()}

    def _restore_momentum(self, saved: dict[str, Tensor], name: str, parameter: Tensor) -> None:
        """A parameter's, taken out of those that were saved, if it is there. Raises KeyError, RuntimeError."""
        momentum = torch.empty_like(parameter)
        parts = self.student.apart(name, momentum)
        if saved.keys().isdisjoint(parts):
            return
        for key, part in parts.items():
            if part.shape != saved[key].shape:
                raise RuntimeError(f"momentum of {key} has another shape")
            part.copy_(saved.pop(key))
        self.optimizer.state[parameter]["momentum_buffer"] = momentum


def _set_modes(student: Student, spec: TrainSpec, objective: Objective) -> None:
    """Which layers learn from a step as a whole: all, unless BatchNorm's statistics stay or the head alone learns."""
    student.train(not objective.head_alone)
    if spec.batch_norm == "frozen":
        for module in student.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def _groups(student: Student, objective: Objective, spec: TrainSpec, device: torch.device) -> list[dict[str, Any]]:
    """Parameters by learning rate (student, further heads) and weight decay (matrices and kernels, the rest)."""
    if objective.head_alone:
        student.requires_grad_(False)
        student.network.classifier.requires_grad_(True)
    heads = [] if student.heads is None else list(student.heads.parameters())
    groups: list[dict[str, Any]] = []
    for part, parameters in (("network", list(student.network.parameters())), ("heads", heads)):
        # Heads of many classes have millions of weights: one pass over memory instead of five. On a card everything is
        # updated so, since only that takes a learning rate that lies there.
        fused = part == "heads" or device.type == "cuda"
        for decayed in (False, True):
            chosen = [p for p in parameters if p.requires_grad and (p.ndim > 1) == decayed]
            if chosen:
                decay = spec.weight_decay * decayed
                groups.append({"params": chosen, "part": part, "weight_decay": decay, "fused": fused or None})
    return groups
