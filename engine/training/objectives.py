"""What a step minimizes, for each objective. Each gives the loss and its parts; the loop does the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from engine.training import augment
from engine.training.data import TrainData
from engine.training.losses import at_temperature, consensus_loss, distillation_loss, fixmatch_loss, supervised_loss
from engine.training.spec import TrainSpec
from engine.training.streams import batch_positions, generator
from engine.training.student import Student


@dataclass(frozen=True)
class Batches:
    """Draws the images of a step. Every draw has its own stream, so that methods of one seed see the same ones."""

    spec: TrainSpec
    data: TrainData
    seed: int
    device: torch.device

    def labeled(self, step: int) -> tuple[Float[Tensor, "B 3 S S"], Int64[Tensor, " B"]]:
        """Weakly augmented labeled images and their labels."""
        places = batch_positions(self.seed, "labeled", len(self.data.labeled), self.spec.labeled_batch, step)
        pixels = self._pixels(self.data.labeled[places])
        draws = generator(self.seed, "labeled augmentation", step)
        return augment.weak(pixels, draws, flip=self.data.flip), self.data.labels[places].to(self.device)

    def others(self, step: int) -> Int64[Tensor, " B"]:
        """Positions of the step's images from the whole training split, labeled and unlabeled alike."""
        return batch_positions(self.seed, "unlabeled", len(self.data.images), self.spec.unlabeled_batch, step)

    def with_targets(
        self, step: int, teachers: Sequence[str]
    ) -> tuple[Float[Tensor, "B 3 S S"], list[Float[Tensor, "B Z_s"]]]:
        """Images of the whole training split, and what each of `teachers` says of them.

        With K > 1 views, the student sees the very crop that its targets describe. With one, it sees a random crop
        while the target describes the whole image.
        """
        places = self.others(step)
        draws = generator(self.seed, "unlabeled augmentation", step)
        if self.data.boxes is None:
            views = torch.zeros(len(places), dtype=torch.int64)
            augmented = augment.strong if self.spec.strong else augment.weak
            images = augmented(self._pixels(places), draws, flip=self.data.flip)
        else:
            views = torch.randint(len(self.data.boxes), (len(places),), generator=draws)
            images = augment.crop(self._pixels(places), self.data.boxes[views, places])
        targets = [self.data.signals[name].pseudo_labels[views, places] for name in teachers]
        return images, [at_temperature(target.to(self.device).float(), self.spec.temperature) for target in targets]

    def consensus(self, step: int) -> Float[Tensor, "B classes"]:
        """What the teachers agree on for the images of `with_targets`."""
        assert self.data.consensus is not None
        return self.data.consensus[self.others(step)].to(self.device).float()

    def weak_and_strong(self, step: int) -> tuple[Float[Tensor, "B 3 S S"], Float[Tensor, "B 3 S S"]]:
        """FixMatch's two views of images of the whole training split."""
        pixels = self._pixels(self.others(step))
        weak = augment.weak(pixels, generator(self.seed, "unlabeled augmentation", step), flip=self.data.flip)
        strong = augment.strong(pixels, generator(self.seed, "strong augmentation", step), flip=self.data.flip)
        return weak, strong

    def _pixels(self, places: Int64[Tensor, " B"]) -> UInt8[Tensor, "B 3 S S"]:
        return self.data.images[places].to(self.device, non_blocking=True)


Loss = tuple[Float[Tensor, ""], dict[str, Tensor]]  # the loss, and its parts by name for the curves
Objective = Callable[[Student, Batches, int], Loss]


def fine_tune(student: Student, batches: Batches, step: int) -> Loss:
    """Cross-entropy on the labeled images."""
    images, labels = batches.labeled(step)
    loss = supervised_loss(student.network(images)[1], labels)
    return loss, {"labels": loss}


def linear_probe(student: Student, batches: Batches, step: int) -> Loss:
    """Cross-entropy on the labeled images, with gradient to the head alone."""
    images, labels = batches.labeled(step)
    with torch.no_grad():
        features = student.network.features(images)
    loss = supervised_loss(student.network.classifier(features), labels)
    return loss, {"labels": loss}


