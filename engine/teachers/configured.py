"""What timm's own configuration says of an architecture: how its networks want their images, and how they pool."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import timm
import torch
from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from engine.errors import InvalidInputError
from engine.teachers.model import build, check_architecture

POOLINGS = ("avg", "max", "token")  # that a user may choose: mean or largest value over all places, or the class token
USUAL_SIZE = 224  # pixels, where timm does not say


@dataclass(frozen=True)
class Configured:
    """An architecture as timm configures it. How an image becomes square is not in it: the task decides that here."""

    size: int  # pixels
    built_for: tuple[int, ...]  # height and width that its networks are built for; empty where they take any
    mean: tuple[float, float, float]  # of the normalization, for pixels in 0..1
    std: tuple[float, float, float]
    pooling: str  # as timm calls it, such as "avg"; empty where the network pools in a way of its own
    heads: tuple[str, ...]  # modules with its classes

    def size_arguments(self, size: int) -> dict[str, Any]:
        """Arguments with which timm builds it for images of `size` × `size` pixels."""
        return {"img_size": size} if self.built_for not in ((), (size, size)) else {}


@lru_cache(maxsize=64)
def timm_configuration(architecture: str) -> Configured:
    """timm's configuration of `architecture`, or of weights written as architecture.tag. Raises UnknownNameError, or
    InvalidInputError for one that timm cannot build.
    """
    check_architecture(architecture)
    found: Any = timm.get_pretrained_cfg(architecture)
    config = {} if found is None else dict(found.to_dict())
    heads = config.get("classifier") or ()
    size = tuple(int(length) for length in config.get("input_size") or (3, USUAL_SIZE, USUAL_SIZE))[1:]
    with torch.device("meta"):  # no weight is stored
        pooling = pooling_of(build(architecture, 0))
    return Configured(
        size=size[-1],
        built_for=size if config.get("fixed_input_size") else (),
        mean=tuple(config.get("mean") or IMAGENET_DEFAULT_MEAN),
        std=tuple(config.get("std") or IMAGENET_DEFAULT_STD),
        pooling=pooling,
        heads=(heads,) if isinstance(heads, str) else tuple(heads),
    )


def pooling_of(model: Any) -> str:
    """How a timm model makes one vector of the places of an image, as timm calls it; empty if it does not say."""
    for module in (model, getattr(model, "head", None)):
        pool = getattr(module, "global_pool", None)
        name = pool if isinstance(pool, str) else getattr(pool, "pool_type", "")
        if name:
            return str(name)
    return ""


def pooling_arguments(architecture: str, pooling: str | None) -> dict[str, Any]:
    """Arguments with which timm builds `architecture` so that it pools as asked; none where it does so by itself.

    Raises InvalidInputError for a pooling that there is not, or that the architecture does not have.
    """
    if pooling is None:
        return {}
    own = timm_configuration(architecture).pooling
    if pooling == own:
        return {}
    if pooling not in POOLINGS:
        raise InvalidInputError(f"{pooling[:40]!r} is no pooling: choose one of {', '.join(POOLINGS)}.")
    arguments = {"global_pool": pooling}
    with torch.device("meta"):
        if not own or pooling_of(build(architecture, 0, arguments)) != pooling:
            raise InvalidInputError(f"{architecture} cannot pool by {pooling!r}: leave its own pooling.")
    return arguments
