"""Material of noise in the shape of a real run's, for measuring how fast a method trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Float16
from torch import Tensor

from engine.training.throughput import CLASSES, IMAGES

TEACHER = "made-up"
TEACHER_CLASSES, DIMENSIONS = 300, 64  # they hardly move the time of a step


@dataclass(frozen=True)
class MadeUp:
    """One teacher that says something of every image of `engine.training.throughput.made_up`."""

    threads: int | None = None
    classes: int = CLASSES

    @property
    def labeled(self) -> npt.NDArray[np.int64]:
        """As there: the first half."""
        return np.arange(IMAGES // 2)

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Some of every class."""
        return self.labeled % self.classes

    @property
    def alpha(self) -> Mapping[str, float]:
        """All on the one teacher."""
        return {TEACHER: 1.0}

    def features(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Noise `[n, d]`."""
        return {TEACHER: np.random.default_rng(0).standard_normal((IMAGES, DIMENSIONS), dtype=np.float32)}

    def pseudo_labels(self, views: int) -> Mapping[str, Float16[Tensor, "views n Z"]]:
        """Noise, the same for every view."""
        noise = torch.rand(1, IMAGES, TEACHER_CLASSES, generator=torch.Generator().manual_seed(0))
        return {TEACHER: noise.softmax(2).half().expand(views, -1, -1)}

    def boxes(self, views: int) -> Float[Tensor, "views n 5"]:
        """The whole image each time."""
        return torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0]).expand(views, IMAGES, 5)

    def progress(self, stage: str, done: int = 0, total: int | None = None, unit: str = "images") -> None:
        """Nobody is told."""
