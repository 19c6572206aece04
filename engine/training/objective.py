"""What the loop minimizes. Each method of engine.methods gives one; training itself knows none by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from engine.training.batches import Batches
from engine.training.losses import supervised_loss
from engine.training.student_network import Student

Loss: TypeAlias = tuple[Float[Tensor, ""], dict[str, Tensor]]  # the loss, and its parts by name for the curves


class Objective(ABC):
    """A method with its settings and all that it computed before the first step."""

    @abstractmethod
    def loss(self, student: Student, batches: Batches, step: int) -> Loss:
        """What one step minimizes, in nats, and its parts by name."""

    @property
    def heads(self) -> Mapping[str, int]:
        """The heads that the student has beside its own while it learns: how many classes each has, by name."""
        return {}

    @property
    def head_factor(self) -> float:
        """How much faster those heads learn than the student."""
        return 1.0

    @property
    def head_alone(self) -> bool:
        """Whether the student's own head alone learns, and its features stay as they are."""
        return False


class OnLabels(Objective):
    """Cross-entropy on the labeled images, and nothing else."""

    def loss(self, student: Student, batches: Batches, step: int) -> Loss:
        """Mean over the step's labeled images."""
        images, labels = batches.labeled(step)
        loss = supervised_loss(student.network(images)[1], labels)
        return loss, {"labels": loss}


def features_of_both(
    student: Student, labeled: Float[Tensor, "M 3 S S"], others: Float[Tensor, "U 3 S S"], batch_norm: str
) -> tuple[Float[Tensor, "M D"], Float[Tensor, "U D"]]:
    """Features of both batches: in one pass, so that they share BatchNorm's statistics, or in two."""
    if batch_norm == "separate":
        return student.network.features(labeled), student.network.features(others)
    features = student.network.features(torch.cat([labeled, others]))
    return features[: len(labeled)], features[len(labeled) :]
