"""The student: a small network with a head over the task's classes and, while it learns, further heads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from engine.teachers import Network, classifier_names, create, input_statistics
from engine.training.data import StartWeights
from engine.training.segments import Segments
from engine.training.spec import TrainSpec
from engine.training.streams import stream_seed


class Heads(nn.Module):
    """The teachers' linear heads h_s side by side, as one product; in files each has its own name and tensors.

    heads: in the order of their columns. `segments` is the softmax over each head's own.
    """

    def __init__(self, heads: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.sizes = {teacher: head.out_features for teacher, head in heads.items()}
        self.weight = nn.Parameter(torch.cat([head.weight.detach() for head in heads.values()]))  # [ΣZ, D]
        self.bias = nn.Parameter(torch.cat([head.bias.detach() for head in heads.values()]))  # [ΣZ]
        self.segments = Segments(list(self.sizes.values()))
        self.register_state_dict_post_hook(_written_apart)  # type: ignore[no-untyped-call]  # PyTorch gives it no types
        self.register_load_state_dict_pre_hook(_read_apart)  # type: ignore[no-untyped-call]  # PyTorch gives it no types

    def forward(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B S"]:
        """Logits over all teachers' classes."""
        return F.linear(features, self.weight, self.bias)

    def apart(self, name: str, value: Tensor) -> dict[str, Tensor]:
        """Each head's part of what has a row for each class, as views, by "<teacher>.<name>"."""
        parts = torch.split(value, list(self.sizes.values()))
        return {f"{teacher}.{name}": part for teacher, part in zip(self.sizes, parts, strict=True)}


class Student(nn.Module):
    """`network` is φ with its head h, and is what ships; `heads` are the teachers', thrown away at the end."""

    def __init__(self, network: Network, heads: Mapping[str, nn.Linear]) -> None:
        super().__init__()
        self.network = network
        self.heads = Heads(heads) if heads else None

    @property
    def teaching_heads(self) -> Heads:
        """The teachers' heads of a student that has some."""
        assert self.heads is not None
        return self.heads

    def apart(self, name: str, value: Tensor) -> dict[str, Tensor]:
        """A tensor in the shape of the parameter of that name, as files have it: heads by teacher."""
        room, _, inner = name.partition(".")
        if self.heads is None or room != "heads":
            return {name: value}
        return {f"heads.{key}": part for key, part in self.heads.apart(inner, value).items()}


def build_student(
    spec: TrainSpec, classes: int, head_classes: Mapping[str, int], seed: int, start: StartWeights
) -> Student:
    """A student before its first step. `head_classes` gives Z_s by teacher.

    The head over the task's classes and each teacher's head start from streams of their own, so a head starts alike
    whichever other heads there are. start(architecture) gives the first weights. Raises UnknownNameError for the
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
    for teacher in head_classes:
        with _seeded(seed, f"head of {teacher}"):
            heads[teacher] = nn.Linear(width, head_classes[teacher])
    mean, std = input_statistics(spec.architecture)
    return Student(Network(model, mean, std), heads)


def _load_body(model: Any, state: Mapping[str, Tensor]) -> None:
    """Load everything but the classifier, whose classes differ."""
    foreign = classifier_names(model)
    kept = {name: value for name, value in state.items() if name not in foreign}
    missing, unexpected = model.load_state_dict(kept, strict=False)
    if set(missing) - foreign or unexpected:
        raise RuntimeError(f"First weights and architecture disagree on {sorted({*missing, *unexpected} - foreign)}")


def _written_apart(module: Any, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Each head under its teacher's name, as version 0.1 wrote them."""
    for name in ("weight", "bias"):
        parts = module.apart(name, state.pop(prefix + name))
        state |= {prefix + key: part for key, part in parts.items()}


def _read_apart(module: Any, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Heads under their teachers' names become one; what does not fit is left, and reported as unexpected."""
    for name in ("weight", "bias"):
        expected = {prefix + key: part for key, part in module.apart(name, getattr(module, name)).items()}
        if all(key in state and state[key].shape == part.shape for key, part in expected.items()):
            state[prefix + name] = torch.cat([state.pop(key) for key in expected])


@contextmanager
def _seeded(seed: int, stream: str) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, stream))
        yield
