"""What training may see, and, apart from it, what only reporting may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Int64, UInt8
from torch import Tensor

from engine.teachers import bundled_imagenet_state

StartWeights = Callable[[str], Mapping[str, Tensor]]  # ImageNet weights of an architecture, under timm's names


class Images(Protocol):
    """N images `[3, S, S]`, 0..255, a few of which are read at a time: a tensor, or a file that is mapped."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, places: slice | Int64[Tensor, " B"], /) -> UInt8[Tensor, "B 3 S S"]:
        """The images at these positions, on the CPU."""


@dataclass(frozen=True)
class TrainData:
    """The training split: N images, of which M have a label that may be used. No test image and no other label.

    What a method knows of these images beside the labels, it has prepared itself (engine.methods).
    """

    images: Images
    labeled: Int64[Tensor, " M"]  # positions in `images`
    labels: Int64[Tensor, " M"]  # of those positions, in 0..classes-1
    classes: int
    flip: bool  # whether augmentation may mirror
    start: StartWeights = bundled_imagenet_state  # where the student's ImageNet weights come from


@dataclass(frozen=True)
class EvaluationData:
    """Held-out images and their labels. Training never receives them: it hands a student out, and others test it."""

    images: Images
    labels: Int64[Tensor, " T"]
