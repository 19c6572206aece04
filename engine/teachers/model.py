"""How a model is built, and what it costs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import timm
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.teachers.record import TeacherRecord
from engine.teachers.weights import teacher_state
from engine.workspace import Workspace

LONGEST_NAME = 80  # letters of a name in a message


class Network(nn.Module):
    """A timm model whose forward gives pooled penultimate features and logits, with its normalization inside.

    Takes pixels `[B, 3, S, S]` in 0..255, of any number type; gives features `[B, D]` and logits `[B, Z]`, where Z is 0
    for a network without classes.
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
        features: Tensor = self.model.forward_head(self._unpooled(pixels), pre_logits=True)  # [B, D]
        return features

    def _unpooled(self, pixels: Tensor) -> Any:
        x = pixels.to(self.scale.dtype) * self.scale - self.shift
        return self.model.forward_features(x.contiguous(memory_format=torch.channels_last))

    @property
    def classifier(self) -> nn.Linear:
        """The linear head over pooled features."""
        head: nn.Linear = self.model.get_classifier()
        return head

    def forward(
        self, pixels: UInt8[Tensor, "B 3 S S"] | Float[Tensor, "B 3 S S"]
    ) -> tuple[Float[Tensor, "B D"], Float[Tensor, "B Z"]]:
        """Features and logits."""
        x, head = self._unpooled(pixels), self.model.get_classifier()
        features = self.model.forward_head(x, pre_logits=True)
        if isinstance(head, nn.Linear):
            return features, head(features)
        # Some heads normalize first, or are two. Without a head there are no classes.
        return features, self.model.forward_head(x) if self.model.num_classes else features[:, :0]


def check_architecture(architecture: str) -> None:
    """Raises UnknownNameError for a name that timm does not know, also of weights behind a dot."""
    if not timm.is_model(architecture):
        raise UnknownNameError("timm architecture", architecture[:LONGEST_NAME], timm.list_models())
    try:
        timm.get_pretrained_cfg(architecture)
    except RuntimeError as error:
        known = timm.list_models(f"{architecture.partition('.')[0]}.*", pretrained=True)
        raise UnknownNameError("timm architecture", architecture[:LONGEST_NAME], known) from error


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


@lru_cache(maxsize=64)  # building it takes 0.1 s and more, and a page asks at every change of its form
def check_student(architecture: str) -> None:
    """Raises as `create` for an architecture that cannot be a student. No weight is stored."""
    with torch.device("meta"):
        create(architecture, 1)


def classifier_names(model: Any) -> frozenset[str]:
    """The names of the parameters of a timm model's classifier, which belong to its classes."""
    own = {id(parameter) for parameter in model.get_classifier().parameters()}
    return frozenset(name for name, parameter in model.named_parameters() if id(parameter) in own)


def input_statistics(architecture: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation, for pixels in 0..1, with which an architecture's ImageNet weights were trained."""
    config = timm.get_pretrained_cfg(architecture)
    return (tuple(config.mean), tuple(config.std)) if config else ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def build(architecture: str, classes: int, arguments: Mapping[str, Any] | None = None) -> Any:
    """A timm model with random weights and its own kind of head over `classes`, or without a head where that is 0.

    `arguments` are the architecture's own. Raises UnknownNameError, or InvalidInputError for what timm cannot build.
    """
    check_architecture(architecture)
    try:
        model: Any = timm.create_model(architecture, num_classes=classes, **(arguments or {}))
    except Exception as error:  # each architecture refuses arguments in its own way
        given = ", ".join(f"{name}={value!r}" for name, value in (arguments or {}).items()) or "no arguments"
        raise InvalidInputError(
            f"timm cannot build {architecture} with {given} ({_last_line(error)}): choose another size or architecture."
        ) from error
    return model.to(memory_format=torch.channels_last)


def load_teacher(workspace: Workspace, record: TeacherRecord, device: torch.device) -> Network:
    """A teacher, ready to be run: its weights checked and loaded, no gradient, in evaluation mode.

    Raises DamagedFileError if the weights do not fit the architecture.
    """
    state = teacher_state(workspace, record)
    model = build(record.architecture, len(record.classes), dict(record.model_args))
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise DamagedFileError(
            f"The weights of teacher {record.name!r} do not fit {record.architecture}: {_last_line(error)}"
        ) from error
    return Network(model, record.mean, record.std).to(device).eval().requires_grad_(False)


def cost(architecture: str, classes: int, size: int, arguments: Mapping[str, Any] | None = None) -> tuple[int, float]:
    """Parameters, and multiply-accumulates / 1e9 of one image of `size` × `size` pixels.

    On PyTorch's meta device: no weight and no number is stored, however large the network is. Attention is counted as
    its two matrix products, since versions of PyTorch count a fused kernel differently. Raises as `build`.
    """
    from torch.utils.flop_counter import FlopCounterMode  # it loads 75 MB, and is asked for once a network at most

    with torch.device("meta"), torch.no_grad():
        model = build(architecture, classes, arguments).eval().requires_grad_(False)
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, 3, size, size))
    # The counter counts a multiply-accumulate as two operations.
    return sum(p.numel() for p in model.parameters()), counter.get_total_flops() / 2e9


def trial(network: Network, size: int) -> int:
    """Run two made-up images of `size` × `size` pixels through a network; gives the width D of its features.

    Raises InvalidInputError if what comes out is not one vector of finite numbers per image, if it is the same for
    both, or if the classes are not those that the network gives when it is asked in one piece.
    """
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 255
    network.eval()
    try:
        with torch.inference_mode():
            features, logits = network(pixels)
            whole = network.model((pixels * network.scale - network.shift).contiguous()) if logits.shape[1] else None
    except Exception as error:  # each architecture refuses a size in its own way
        raise InvalidInputError(
            f"The network cannot take an image of {size} × {size} pixels ({_last_line(error)}): choose another size."
        ) from error
    if not isinstance(features, Tensor) or features.ndim != 2:
        raise InvalidInputError("The network gives no vector of features per image: choose another architecture.")
    if not (torch.isfinite(features.half()).all() and torch.isfinite(logits).all()):
        raise InvalidInputError(
            "The network gives numbers that are infinite, or no number, for a trial image: its weights, mean or "
            "standard deviation are not those it was trained with."
        )
    if torch.equal(features[0], features[1]):
        raise InvalidInputError(
            "The network gives the same features for different images, so it tells nothing apart: its weights are not "
            "those that were trained."
        )
    if whole is not None and not (
        isinstance(whole, Tensor) and whole.shape == logits.shape and torch.allclose(whole, logits, 1e-3, 1e-3)
    ):
        raise InvalidInputError(
            "The classes of this architecture are not a function of its pooled features: add it without class names, "
            "so that its features alone are used, or choose another."
        )
    return int(features.shape[1])


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return (lines[-1].strip() if lines else type(error).__name__)[:300]
