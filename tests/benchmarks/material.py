"""Made-up teachers for benchmarks, as many as are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from engine.methods.made_up import MadeUp


@dataclass(frozen=True)
class Teachers(MadeUp):
    """Several made-up teachers, with `number` classes each."""

    names: tuple[str, ...] = ("t0",)
    number: int = 1

    @property
    def alpha(self) -> dict[str, float]:
        """All alike."""
        return {name: 1 / len(self.names) for name in self.names}

    def features(self) -> dict:
        """The same noise of each."""
        (found,) = super().features().values()
        return dict.fromkeys(self.names, found)

    def pseudo_labels(self, views: int) -> dict:
        """Noise, the same of each, in half precision as real ones are."""
        (found,) = super().pseudo_labels(views).values()
        shape = (*found.shape[:2], self.number)
        noise = torch.rand(shape, generator=torch.Generator().manual_seed(0)).softmax(2).half()
        return dict.fromkeys(self.names, noise)
