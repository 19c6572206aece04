"""What the methods of Borup, Phoo and Hariharan (ICCV 2023, arXiv 2304.12314) have in common: their settings and loss.

    L = λ · CE on the labels + (1 - λ) · Σ_s α_s · CE between teacher s's pseudo-labels and the student's head for it

They differ in α alone, which a run hands them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from engine.errors import InvalidInputError
from engine.methods.method import Material, Need, Settings
from engine.training import (
    Batch,
    Batches,
    Inputs,
    Loss,
    NumberInput,
    Objective,
    OnLabels,
    Rows,
    Student,
    Term,
    choice,
    features_of_both,
    number,
    share,
)
from engine.training.batches import OTHERS_STREAM, RowTable, RowTables
from engine.training.losses import at_temperature, distillation_loss, supervised_loss

PAPER = "Borup, Phoo and Hariharan, ICCV 2023, arXiv 2304.12314"
PSEUDO_LABELS, ALPHA = "pseudo-labels", "alpha"  # tables


FromTeachers: TypeAlias = Annotated[
    bool,
    choice(
        "Start from the teachers",
        "Whether the student begins as the average, by their weights, of those teachers that were fine-tuned from its "
        "ImageNet weights. Otherwise, and where none were, it begins with ImageNet weights.",
    ),
]


@dataclass(frozen=True)
class Distilling(Settings):
    """How teachers teach, whichever their weights are."""

    section: ClassVar[str] = "Distillation"

    labeled_share: Annotated[
        float,
        share(
            "λ, share of the labels",
            "The labeled images' share of the distillation loss; the teachers get the rest. 1 is fine-tuning.",
        ),
    ] = 0.2  # ours: .5 did as well in development
    temperature: Annotated[
        float,
        number(
            "Temperature",
            "Above 1 softens the teachers' pseudo-labels, below 1 sharpens them.",
            above=0,
            shown=NumberInput(0.1, 10.0, 0.1, "%.1f"),
        ),
    ] = 1.0  # ours
    views: Annotated[
        int,
        number(
            "K, views of the teachers",
            "Teachers describe each image in K fixed crops, and the student learns on those. Extraction takes K times "
            "as long before the first run; what it found is kept.",
            least=1,
            choices={1: "1", 4: "4", 8: "8"},
        ),
    ] = 1  # ours
    head_factor: Annotated[
        float,
        number(
            "Teachers' heads faster by",
            "Teachers' heads start from nothing: their learning rate is the student's times this.",
            above=0,
            shown=NumberInput(0.1, 100.0, 1.0, "%.1f"),
        ),
    ] = 5.0  # ours
    strong: Annotated[
        bool, choice("Strong views", "Whether the student sees FixMatch's strong view of what its teachers describe.")
    ] = False  # ours: it did not pay on the development tasks
    from_teachers: FromTeachers = False  # the paper's students begin with ImageNet weights

    def __post_init__(self) -> None:
        """Refuse views that are fixed and random at once."""
        if self.strong and self.views > 1:
            raise InvalidInputError(
                "Strong views are drawn at random, fixed views are not: set views to 1 or strong to false."
            )

    @property
    def needs(self) -> frozenset[Need]:
        """Unlabeled images, and the teachers' pseudo-labels on all images."""
        return frozenset({"unlabeled images", "pseudo-labels"})

    @property
    def takes_unlabeled(self) -> bool:
        """With λ = 1 distillation is fine-tuning."""
        return self.labeled_share < 1

    @property
    def starts_from_teachers(self) -> bool:
        """As set."""
        return self.from_teachers

    @property
    def pace(self) -> tuple[object, ...]:
        """Strong views take longer."""
        return (self.strong,)

    def prepare(self, material: Material) -> Objective:
        """The teachers' pseudo-labels. Raises InvalidInputError without a teacher."""
        if not self.takes_unlabeled:
            return OnLabels()
        return Distillation(self, signals(material, self.views), fixed_views(material, self.views))


@dataclass(frozen=True)
class TeacherSignal:
    """One active teacher: its share of the loss, and its pseudo-labels for each of the K views of every image."""

    alpha: float  # 0..1; over all signals they sum to 1
    pseudo_labels: Rows  # `[K, N, Z]`, in half precision


