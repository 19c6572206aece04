"""A softmax over each of several segments of a row at once: all teachers' classes side by side, `[B, ΣZ]`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

ALIKE = 1.5  # ours: neighboring segments of sizes within this factor are one table with padding


class Segments(nn.Module):
    """Log-softmax `[B, ΣZ]` of logits `[B, ΣZ]`, over each segment of `sizes` by itself.

    Each segment has a maximum of its own, so that one far below another does not vanish. Neighbors of one size are one
    call; those of nearly one size as well, padded. Sort the sizes, and 30 segments cost about what one does. Sums run
    in a fixed order, on a GPU as well.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        self.runs = nn.ModuleList()
        self.widths: list[int] = []
        for run in _runs(sizes):
            self.runs.append(_Even(len(run), run[0]) if len(set(run)) == 1 else _Uneven(run))
            self.widths.append(sum(run))

    def forward(self, logits: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
        """Natural logarithms of probabilities that sum to 1 in each segment."""
        parts = torch.split(logits, self.widths, dim=1)
        found: list[Tensor] = [run(part) for run, part in zip(self.runs, parts, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)


class _Even(nn.Module):
    """T neighboring segments of Z columns each."""

    def __init__(self, count: int, size: int) -> None:
        super().__init__()
        self.shape = (count, size)

    def forward(self, logits: Float[Tensor, "B TZ"]) -> Float[Tensor, "B TZ"]:
        return F.log_softmax(logits.reshape(len(logits), *self.shape), dim=2).flatten(1)


class _Uneven(nn.Module):
    """Neighboring segments of several sizes, padded to the largest, Z."""

    places: Tensor
    owner: Tensor
    slots: Tensor
    padding: Tensor

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__()
        widths = torch.tensor(sizes)
        column = torch.arange(max(sizes))
        starts = widths.cumsum(0) - widths
        inside = column < widths[:, None]  # [T, Z]
        self.register_buffer("padding", ~inside, persistent=False)
        # [T·Z]: the column in each slot, and any one in those of padding
        self.register_buffer("slots", ((starts[:, None] + column) * inside).flatten(), persistent=False)
        self.register_buffer(
            "places", inside.flatten().nonzero().flatten(), persistent=False
        )  # [S]: where columns went
        self.register_buffer("owner", torch.arange(len(widths)).repeat_interleave(widths), persistent=False)  # [S]

    def forward(self, logits: Float[Tensor, "B S"]) -> Float[Tensor, "B S"]:
        found: Tensor = _PaddedLogSoftmax.apply(logits, self.slots, self.places, self.owner, self.padding)
        return found


class _PaddedLogSoftmax(torch.autograd.Function):
    """Its gradient is read by the same positions backward: one that is added up by position has no fixed order."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, slots: Tensor, places: Tensor, owner: Tensor, padding: Tensor) -> Tensor:
        padded = logits.index_select(1, slots).view(-1, *padding.shape).masked_fill(padding, -torch.inf)
        found = F.log_softmax(padded, dim=2).flatten(1).index_select(1, places)
        ctx.save_for_backward(found, slots, owner, padding)
        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        (gradient,) = gradients
        found, slots, owner, padding = ctx.saved_tensors
        padded = gradient.index_select(1, slots).view(-1, *padding.shape).masked_fill(padding, 0)
        return gradient - found.exp() * padded.sum(2).index_select(1, owner), None, None, None, None


def _runs(sizes: Sequence[int]) -> list[list[int]]:
    """Neighbors whose padding to one size is small."""
    runs: list[list[int]] = []
    for size in sizes:
        run = runs[-1] if runs else []
        if run and max(*run, size) <= ALIKE * min(*run, size):
            run.append(size)
        else:
            runs.append([size])
    return runs
