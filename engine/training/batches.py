"""The images of a step, in two halves: what the CPU draws for it, ahead if need be, and what the device makes of that.

Every draw has its own stream, so that methods of one seed see the same images.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from engine.training import augment
from engine.training.data import Rows, TrainData
from engine.training.spec import BatchNorm, TrainSpec
from engine.training.streams import batch_positions, generator

OTHERS_STREAM = "unlabeled augmentation"  # of what befalls a step's other images
IMAGES = "images"  # the table that every method reads

COPIED = 2**26  # bytes in one copy to a device, at most: of a mapped file no more is in memory at a time

GroupName: TypeAlias = Literal["labeled", "others"]
Drawn: TypeAlias = Mapping[str, Tensor]  # of one group of images: tensors `[B, ...]` by name, on the CPU until used
Inputs: TypeAlias = Mapping[GroupName, Drawn]  # all that one step draws


@dataclass(frozen=True)
class RowTable:
    """What is known of every image of the training split: a step reads its rows, and never the whole.

    parts: tensors `[*by, ...]` whose rows are read side by side. by: the drawn positions that choose a row. of: the
    groups of images that it is read for. One that no position chooses from is the same for every image.
    """

    parts: tuple[Rows, ...]
    by: tuple[str, ...] = ("places",)
    of: tuple[GroupName, ...] = ("others",)

    def rows(self, drawn: Drawn) -> Tensor:
        """The rows `[B, ...]` of drawn images."""
        index = tuple(drawn[name] for name in self.by)
        found = [part[index] for part in self.parts]
        return found[0] if len(found) == 1 else torch.cat(found, dim=-1)

    @property
    def nbytes(self) -> int:
        """What the whole of it takes."""
        return sum(part.nbytes for part in self.parts)

    def on(self, device: torch.device) -> RowTable:
        """The whole of it on a device, all parts in one tensor."""
        widths = [part.shape[-1] for part in self.parts]
        shape = (*self.parts[0].shape[:-1], sum(widths))
        whole = torch.empty(shape, dtype=self.parts[0].dtype, device=device)
        for part, columns in zip(self.parts, torch.split(whole, widths, dim=-1), strict=True):
            if not self.by:
                columns.copy_(part[:])
                continue
            *before, rows = part.shape[: len(self.by)]
            step = max(1, COPIED * math.prod((*before, rows)) // max(1, part.nbytes))
            for *fixed, start in product(*(range(count) for count in before), range(0, rows, step)):
                places = torch.arange(start, min(start + step, rows))
                found = part[(*(torch.full_like(places, one) for one in fixed), places)]
                columns[tuple(fixed)][start : start + step].copy_(found)
        return replace(self, parts=(whole,))


RowTables: TypeAlias = Mapping[str, RowTable]


@dataclass(frozen=True)
class Batches:
    """Draws, on the CPU, what a step takes: a function of the seed and the step alone."""

    spec: TrainSpec
    data: TrainData
    seed: int

    def labeled(self, step: int) -> Drawn:
        """Labeled images: their `places` in the training split, `labels` and `boxes` to crop them to."""
        places = batch_positions(self.seed, "labeled", len(self.data.labeled), self.spec.labeled_batch, step)
        boxes = self.weak(len(places), self.draws("labeled augmentation", step))
        return {"places": self.data.labeled[places], "labels": self.data.labels[places], "boxes": boxes}

    def others(self, step: int) -> Int64[Tensor, " B"]:
        """Positions of the step's images from the whole training split, labeled and unlabeled alike."""
        return batch_positions(self.seed, "unlabeled", len(self.data.images), self.spec.unlabeled_batch, step)

    def draws(self, stream: str, step: int) -> torch.Generator:
        """What a step draws from the stream of that name."""
        return generator(self.seed, stream, step)

    def weak(self, count: int, draws: torch.Generator) -> Float[Tensor, "count 5"]:
        """Boxes of `count` weak views: a random crop and, where the task allows, flip."""
        return augment.random_boxes(count, draws, flip=self.data.flip)

    def strong(self, count: int, draws: torch.Generator) -> Drawn:
        """What `count` strong views of FixMatch are drawn as, for `Group.strong`."""
        found = augment.strong_draws(count, self.spec.size, draws, flip=self.data.flip)
        return {f"strong {name}": value for name, value in found.items()}


@dataclass(frozen=True)
class Group:
    """Images of a step that are treated alike: what was drawn for them, and what the tables say of them."""

    drawn: Drawn
    tables: RowTables

    def __getitem__(self, name: str) -> Tensor:
        """What was drawn under a name."""
        return self.drawn[name]

    def rows(self, table: str) -> Tensor:
        """What a table says of these images, unless it was read ahead."""
        return self.drawn[table] if table in self.drawn else self.tables[table].rows(self.drawn)

    def parts(self, count: int) -> list[Group]:
        """These images in `count` groups of about equal size."""
        split = {name: torch.tensor_split(value, count) for name, value in self.drawn.items()}
        return [Group({name: parts[i] for name, parts in split.items()}, self.tables) for i in range(count)]

    @cached_property
    def pixels(self) -> UInt8[Tensor, "B 3 S S"]:
        """The images as they are."""
        return self.rows(IMAGES)

    def weak(self) -> Float[Tensor, "B 3 S S"]:
        """Each image cropped to its box."""
        return augment.crop(self.pixels, self["boxes"])

    def strong(self) -> Float[Tensor, "B 3 S S"]:
        """Each image in the strong view that was drawn for it."""
        drawn = {
            name.removeprefix("strong "): value for name, value in self.drawn.items() if name.startswith("strong ")
        }
        return augment.apply_strong(self.pixels, drawn)


@dataclass(frozen=True)
class Batch:
    """A step's images as a loss takes them, all on one device."""

    groups: Mapping[GroupName, Group]
    batch_norm: BatchNorm

    def parts(self, count: int) -> Iterator[tuple[dict[GroupName, float], Batch]]:
        """The batch in `count` micro-batches of about equal size, each with its share of every group's images."""
        if count == 1:
            yield dict.fromkeys(self.groups, 1.0), self
            return
        split = {name: group.parts(count) for name, group in self.groups.items()}
        for groups in zip(*split.values(), strict=True):
            part = dict(zip(split, groups, strict=True))
            shares = {name: len(group["places"]) / len(self.groups[name]["places"]) for name, group in part.items()}
            yield shares, Batch(part, self.batch_norm)

    @property
    def labeled(self) -> Group:
        """Labeled images."""
        return self.groups["labeled"]

    @property
    def others(self) -> Group:
        """Images of the whole training split, for methods that take them."""
        return self.groups["others"]


def batch_of(inputs: Inputs, tables: RowTables, batch_norm: BatchNorm) -> Batch:
    """The images of a step from what was drawn for it."""
    return Batch({name: Group(drawn, tables) for name, drawn in inputs.items()}, batch_norm)


def read_ahead(inputs: Inputs, tables: RowTables) -> Inputs:
    """What was drawn, with the rows of these tables beside it: what a device needs that does not hold the tables."""
    return {
        group: {**drawn, **{name: table.rows(drawn) for name, table in tables.items() if group in table.of}}
        for group, drawn in inputs.items()
    }
