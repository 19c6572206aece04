"""What the loop minimizes. Each method of engine.methods gives one; training itself knows none by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float
from torch import Tensor

from engine.training.batches import Batch, Batches, GroupName, Inputs, RowTables
from engine.training.losses import supervised_loss
from engine.training.student_network import Student


@dataclass(frozen=True)
class Term:
    """One part of a loss: a mean over a group of a step's images.

    weight: its share of the loss, which may change from step to step as what a step draws does; None for what is shown
    beside the loss, and is no part of it.
    """

    value: Float[Tensor, ""]
    of: GroupName
    weight: float | Float[Tensor, ""] | None = 1.0


Loss: TypeAlias = Mapping[str, Term]  # its parts by name, for the curves; what is minimized is their weighted sum


@dataclass(frozen=True, eq=False)
class Opinion:
    """What a student learns of each image of the training split, where that is over the task's own classes.

    probabilities: `[N, C]`. from_labels: the same from some of the labels alone, of which it is given the positions
    among the labeled images.
    """

    probabilities: Float[Tensor, "N C"]
    from_labels: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.float32]]


class Objective(ABC):
    """A method with its settings and all that it computed before the first step."""

    def inputs(self, batches: Batches, step: int) -> Inputs:
        """All that a step draws, on the CPU: labeled images, unless a method takes others as well."""
        return {"labeled": batches.labeled(step)}

    @property
    def tables(self) -> RowTables:
        """What it knows of every image beside its pixels, by name; `Group.rows` reads them."""
        return {}

    @abstractmethod
    def loss(self, student: Student, batch: Batch) -> Loss:
        """What one step minimizes, in nats: a function of these alone, which draws nothing and waits for no device."""

    @property
    def opinion(self) -> Opinion | None:
        """What it learns of each image in the task's own classes; None where it learns no such thing."""
        return None

    @property
    def heads(self) -> Mapping[str, int]:
        """The heads that the student has beside its own while it learns: how many classes each has, by name."""
        return {}

    @property
    def head_factor(self) -> float:
        """How much faster those heads learn than the student."""
        return 1.0

    @property
    def head_alone(self) -> bool:
        """Whether the student's own head alone learns, and its features stay as they are."""
        return False


class OnLabels(Objective):
    """Cross-entropy on the labeled images, and nothing else."""

    def loss(self, student: Student, batch: Batch) -> Loss:
        """Mean over the step's labeled images."""
        logits = student.network(batch.labeled.weak())[1]
        return {"labels": Term(supervised_loss(logits, batch.labeled["labels"]), "labeled")}


def features_of_both(
    student: Student, labeled: Float[Tensor, "M 3 S S"], others: Float[Tensor, "U 3 S S"], batch_norm: str
) -> tuple[Float[Tensor, "M D"], Float[Tensor, "U D"]]:
    """Features of both batches: in one pass, so that they share BatchNorm's statistics, or in two."""
    if batch_norm == "separate":
        return student.network.features(labeled), student.network.features(others)
    features = student.network.features(torch.cat([labeled, others]))
    return features[: len(labeled)], features[len(labeled) :]
