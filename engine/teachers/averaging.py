"""A start for a student: the average of the weights of teachers that were fine-tuned from the same ImageNet weights.

Networks that were fine-tuned from the same weights can be averaged parameter by parameter, and the average is a working
network (model soups, Wortsman and others, 2022, arXiv 2203.05482). Those that learned from other weights cannot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.teachers.catalogue import get_teacher
from engine.teachers.model import classifier_names, create, input_statistics
from engine.teachers.record import TeacherRecord
from engine.teachers.weights import imagenet_state, teacher_state
from engine.workspace import Workspace

# Ours: the cosine of a teacher's weights and ImageNet's from which on it counts as fine-tuned from them. Of the bundled
# teachers that were, it is .90 and more; of networks that were not, about 0.
FROM_IMAGENET = 0.5


@dataclass(frozen=True)
class AveragedWeights:
    """Weights of an architecture, and whose they are.

    state: parameters and buffers under timm's names; those of the classifier are ImageNet's. shares: of each teacher in
    the average; they sum to 1. Empty where no teacher fits, and the weights are ImageNet's alone.
    """

    state: Mapping[str, Tensor]
    shares: Mapping[str, float]


def averaged_weights(workspace: Workspace, weights: Mapping[str, float], architecture: str) -> AveragedWeights:
    """The average of those teachers that have this architecture and were fine-tuned from its ImageNet weights.

    weights: above 0, by teacher; of those that fit they are scaled to sum to 1. Raises UnavailableError or
    DamagedFileError for weights that cannot be had.
    """
    base = imagenet_state(workspace, architecture)
    with torch.device("meta"):  # its names alone are asked for
        classifier = classifier_names(create(architecture, 1))
    taking_part = [get_teacher(workspace, name) for name in sorted(weights) if weights[name] > 0]
    fitting = [  # each is read twice, so that one of them at a time takes memory
        record
        for record in taking_part
        if _alike(record, architecture) and _fine_tuned_from(base, teacher_state(workspace, record), classifier)
    ]
    if not fitting:
        return AveragedWeights(base, {})
    total = math.fsum(weights[record.name] for record in fitting)
    shares = {record.name: weights[record.name] / total for record in fitting}
    state = dict(base)
    averaged = [key for key, value in base.items() if value.is_floating_point() and key not in classifier]
    state |= {key: torch.zeros_like(base[key]) for key in averaged}
    for record in fitting:
        found = teacher_state(workspace, record)
        for key in averaged:
            state[key] += shares[record.name] * found[key]
    return AveragedWeights(state, shares)


def _alike(record: TeacherRecord, architecture: str) -> bool:
    """Whether its weights are of this architecture and expect the same pixels."""
    same_pixels = (tuple(record.mean), tuple(record.std)) == input_statistics(architecture)
    return record.has_network and record.architecture == architecture and same_pixels


def _fine_tuned_from(base: Mapping[str, Tensor], state: Mapping[str, Tensor], classifier: frozenset[str]) -> bool:
    """Whether the kernels and matrices of `state` point where those of `base` do; False where shapes differ."""
    compared = [key for key in base if key not in classifier]
    if any(key not in state or state[key].shape != base[key].shape for key in compared):
        return False
    kernels = [key for key in compared if base[key].dim() > 1]
    product = math.fsum(float((base[key] * state[key]).sum()) for key in kernels)
    squares = [math.fsum(float((found[key] ** 2).sum()) for key in kernels) for found in (base, state)]
    return product >= FROM_IMAGENET * math.sqrt(squares[0] * squares[1])