def distill(student: Student, batches: Batches, step: int) -> Loss:
    """λ · cross-entropy on the labels + (1 − λ) · Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""
    spec = batches.spec
    if not spec.uses_unlabeled:
        return fine_tune(student, batches, step)
    on_labels, features, targets = _labels_and_others(student, batches, step)
    on_teachers = _on_teachers(student, batches, features, targets)
    loss = spec.labeled_share * on_labels + (1 - spec.labeled_share) * on_teachers
    return loss, {"labels": on_labels, "teachers": on_teachers}


def consensus(student: Student, batches: Batches, step: int) -> Loss:
    """λ · cross-entropy on the labels + (1 − λ) · cross-entropy with the consensus, both over the task's classes.

    With a teachers' share β, the second part is (1 − β) of that and β of the paper's loss on the same images.
    """
    spec = batches.spec
    if not spec.uses_unlabeled:
        return fine_tune(student, batches, step)
    on_labels, features, targets = _labels_and_others(student, batches, step)
    on_consensus = consensus_loss(student.network.classifier(features), batches.consensus(step))
    loss = spec.labeled_share * on_labels + (1 - spec.labeled_share) * (1 - spec.teachers_share) * on_consensus
    parts = {"labels": on_labels, "consensus": on_consensus}
    if targets:
        parts["teachers"] = _on_teachers(student, batches, features, targets)
        loss = loss + (1 - spec.labeled_share) * spec.teachers_share * parts["teachers"]
    return loss, parts


def fixmatch(student: Student, batches: Batches, step: int) -> Loss:
    """Cross-entropy on the labels + λ_u · FixMatch's consistency (Sohn et al. 2020, section 2.3)."""
    spec = batches.spec
    labeled, labels = batches.labeled(step)
    weak, strong = batches.weak_and_strong(step)
    with torch.no_grad():
        weak_logits = student.network(weak)[1]
    labeled_features, strong_features = _features(student, labeled, strong, spec.batch_norm)
    head = student.network.classifier
    on_labels = supervised_loss(head(labeled_features), labels)
    consistency, confident = fixmatch_loss(weak_logits, head(strong_features), spec.fixmatch_threshold)
    loss = on_labels + spec.fixmatch_weight * consistency
    return loss, {"labels": on_labels, "consistency": consistency, "confident share": confident}


BY_NAME: dict[str, Objective] = {
    "fine-tune": fine_tune,
    "linear-probe": linear_probe,
    "fixmatch": fixmatch,
    "distill": distill,
    "consensus": consensus,
}


def _labels_and_others(
    student: Student, batches: Batches, step: int
) -> tuple[Float[Tensor, ""], Float[Tensor, "U D"], list[Float[Tensor, "U Z_s"]]]:
    """The loss on the labels, the features of the other images, and what each teacher with a head says of those."""
    labeled, labels = batches.labeled(step)
    others, targets = batches.with_targets(step, list(student.heads))
    labeled_features, other_features = _features(student, labeled, others, batches.spec.batch_norm)
    return supervised_loss(student.network.classifier(labeled_features), labels), other_features, targets


def _on_teachers(
    student: Student, batches: Batches, features: Float[Tensor, "U D"], targets: list[Float[Tensor, "U Z_s"]]
) -> Float[Tensor, ""]:
    """Σ_s α_s · cross-entropy with teacher s's pseudo-labels."""
    alpha = [batches.data.signals[name].alpha for name in student.heads]
    return distillation_loss(student.head_logits(features), targets, alpha)


def _features(
    student: Student, labeled: Float[Tensor, "M 3 S S"], others: Float[Tensor, "U 3 S S"], batch_norm: str
) -> tuple[Float[Tensor, "M D"], Float[Tensor, "U D"]]:
    """Features of both batches: in one pass, so that they share BatchNorm's statistics, or in two."""
    if batch_norm == "separate":
        return student.network.features(labeled), student.network.features(others)
    features = student.network.features(torch.cat([labeled, others]))
    return features[: len(labeled)], features[len(labeled) :]