def signals(material: Material, views: int) -> dict[str, TeacherSignal]:
    """What each teacher says of every image. Raises InvalidInputError if there is none, or for other weights than
    shares.
    """
    if not material.alpha:
        raise InvalidInputError("Distillation needs at least one teacher with a weight above 0: choose one.")
    total = sum(material.alpha.values())
    if abs(total - 1) > 1e-6:
        raise InvalidInputError(f"The teachers' weights sum to {total:.4f}: they must sum to 1.")
    found = material.pseudo_labels(views)
    return {name: TeacherSignal(material.alpha[name], labels) for name, labels in found.items()}


def fixed_views(material: Material, views: int) -> Float[Tensor, "K N 5"] | None:
    """The boxes of the views, or None for the one that is drawn anew in each step."""
    return material.boxes(views) if views > 1 else None


@dataclass(frozen=True)
class Taught(Objective):
    """What a step of all of them needs: the images that teachers describe, and what these say of them."""

    settings: Distilling
    signals: Mapping[str, TeacherSignal]
    boxes: Float[Tensor, "K N 5"] | None

    @property
    def heads(self) -> Mapping[str, int]:
        """One for each teacher whose own classes are learned, by size: those of a size are computed as one."""
        sizes = {name: signal.pseudo_labels.shape[2] for name, signal in self.signals.items()}
        return dict(sorted(sizes.items(), key=lambda named: (named[1], named[0])))

    @property
    def head_factor(self) -> float:
        """As set."""
        return self.settings.head_factor

    @property
    def tables(self) -> RowTables:
        """The pseudo-labels, and each teacher's weight for each of its classes, side by side as the heads are."""
        if not self.signals:
            return {}
        said = tuple(self.signals[name].pseudo_labels for name in self.heads)
        alpha = torch.tensor([self.signals[name].alpha for name in self.heads])
        repeated = alpha.repeat_interleave(torch.tensor(list(self.heads.values())))
        return {PSEUDO_LABELS: RowTable(said, by=("views", "places")), ALPHA: RowTable((repeated,), by=())}

    def inputs(self, batches: Batches, step: int) -> Inputs:
        """Labeled images, and images of the whole training split with the view that their targets describe.

        With K > 1 views, the student sees the very crop that its targets describe. With one, it sees a random crop
        while the target describes the whole image.
        """
        places, draws = batches.others(step), batches.draws(OTHERS_STREAM, step)
        others: dict[str, Tensor] = {"places": places, "views": torch.zeros(len(places), dtype=torch.int64)}
        if self.boxes is not None:
            others["views"] = torch.randint(len(self.boxes), (len(places),), generator=draws)
            others["boxes"] = self.boxes[others["views"], places]
        elif self.settings.strong:
            others |= batches.strong(len(places), draws)
        else:
            others["boxes"] = batches.weak(len(places), draws)
        return {"labeled": batches.labeled(step), "others": others}

    def labels_and_others(self, student: Student, batch: Batch) -> tuple[Float[Tensor, ""], Float[Tensor, "U D"]]:
        """The loss on the labels, and the features of the other images."""
        others = batch.others.strong() if self.settings.strong else batch.others.weak()
        labeled_features, other_features = features_of_both(student, batch.labeled.weak(), others, batch.batch_norm)
        return supervised_loss(student.network.classifier(labeled_features), batch.labeled["labels"]), other_features

    def on_teachers(self, student: Student, batch: Batch, features: Float[Tensor, "U D"]) -> Float[Tensor, ""]:
        """Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""
        heads, said = student.teaching_heads, batch.others.rows(PSEUDO_LABELS).float()
        targets = at_temperature(said, self.settings.temperature, heads.segments)
        return distillation_loss(heads.segments(heads(features).float()), targets, batch.others.rows(ALPHA))


class Distillation(Taught):
    """λ · cross-entropy on the labels + (1 - λ) · Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""

    def loss(self, student: Student, batch: Batch) -> Loss:
        """Of one step, in nats."""
        on_labels, features = self.labels_and_others(student, batch)
        on_teachers = self.on_teachers(student, batch, features)
        return {
            "labels": Term(on_labels, "labeled", self.settings.labeled_share),
            "teachers": Term(on_teachers, "others", 1 - self.settings.labeled_share),
        }
