"""Make the teachers: train those that are ours, and write the records of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import timm
import torch
from safetensors.torch import save
from timm.data.imagenet_info import ImageNetInfo
from torch import Tensor, nn

from assets.build.progress import say
from assets.build.recipes import RECIPES, Recipe
from assets.build.training import accuracy, build, fit, package_weights, seed_everything
from engine.errors import UnknownNameError
from engine.files import sha256, write_bytes, write_json

TEACHERS = Path(__file__).parents[1] / "teachers"
OUT = Path(__file__).parent / "out"
GFLOPS_NOTE = "multiply-accumulates / 1e9 of one image at input_size, convolutions and linear layers, as timm counts"
HALF = [0.5, 0.5, 0.5]  # mean and standard deviation of every network here


@dataclass(frozen=True)
class Published:
    """An ImageNet network that a package carries: only its record is ours."""

    architecture: str
    native_size: int  # pixels
    top_1: (
        float  # as the EfficientNet-Lite release gives it: github.com/tensorflow/tpu, models/official/efficientnet/lite
    )


PUBLISHED = {
    "imagenet-lite0": Published("tf_efficientnet_lite0", 224, 0.751),
    "imagenet-lite1": Published("tf_efficientnet_lite1", 240, 0.767),
    "imagenet-lite2": Published("tf_efficientnet_lite2", 260, 0.776),
}
_IMAGENET_SIZE = 112  # pixels: a quarter of the native cost, and our images are seldom larger
_CRANES = {134: "crane (bird)", 517: "crane (machine)"}  # the one name that two ImageNet classes share


def build_teachers(names: Sequence[str]) -> None:
    """Train the named teachers, or all bundled ones when none is named. Raises UnknownNameError."""
    known = [*RECIPES, *PUBLISHED]
    for name in names:
        if name not in known:
            raise UnknownNameError("teacher", name, known)
    bundled = [*PUBLISHED, *(name for name, recipe in RECIPES.items() if not recipe.development)]
    for name in names or bundled:
        if name in PUBLISHED:
            _write_published(name, PUBLISHED[name])
        else:
            _train(RECIPES[name])


def _train(recipe: Recipe) -> None:
    """Train one teacher, measure it with its weights as stored, and write both files."""
    pictures = recipe.pictures()
    train, test = pictures.of_split("train"), pictures.of_split("test")
    seed_everything(recipe.seed)
    model = build(recipe.architecture, len(pictures.classes), recipe.init)
    pixels = train.pixels(recipe.input_size, recipe.resize)
    state = fit(model, pixels, train.labels(), recipe.schedule, recipe.augmentation, recipe.seed, recipe.name)
    right = accuracy(model, state, test.pixels(recipe.input_size, recipe.resize), test.labels())
    say(f"{recipe.name}: {right:.4f} of {len(test.pictures):,} held-out images right")
    folder = OUT / "teachers" if recipe.development else TEACHERS
    weights = folder / f"{recipe.name}.safetensors"
    write_bytes(weights, save(state))
    write_json(
        folder / f"{recipe.name}.json",
        {
            "name": recipe.name,
            "title": recipe.title,
            "architecture": recipe.architecture,
            "classes": list(pictures.classes),
            "collection": recipe.collection,
            "parts": list(recipe.parts),
            "input_size": recipe.input_size,
            "mean": HALF,
            "std": HALF,
            "resize": recipe.resize,
            "init": recipe.init,
            "training_images": len(train.pictures),
            "held_out_images": len(test.pictures),
            "held_out_accuracy": round(right, 4),
            "accuracy_source": "measured",
            "accuracy_note": f"Measured on {recipe.held_out}, with the weights rounded as they are stored.",
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "gflops": multiply_accumulates(model, recipe.input_size),
            "gflops_note": GFLOPS_NOTE,
            "license": recipe.license,
            "seed": recipe.seed,
            "command": f"python -m assets.build teachers {recipe.name}",
            "weights": {"source": "bundled", "file": weights.name, "sha256": sha256(weights)},
        },
    )


def _write_published(name: str, published: Published) -> None:
    """Write the record of a network that stays in its package."""
    path = package_weights(published.architecture)
    model = timm.create_model(published.architecture)
    info = ImageNetInfo()
    write_json(
        TEACHERS / f"{name}.json",
        {
            "name": name,
            "title": f"ImageNet photographs, EfficientNet-Lite{name[-1]}",
            "architecture": published.architecture,
            "classes": [_CRANES.get(label, info.index_to_description(label)) for label in range(1000)],
            "collection": "imagenet",
            "parts": [],
            "input_size": _IMAGENET_SIZE,
            "mean": HALF,
            "std": HALF,
            "resize": "crop",
            "init": "published",
            "training_images": 1_281_167,
            "held_out_images": 50_000,
            "held_out_accuracy": published.top_1,
            "accuracy_source": "published",
            "accuracy_note": f"Published by the EfficientNet-Lite release for {published.native_size} px; "
            f"not measured again, and lower at the {_IMAGENET_SIZE} px used here.",
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "gflops": multiply_accumulates(model, _IMAGENET_SIZE),
            "gflops_note": GFLOPS_NOTE,
            "license": "Apache-2.0",
            "seed": None,
            "command": f"python -m assets.build teachers {name}",
            "weights": {
                "source": "package",
                "package": path.parents[1].name,
                "module_file": str(path.relative_to(path.parents[1])),
                "sha256": sha256(path),
            },
        },
    )
    say(f"{name}: record written")


def multiply_accumulates(model: nn.Module, size: int) -> float:
    """Billions of multiply-accumulates that `model` needs for one image of `size` pixels a side."""
    counts: list[int] = []

    def count(layer: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        counts.append(output.numel() * layer.weight[0].numel())

    hooks = [
        layer.register_forward_hook(count) for layer in model.modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    ]
    with torch.inference_mode():
        model.eval()(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return round(sum(counts) / 1e9, 4)
