"""Linear probe: a linear classifier on the student's ImageNet features."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.methods.method import Material, Method, Settings
from engine.training import Batch, Loss, Objective, Student, Term
from engine.training.losses import supervised_loss


@dataclass(frozen=True)
class LinearProbe(Settings):
    """It has no settings of its own."""

    def prepare(self, material: Material) -> Objective:
        """Nothing: the labels are all that it takes."""
        return _OnTheHead()


class _OnTheHead(Objective):
    """Cross-entropy on the labeled images, with gradient to the head alone."""

    @property
    def head_alone(self) -> bool:
        return True

    def loss(self, student: Student, batch: Batch) -> Loss:
        with torch.no_grad():
            features = student.network.features(batch.labeled.weak())
        logits = student.network.classifier(features)
        return {"labels": Term(supervised_loss(logits, batch.labeled["labels"]), "labeled")}


METHOD = Method(
    key="linear-probe",
    title="Linear probe",
    summary="The student's ImageNet features stay as they are; only a linear classifier is learned from your labels.",
    paper="Alain and Bengio, 2016, arXiv 1610.01644",
    settings=LinearProbe,
    shared={"learning_rate": 0.1},  # ours: a head alone may learn quickly
)
