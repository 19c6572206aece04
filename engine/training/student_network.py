"""The student: a small network with a head over the task's classes and, while it learns, further heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import timm
import torch
from jaxtyping import Float
from torch import Tensor, nn

from engine.teachers import Network, create
from engine.training.data import StartWeights
from engine.training.spec import TrainSpec
from engine.training.streams import stream_seed


class Student(nn.Module):
    """`network` is φ with its head h, and is what ships; `heads` are the teachers' h_s, thrown away at the end."""

    def __init__(self, network: Network, heads: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.network = network
        self.heads = nn.ModuleDict(heads)

    def head_logits(self, features: Float[Tensor, "B D"]) -> list[Float[Tensor, "B Z_s"]]:
        """Logits over each teacher's classes, in the order of `heads`."""
        return [head(features) for head in self.heads.values()]


def build_student(
    spec: TrainSpec, classes: int, head_classes: Mapping[str, int], seed: int, start: StartWeights
) -> Student:
    """A student before its first step. `head_classes` gives Z_s by teacher.

    The head over the task's classes and each teacher's head start from streams of their own, so a head starts alike
    whichever other heads there are. start(architecture) gives ImageNet weights. Raises UnknownNameError for the
    architecture, UnavailableError for its weights.
    """
    with _seeded(seed, "body"):
        model = create(spec.architecture, classes)
    if spec.start == "imagenet":
        _load_body(model, start(spec.architecture))
    width = model.get_classifier().in_features
    with _seeded(seed, "head"):
        model.get_classifier().reset_parameters()
    heads = {}
    for teacher in sorted(head_classes):
        with _seeded(seed, f"head of {teacher}"):
            heads[teacher] = nn.Linear(width, head_classes[teacher])
    mean, std = input_statistics(spec.architecture)
    return Student(Network(model, mean, std), heads)


def input_statistics(architecture: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, for pixels in 0..1, with which an architecture's ImageNet weights were trained."""
    config = timm.get_pretrained_cfg(architecture)
    return (tuple(config.mean), tuple(config.std)) if config else ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def _load_body(model: Any, state: Mapping[str, Tensor]) -> None:
    """Load everything but the classifier, whose classes differ."""
    classifier = {id(parameter) for parameter in model.get_classifier().parameters()}
    foreign = {name for name, parameter in model.named_parameters() if id(parameter) in classifier}
    kept = {name: value for name, value in state.items() if name not in foreign}
    missing, unexpected = model.load_state_dict(kept, strict=False)
    if set(missing) - foreign or unexpected:
        raise RuntimeError(f"ImageNet weights and architecture disagree on {sorted({*missing, *unexpected} - foreign)}")


@contextmanager
def _seeded(seed: int, stream: str) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, stream))
        yield
