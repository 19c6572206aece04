"""What a step's number decides: the learning rate, how much of the average stays, when there is a report."""

from __future__ import annotations

import math

from engine.training.spec import TrainSpec


def learning_rate(spec: TrainSpec, step: int) -> float:
    """The share of the peak learning rate at a step: a linear rise over the warm-up, then a cosine to 0."""
    rise = max(1, round(spec.warm_up * spec.steps))
    if step < rise:
        return (step + 1) / rise
    return 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, spec.steps - rise)))


def ema_decay(updates: int) -> float:
    """How much of the average stays at an update: min(.999, (1 + t) / (10 + t)): a short run forgets its start."""
    return min(0.999, (1 + updates) / (10 + updates))


def evaluation_steps(spec: TrainSpec) -> list[int]:
    """The steps after which the student is evaluated for the curve; the last step is always one of them."""
    count = min(spec.evaluations, spec.steps)
    return sorted({round(spec.steps * (i + 1) / count) for i in range(count)})
