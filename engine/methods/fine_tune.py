"""Fine-tuning: the labels alone. What every other method is held against."""

from __future__ import annotations

from dataclasses import dataclass

from engine.methods.method import Material, Method, Settings
from engine.training import Objective, OnLabels


@dataclass(frozen=True)
class FineTune(Settings):
    """It has no settings of its own."""

    def prepare(self, material: Material) -> Objective:
        """Nothing: the labels are all that it takes."""
        return OnLabels()


METHOD = Method(
    key="fine-tune",
    title="Fine-tuning",
    summary="The student starts from ImageNet and learns from your labels alone.",
    paper='"IN + transfer" in Borup, Phoo and Hariharan, ICCV 2023, arXiv 2304.12314',
    settings=FineTune,
    preselected=True,
    baseline=True,
)
