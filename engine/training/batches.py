"""The images of a step. Every draw has its own stream, so that methods of one seed see the same ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from engine.training import augment
from engine.training.data import TrainData
from engine.training.spec import TrainSpec
from engine.training.streams import batch_positions, generator

OTHERS = "unlabeled augmentation"  # the stream of what befalls a step's other images


@dataclass(frozen=True)
class Batches:
    """Draws the images of a step."""

    spec: TrainSpec
    data: TrainData
    seed: int
    device: torch.device

    def labeled(self, step: int) -> tuple[Float[Tensor, "B 3 S S"], Int64[Tensor, " B"]]:
        """Weakly augmented labeled images and their labels."""
        places = batch_positions(self.seed, "labeled", len(self.data.labeled), self.spec.labeled_batch, step)
        draws = self.draws("labeled augmentation", step)
        return self.weak(self.data.labeled[places], draws), self.data.labels[places].to(self.device)

    def others(self, step: int) -> Int64[Tensor, " B"]:
        """Positions of the step's images from the whole training split, labeled and unlabeled alike."""
        return batch_positions(self.seed, "unlabeled", len(self.data.images), self.spec.unlabeled_batch, step)

    def draws(self, stream: str, step: int) -> torch.Generator:
        """What a step draws from the stream of that name."""
        return generator(self.seed, stream, step)

    def weak(self, places: Int64[Tensor, " B"], draws: torch.Generator) -> Float[Tensor, "B 3 S S"]:
        """Images at these positions, each in a random crop and, where the task allows, flip."""
        return augment.weak(self._pixels(places), draws, flip=self.data.flip)

    def strong(self, places: Int64[Tensor, " B"], draws: torch.Generator) -> Float[Tensor, "B 3 S S"]:
        """Images at these positions in FixMatch's strong view."""
        drawn = augment.random_strong(len(places), self.spec.size, draws, flip=self.data.flip)
        return augment.strong(self._pixels(places), augment.StrongDraws(*(one.to(self.device) for one in drawn)))

    def cropped(self, places: Int64[Tensor, " B"], boxes: Float[Tensor, "B 5"]) -> Float[Tensor, "B 3 S S"]:
        """Images at these positions, each cropped to its box."""
        return augment.crop(self._pixels(places), boxes)

    def _pixels(self, places: Int64[Tensor, " B"]) -> UInt8[Tensor, "B 3 S S"]:
        return self.data.images[places].to(self.device, non_blocking=True)
