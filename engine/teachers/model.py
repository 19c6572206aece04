"""How a model is built, and what it costs."""

from __future__ import annotations

from typing import Any

import timm
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.teachers.record import TeacherRecord
from engine.teachers.weights import teacher_state


class Network(nn.Module):
    """A timm model whose forward gives pooled penultimate features and logits, with its normalization inside.

    Takes pixels `[B, 3, S, S]` in 0..255, of any number type; gives features `[B, D]` and logits `[B, Z]`.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.model: Any = model  # timm gives its models no common type
        self.register_buffer("scale", 1 / (255 * torch.tensor(std)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("shift", (torch.tensor(mean) / torch.tensor(std)).view(1, 3, 1, 1), persistent=False)

    def features(self, pixels: UInt8[Tensor, "B 3 S S"] | Float[Tensor, "B 3 S S"]) -> Float[Tensor, "B D"]:
        """Pooled penultimate output."""
        x = pixels.to(self.scale.dtype) * self.scale - self.shift
        x = self.model.forward_features(x.contiguous(memory_format=torch.channels_last))
        features: Tensor = self.model.forward_head(x, pre_logits=True)  # [B, D]
        return features

    @property
    def classifier(self) -> nn.Linear:
        """The linear head over pooled features."""
        head: nn.Linear = self.model.get_classifier()
        return head

    def forward(
        self, pixels: UInt8[Tensor, "B 3 S S"] | Float[Tensor, "B 3 S S"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B Z"]]:
        """Features and logits."""
        features = self.features(pixels)
        return features, self.classifier(features)


def check_architecture(architecture: str) -> None:
    """Raises UnknownNameError for a name that timm does not know."""
    if not timm.is_model(architecture):
        raise UnknownNameError("timm architecture", architecture, timm.list_models())


def create(architecture: str, classes: int) -> Any:
    """A timm model with random weights and a linear head over `classes`. Raises UnknownNameError, or
    InvalidInputError for an architecture without pooled features under a linear head.
    """
    check_architecture(architecture)
    model: Any = timm.create_model(architecture, num_classes=classes)
    if not isinstance(model.get_classifier(), nn.Linear):
        raise InvalidInputError(
            f"The architecture {architecture!r} has no linear head over pooled features: choose another one."
        )
    return model.to(memory_format=torch.channels_last)


def load_teacher(record: TeacherRecord, device: torch.device) -> Network:
    """A teacher, ready to be run: its weights checked and loaded, no gradient, in evaluation mode.

    Raises DamagedFileError if the weights do not fit the architecture.
    """
    state = teacher_state(record)
    model = create(record.architecture, len(record.classes))
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DamagedFileError(
            f"The weights of teacher {record.name!r} do not fit {record.architecture}: {_last_line(error)}"
        ) from error
    return Network(model, record.mean, record.std).to(device).eval().requires_grad_(False)


def cost(architecture: str, classes: int, size: int) -> tuple[int, float]:
    """Parameters, and multiply-accumulates / 1e9 of one image of `size` × `size` pixels. Raises as `create`."""
    model = create(architecture, classes).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, 3, size, size))
    # The counter counts a multiply-accumulate as two operations.
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() / 2e9


def _last_line(error: Exception) -> str:
    return str(error).splitlines()[-1].strip()
