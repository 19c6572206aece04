"""FixMatch: the student labels the unlabeled images itself (Sohn et al., NeurIPS 2020, arXiv 2001.07685).

Its published ratio, 7 other images to a labeled one, leaves 10 labeled images a step, and did worse on a development
task (QuickDraw classes 255-299, one seed: 37 % at the better of two learning rates, against 41 %), so it has the
batches that distillation has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch

from engine.methods.method import Material, Method, Need, Settings
from engine.training import (
    Batch,
    Batches,
    Inputs,
    Loss,
    NumberInput,
    Objective,
    Student,
    Term,
    features_of_both,
    number,
    share,
)
from engine.training.batches import OTHERS_STREAM
from engine.training.losses import fixmatch_loss, supervised_loss


@dataclass(frozen=True)
class FixMatch(Settings):
    """When an unlabeled image counts, and how much."""

    section: ClassVar[str] = "FixMatch"

    fixmatch_threshold: Annotated[
        float,
        share("FixMatch: sure from", "FixMatch learns only from unlabeled images that it is this sure of.", step=0.01),
    ] = 0.95  # section 4
    fixmatch_weight: Annotated[
        float,
        number(
            "FixMatch: weight",
            "Weight of the unlabeled images' loss beside the labeled ones'.",
            least=0,
            shown=NumberInput(0.0, 10.0, 0.1, "%.1f"),
        ),
    ] = 1.0  # λ_u, section 4

    @property
    def needs(self) -> frozenset[Need]:
        """Unlabeled images."""
        return frozenset({"unlabeled images"})

    def prepare(self, material: Material) -> Objective:
        """Nothing: what it takes for true changes with the student."""
        return _Consistency(self)


@dataclass(frozen=True)
class _Consistency(Objective):
    """Cross-entropy on the labels + λ_u · the consistency of two views of other images (section 2.3)."""

    settings: FixMatch

    def inputs(self, batches: Batches, step: int) -> Inputs:
        places = batches.others(step)
        others = {
            "places": places,
            "boxes": batches.weak(len(places), batches.draws(OTHERS_STREAM, step)),
            **batches.strong(len(places), batches.draws("strong augmentation", step)),
        }
        return {"labeled": batches.labeled(step), "others": others}

    def loss(self, student: Student, batch: Batch) -> Loss:
        labeled, weak, strong = batch.labeled.weak(), batch.others.weak(), batch.others.strong()
        with torch.no_grad():
            weak_logits = student.network(weak)[1]
        labeled_features, strong_features = features_of_both(student, labeled, strong, batch.batch_norm)
        head = student.network.classifier
        on_labels = supervised_loss(head(labeled_features), batch.labeled["labels"])
        consistency, confident = fixmatch_loss(weak_logits, head(strong_features), self.settings.fixmatch_threshold)
        return {
            "labels": Term(on_labels, "labeled"),
            "consistency": Term(consistency, "others", self.settings.fixmatch_weight),
            "confident share": Term(confident, "others", None),
        }


METHOD = Method(
    key="fixmatch",
    title="FixMatch",
    summary="The student labels your unlabeled images itself, and learns from those of which it is sure.",
    paper="Sohn et al., NeurIPS 2020, arXiv 2001.07685",
    settings=FixMatch,
    preselected=True,
    baseline=True,
)
