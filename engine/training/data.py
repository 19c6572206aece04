"""What training may see, and, apart from it, what only reporting may see."""

from __future__ import annotations

from dataclasses import dataclass, field

from jaxtyping import Float, Float16, Int64, UInt8
from torch import Tensor


@dataclass(frozen=True)
class TeacherSignal:
    """One active teacher: its share of the loss, and its pseudo-labels for each of the K views of every image."""

    alpha: float  # 0..1; over all signals they sum to 1
    pseudo_labels: Float16[Tensor, "K N Z"]


@dataclass(frozen=True)
class TrainData:
    """The training split: N images, of which M have a label that may be used. No test image and no other label."""

    images: UInt8[Tensor, "N 3 S S"]
    labeled: Int64[Tensor, " M"]  # positions in `images`
    labels: Int64[Tensor, " M"]  # of those positions, in 0..classes-1
    classes: int
    flip: bool  # whether augmentation may mirror
    signals: dict[str, TeacherSignal] = field(default_factory=dict)  # by teacher
    consensus: Float16[Tensor, "N classes"] | None = None  # what all teachers say of each image in the task's classes
    boxes: Float[Tensor, "K N 5"] | None = None  # of the K views; not needed when K = 1


@dataclass(frozen=True)
class EvaluationData:
    """Held-out images and their labels. Training never receives them: it hands a student out, and others test it."""

    images: UInt8[Tensor, "T 3 S S"]
    labels: Int64[Tensor, " T"]
