"""The losses, as the papers write them. Shapes: B images, C classes of the task, Z_s classes of teacher s."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from engine.training.segments import Segments


def distillation_loss(
    log_probabilities: Float[Tensor, "B S"], pseudo_labels: Float[Tensor, "B S"], alpha: Float[Tensor, " S"]
) -> Float[Tensor, ""]:
    """Σ_s α_s · mean over images of CE(q_s, softmax(h_s∘φ)) in nats (Borup et al. 2023, the distillation term).

    All teachers' classes stand side by side, S = ΣZ_s; alpha repeats each teacher's for each of its classes.
    """
    return -((pseudo_labels * log_probabilities).mean(0) * alpha).sum()


def consensus_loss(logits: Float[Tensor, "B C"], consensus: Float[Tensor, "B C"]) -> Float[Tensor, ""]:
    """Mean over images of CE(consensus, softmax(h∘φ)) in nats, 0 or more: what all teachers say teaches the own head.

    Ours; the consensus sums to 1 over the task's C classes (engine.consensus).
    """
    return F.cross_entropy(logits, consensus)


def at_temperature(pseudo_labels: Float[Tensor, "B S"], temperature: float, segments: Segments) -> Float[Tensor, "B S"]:
    """Pseudo-labels at another temperature: q^(1/T), renormalized for each teacher; the same as softmax(logits / T).

    Computed from logarithms, so that no temperature makes all of a row 0.
    """
    if temperature == 1:
        return pseudo_labels
    found: Tensor = segments(pseudo_labels.log() / temperature).exp()
    return found


def fixmatch_loss(
    weak_logits: Float[Tensor, "B C"], strong_logits: Float[Tensor, "B C"], threshold: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """FixMatch's unlabeled loss (Sohn et al. 2020, equation 4) in nats, and the share of images above `threshold`.

    The mean runs over all B images; one that is not confident adds 0. No gradient reaches `weak_logits`.
    """
    confidence, target = weak_logits.detach().softmax(dim=1).max(dim=1)
    confident = (confidence >= threshold).float()
    losses = F.cross_entropy(strong_logits, target, reduction="none")
    return (losses * confident).mean(), confident.mean()


def supervised_loss(logits: Float[Tensor, "B C"], labels: Int64[Tensor, " B"]) -> Float[Tensor, ""]:
    """Mean cross-entropy in nats."""
    return F.cross_entropy(logits, labels)
