"""A method that is no part of the program: fine-tuning with smoothed labels. One file, and one line in a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch.nn.functional as F

from engine.methods import Material, Method, Settings
from engine.training import Batch, Loss, NumberInput, Objective, Student, Term, number


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

    def loss(self, student: Student, batch: Batch) -> Loss:
        """Of one step, in nats."""
        logits = student.network(batch.labeled.weak())[1]
        return {
            "labels": Term(F.cross_entropy(logits, batch.labeled["labels"], label_smoothing=self.smoothing), "labeled")
        }


METHOD = Method(
    key="smoothed",
    title="Smoothed labels",
    summary="The student learns from smoothed labels.",
    paper="Szegedy et al., CVPR 2016, arXiv 1512.00567",
    settings=Smoothing,
)
