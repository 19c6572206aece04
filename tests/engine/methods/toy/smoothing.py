"""A method that is no part of the program: fine-tuning with smoothed labels. One file, and one line in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F

from engine.methods import Material, Method, Settings
from engine.training import Batches, Loss, NumberInput, Objective, Student, number


@dataclass(frozen=True)
class Smoothing(Settings):
    """How far labels are smoothed."""

    section: ClassVar[str] = "Smoothed labels"

    smoothing: Annotated[
        float,
        number(
            "Smoothing",
            "Share of a label that goes to all classes.",
            least=0,
            below=1,
            shown=NumberInput(0, 0.9, 0.1, "%.1f"),
        ),
    ] = 0.1  # the usual one

    def prepare(self, material: Material) -> Objective:
        """Nothing: the labels are all that it takes."""
        return OnSmoothedLabels(self.smoothing)


@dataclass(frozen=True)
class OnSmoothedLabels(Objective):
    """Cross-entropy with smoothed labels."""

    smoothing: float

    def loss(self, student: Student, batches: Batches, step: int) -> Loss:
        """Of one step, in nats."""
        images, labels = batches.labeled(step)
        loss = F.cross_entropy(student.network(images)[1], labels, label_smoothing=self.smoothing)
        return loss, {"labels": loss}


METHOD = Method(
    key="smoothed",
    title="Smoothed labels",
    summary="The student learns from smoothed labels.",
    paper="Szegedy et al., CVPR 2016, arXiv 1512.00567",
    settings=Smoothing,
)
