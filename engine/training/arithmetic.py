"""How a step computes: the precision of its products, the order of pixels in memory, kernels that repeat or not.

What is recorded is compared in fp32, with kernels that give the same numbers twice. A card may be quicker otherwise,
by how much depends on the card and the student: so it is measured, and not chosen by hand (engine.runs.quickest).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import torch
from torch import nn

from engine.training.spec import TrainSpec

Module = TypeVar("Module", bound=nn.Module)
WORTH = 1.05  # times as fast must be what takes the place of fp32: less is within what a measurement varies (ours)


@dataclass(frozen=True)
class Arithmetic:
    """precision: of products; sums, weights and averages are fp32. channels_last: the channels of a pixel lie beside
    each other. repeatable: kernels give the same numbers twice; otherwise cuDNN tries which is the quickest.
    """

    precision: Literal["fp32", "bf16"] = "fp32"
    channels_last: bool = False
    repeatable: bool = True

    @property
    def memory_format(self) -> torch.memory_format:
        """PyTorch's name of the order in memory."""
        return torch.channels_last if self.channels_last else torch.contiguous_format


QUICK = tuple(Arithmetic(p, last, repeatable=False) for p in ("fp32", "bf16") for last in (False, True))


def plain(spec: TrainSpec) -> Arithmetic:
    """What a spec asks for where nothing is measured, as on a CPU: the precision that it names, else fp32."""
    return Arithmetic("bf16" if spec.precision == "bf16" else "fp32")


def choose(rates: Mapping[Arithmetic, float]) -> Arithmetic:
    """The quickest of what was measured, in images a second; fp32 in the usual order unless another is clearly so."""
    best = max(rates, key=lambda each: rates[each])
    return best if rates[best] >= WORTH * rates[QUICK[0]] else QUICK[0]


def laid_out(module: Module, memory_format: torch.memory_format) -> Module:
    """The module with its kernels `[out, in, h, w]` in an order; what they convolve then comes in the same one."""
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data.contiguous(memory_format=memory_format)
    return module
