"""Steps one after the other, on a device that does what it is told when it is told: a CPU, or Apple's GPU."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import torch

from engine.training.batches import IMAGES, Batches, Inputs, RowTable, RowTables, batch_of, read_ahead
from engine.training.objective import Objective
from engine.training.schedule import ema_decay, learning_rate
from engine.training.spec import TrainSpec
from engine.training.state import Rates, State
from engine.training.streams import stream_seed

Say = Callable[[str], None]  # what who watches a run should know


class Steps(Protocol):
    """How steps are taken on a device."""

    def take(self, step: int) -> None:
        """Take the step of that number. Raises torch.OutOfMemoryError."""

    def begin_anew(self) -> None:
        """Forget what was prepared for a step, since steps have other parts from now on."""

    def close(self) -> None:
        """Nothing more will be taken."""


class HostSteps:
    """The host draws a step, reads its images, and hands both to the device."""

    def __init__(self, state: State, batches: Batches) -> None:
        self.state, self.batches = state, batches
        tables = all_tables(state.objective, batches)
        self.read_ahead = {name: table for name, table in tables.items() if table.by}
        self.there = {name: table.on(state.device) for name, table in tables.items() if not table.by}

    def take(self, step: int) -> None:
        """Draw, read, learn."""
        seed_layers(self.batches.seed, step)
        state = self.state
        inputs = read_ahead(state.objective.inputs(self.batches, step), self.read_ahead)
        there: Inputs = {
            group: {name: value.to(state.device, non_blocking=True) for name, value in drawn.items()}
            for group, drawn in inputs.items()
        }
        batch = batch_of(there, self.there, state.spec.batch_norm)
        state.step(batch, Rates(**rates_at(state.spec, state.objective, step)))

    def begin_anew(self) -> None:
        """Nothing was prepared."""

    def close(self) -> None:
        """Nothing is held."""


def all_tables(objective: Objective, batches: Batches) -> RowTables:
    """What is known of every image: its pixels, and what the method knows."""
    return {IMAGES: RowTable((batches.data.images,), of=("labeled", "others")), **objective.tables}


def rates_at(spec: TrainSpec, objective: Objective, step: int) -> Mapping[str, float]:
    """The learning rates of a step, and how much of the average stays, which starts as the first result."""
    rate = spec.learning_rate * learning_rate(spec, step)
    return {"network": rate * 1.0, "heads": rate * objective.head_factor, "decay": ema_decay(step) if step else 0.0}


def seed_layers(seed: int, step: int) -> None:
    """Dropout and stochastic depth draw from a stream of their own in each step."""
    torch.manual_seed(stream_seed(seed, "layers", step))
