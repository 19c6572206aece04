"""DistillConsensus, ours: all teachers together say of each image which of the task's own classes it shows, and the
student learns that (engine.consensus says how they do).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from torch import Tensor

from engine.consensus import Ensemble, Graphs, consensus
from engine.methods.distilling import Distilling, FromTeachers, Taught, fixed_views, signals
from engine.methods.method import Material, Method, Need
from engine.training import (
    Batch,
    Batches,
    Inputs,
    Loss,
    NumberInput,
    Objective,
    OnLabels,
    Opinion,
    Student,
    Term,
    number,
    share,
)
from engine.training.batches import RowTable, RowTables
from engine.training.losses import consensus_loss

CONSENSUS = "consensus"  # the table of it
P = 6.0  # ours: on the development tasks better than 12, and as good as 3
RISES_FROM = 0.25  # ours, of the steps: from there on the labels' share of the loss rises
RISEN = "risen"  # how far it has come, from 0 to 1


@dataclass(frozen=True)
class DistillConsensus(Distilling):
    """How the consensus is made, beside how teachers teach. Its defaults are those of engine.consensus."""

    section: ClassVar[str] = "DistillConsensus"

    sharpness: Annotated[
        float,
        number(
            "Consensus: sharpness",
            "Exponent on the probabilities of the consensus: above 1 makes them surer.",
            above=0,
            shown=NumberInput(0.1, 10.0, 0.5, "%.1f"),
        ),
    ] = Ensemble.sharpness
    neighbors: Annotated[
        int,
        number(
            "Consensus: neighbors",
            "How many similar images the labels of an image are propagated from; 0 lets each image stand alone.",
            least=0,
            shown=NumberInput(0, 100, 1, "%d"),
        ),
    ] = Ensemble.neighbors
    propagation: Annotated[
        float,
        number(
            "Consensus: propagation",
            "The neighbors' share in what is said of an image.",
            least=0,
            below=1,
            shown=NumberInput(0.0, 0.95, 0.05, "%.2f"),
        ),
    ] = Ensemble.propagation
    teachers_share: Annotated[
        float,
        share("Consensus: teachers' own classes", "Share of DistillWeighted's loss beside the consensus."),
    ] = 0.0  # ours: 0.3 did not pay on the development tasks
    from_teachers: FromTeachers = True  # ours: in 6 of 7 pairs of runs on development tasks 0 to 7 points better
    labels_rise: Annotated[
        float,
        share(
            "Consensus: hand over to the labels",
            "How far λ, the labels' share, has come towards 1 by the last step; it rises evenly from a quarter of "
            "the steps on. 0 leaves it where it is.",
        ),
    ] = 0.94  # ours: .7 of a point better than 0 over seven pairs of runs on development tasks

    @property
    def needs(self) -> frozenset[Need]:
        """Unlabeled images and the teachers' features; pseudo-labels where their own classes are learned as well."""
        if self.teachers_share > 0:
            return frozenset({"unlabeled images", "features", "pseudo-labels"})
        return frozenset({"unlabeled images", "features"})

    @property
    def pace(self) -> tuple[object, ...]:
        """Strong views and further heads take longer."""
        return (self.strong, self.teachers_share > 0)

    def prepare(self, material: Material) -> Objective:
        """The consensus on every image of the training split. Raises InvalidInputError without a teacher."""
        if not self.takes_unlabeled:
            return OnLabels()
        features = material.features()
        how = Ensemble(self.sharpness, self.neighbors, self.propagation)
        graphs: Graphs = {}

        def progress(done: int, total: int | None, unit: str, stage: str) -> None:
            material.progress(stage, done, total, unit)

        def said(known: NDArray[np.int64], exact: bool | None = False) -> NDArray[np.float32]:
            """From some of the labels; the class that is likeliest needs no float64."""
            with threadpool_limits(material.threads):  # so that sums do not depend on the machine's cores
                return consensus(
                    features,
                    material.alpha,
                    material.labeled[known],
                    material.labels[known],
                    material.classes,
                    how,
                    exact=exact,
                    graphs=graphs,
                    threads=material.threads,
                    progress=progress,
                )

        found = torch.from_numpy(said(np.arange(len(material.labeled)), exact=None)).half()
        own_classes = signals(material, self.views) if self.teachers_share > 0 else {}
        boxes = fixed_views(material, self.views)
        return _OnConsensus(self, own_classes, boxes, Opinion(found, said))


@dataclass(frozen=True)
class _OnConsensus(Taught):
    """λ · cross-entropy on the labels + (1 - λ) · cross-entropy with the consensus, both over the task's classes.

    λ rises while the student learns, so that it hears the consensus first and ends with the labels.

    With a teachers' share β, the second part is (1 - β) of that and β of the paper's loss on the same images.
    """

    settings: DistillConsensus
    consensus: Opinion

    @property
    def opinion(self) -> Opinion:
        """The consensus."""
        return self.consensus

    @property
    def tables(self) -> RowTables:
        """The consensus, beside the pseudo-labels of teachers with a head."""
        return {**super().tables, CONSENSUS: RowTable((self.consensus.probabilities,))}

    def inputs(self, batches: Batches, step: int) -> Inputs:
        """The same, and how far the labels' share has risen."""
        found, rise = super().inputs(batches, step), self.settings.labels_rise
        if rise == 0:
            return found
        done = max(0.0, step / batches.spec.steps - RISES_FROM) / (1 - RISES_FROM)
        risen = torch.full_like(found["labeled"]["places"], rise * done, dtype=torch.float32)
        return {**found, "labeled": {**found["labeled"], RISEN: risen}}

    def loss(self, student: Student, batch: Batch) -> Loss:
        """Of one step, in nats."""
        labeled_share: float | Tensor = self.settings.labeled_share
        teachers_share = self.settings.teachers_share
        if self.settings.labels_rise > 0:
            labeled_share = labeled_share + (1 - labeled_share) * batch.labeled[RISEN].mean()
        on_labels, features = self.labels_and_others(student, batch)
        on_consensus = consensus_loss(student.network.classifier(features), batch.others.rows(CONSENSUS).float())
        loss = {
            "labels": Term(on_labels, "labeled", labeled_share),
            "consensus": Term(on_consensus, "others", (1 - labeled_share) * (1 - teachers_share)),
        }
        if self.signals:
            on_teachers = self.on_teachers(student, batch, features)
            loss["teachers"] = Term(on_teachers, "others", (1 - labeled_share) * teachers_share)
        return loss


METHOD = Method(
    key="distill-consensus",
    title="DistillConsensus",
    summary="The student begins as the average of teachers of its architecture, and learns from your labels and from "
    "the consensus of all teachers on each image, in your own classes.",
    paper="ours, beside the paper",
    settings=DistillConsensus,
    weights="similarity",
    p=P,
    p_varies=True,
    preselected=True,
)
