"""What the methods of Borup, Phoo and Hariharan (ICCV 2023, arXiv 2304.12314) have in common: their settings and loss.

    L = λ · CE on the labels + (1 - λ) · Σ_s α_s · CE between teacher s's pseudo-labels and the student's head for it

They differ in α alone, which a run hands them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float, Float16
from torch import Tensor

from engine.errors import InvalidInputError
from engine.methods.method import Material, Need, Settings
from engine.training import (
    Batches,
    Loss,
    NumberInput,
    Objective,
    OnLabels,
    Student,
    choice,
    features_of_both,
    number,
    share,
)
from engine.training.batches import OTHERS
from engine.training.losses import at_temperature, distillation_loss, supervised_loss

PAPER = "Borup, Phoo and Hariharan, ICCV 2023, arXiv 2304.12314"


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
    pseudo_labels: Float16[Tensor, "K N Z"]


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
        """One for each teacher whose own classes are learned."""
        return {name: signal.pseudo_labels.shape[2] for name, signal in self.signals.items()}

    @property
    def head_factor(self) -> float:
        """As set."""
        return self.settings.head_factor

    def labels_and_others(
        self, student: Student, batches: Batches, step: int
    ) -> tuple[Float[Tensor, ""], Float[Tensor, "U D"], list[Float[Tensor, "U Z_s"]]]:
        """The loss on the labels, the features of the other images, and what each teacher with a head says of those."""
        labeled, labels = batches.labeled(step)
        others, targets = self._described(batches, step, list(student.heads))
        labeled_features, other_features = features_of_both(student, labeled, others, batches.spec.batch_norm)
        return supervised_loss(student.network.classifier(labeled_features), labels), other_features, targets

    def on_teachers(
        self, student: Student, features: Float[Tensor, "U D"], targets: list[Float[Tensor, "U Z_s"]]
    ) -> Float[Tensor, ""]:
        """Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""
        alpha = [self.signals[name].alpha for name in student.heads]
        return distillation_loss(student.head_logits(features), targets, alpha)

    def _described(
        self, batches: Batches, step: int, teachers: list[str]
    ) -> tuple[Float[Tensor, "B 3 S S"], list[Float[Tensor, "B Z_s"]]]:
        """Images of the whole training split, and what each of `teachers` says of them.

        With K > 1 views, the student sees the very crop that its targets describe. With one, it sees a random crop
        while the target describes the whole image.
        """
        places, draws = batches.others(step), batches.draws(OTHERS, step)
        if self.boxes is None:
            views = torch.zeros(len(places), dtype=torch.int64)
            images = (batches.strong if self.settings.strong else batches.weak)(places, draws)
        else:
            views = torch.randint(len(self.boxes), (len(places),), generator=draws)
            images = batches.cropped(places, self.boxes[views, places])
        targets = [self.signals[name].pseudo_labels[views, places] for name in teachers]
        temperature = self.settings.temperature
        return images, [at_temperature(target.to(batches.device).float(), temperature) for target in targets]


class Distillation(Taught):
    """λ · cross-entropy on the labels + (1 - λ) · Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""

    def loss(self, student: Student, batches: Batches, step: int) -> Loss:
        """Of one step, in nats."""
        labeled_share = self.settings.labeled_share
        on_labels, features, targets = self.labels_and_others(student, batches, step)
        on_teachers = self.on_teachers(student, features, targets)
        loss = labeled_share * on_labels + (1 - labeled_share) * on_teachers
        return loss, {"labels": on_labels, "teachers": on_teachers}
