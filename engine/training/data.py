"""What training may see, and, apart from it, what only reporting may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Int64
from torch import Tensor

from engine.teachers import bundled_imagenet_state

StartWeights = Callable[[str], Mapping[str, Tensor]]  # first weights of an architecture, under timm's names


class Rows(Protocol):
    """What is known of many images, of which some are read at a time: a tensor, or files mapped into memory."""

    def __len__(self) -> int:
        """How many there are along the first axis."""

    @property
    def shape(self) -> torch.Size:
        """Of all of it."""

    @property
    def dtype(self) -> torch.dtype:
        """Of its numbers."""

    @property
    def nbytes(self) -> int:
        """Bytes that all of it takes."""

    def __getitem__(self, index: slice | Tensor | tuple[Tensor, ...], /) -> Tensor:
        """The rows at these positions along the first axis, or axes."""


@dataclass(frozen=True)
class TrainData:
    """The training split: N images, of which M have a label that may be used. No test image and no other label.

    What a method knows of these images beside the labels, it has prepared itself (engine.methods).
    """

    images: Rows  # uint8 `[N, 3, S, S]`, 0..255
    labeled: Int64[Tensor, " M"]  # positions in `images`
    labels: Int64[Tensor, " M"]  # of those positions, in 0..classes-1
    classes: int
    flip: bool  # whether augmentation may mirror
    start: StartWeights = bundled_imagenet_state  # where the student's first weights come from, unless they are random


@dataclass(frozen=True)
class EvaluationData:
    """Held-out images and their labels. Training never receives them: it hands a student out, and others test it."""

    images: Rows  # uint8 `[T, 3, S, S]`, 0..255
    labels: Int64[Tensor, " T"]
