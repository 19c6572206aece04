"""What a method is: its record, its settings, and what a run hands it before the first step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from torch import Tensor

from engine.errors import InvalidInputError
from engine.training import Objective, Rows, TrainSpec, made

Need: TypeAlias = Literal["unlabeled images", "features", "pseudo-labels"]  # beside labels, which all methods need
Weights: TypeAlias = Literal["similarity", "random"]
# Version of how students are trained: raised when the same settings give another student, such as after a change of a
# loss or of the consensus. What was made by another one is not put beside it.
RECIPE = "1"
FIRST_RECIPE = "1"  # of results that do not say theirs


class Material(Protocol):
    """What a run has for a method before the first step; of n images of the training split, m with a label."""

    @property
    def classes(self) -> int:
        """How many classes the task has."""

    @property
    def labeled(self) -> npt.NDArray[np.int64]:
        """Positions `[m]` of the images whose label may be used."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """Their labels `[m]`, in 0..classes-1."""

    @property
    def alpha(self) -> Mapping[str, float]:
        """The weight of each teacher that takes part; they sum to 1. Empty for a method without teachers."""

    @property
    def threads(self) -> int | None:
        """Threads of the CPU, which decide the last bits of sums; None leaves them to the machine."""

    def features(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Features `[n, d_s]` of the whole images, by teacher; they may be read anew whenever they are asked for."""

    def pseudo_labels(self, views: int) -> Mapping[str, Rows]:
        """Pseudo-labels of the first fixed views, by teacher, `[views, n, Z_s]` in half precision."""

    def boxes(self, views: int) -> Float[Tensor, "views n 5"]:
        """The boxes of the first fixed views, as `engine.training.augment.crop` takes them."""

    def progress(self, stage: str, done: int = 0, total: int | None = None, unit: str = "images") -> None:
        """Say what is done now and how far it is, of all images where no total is given; may raise to stop it."""


class Settings(ABC):
    """What can be set of a method beside what all methods share: a frozen dataclass, whose fields have a label, a
    range, a default and the default's reason, as engine.training.fields declares them.

    section: the heading over these fields on a form.
    """

    section: ClassVar[str] = ""
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]  # which whoever derives from it has

    @property
    def needs(self) -> frozenset[Need]:
        """What it takes beside labels."""
        return frozenset()

    @property
    def takes_unlabeled(self) -> bool:
        """Whether a step takes images beyond the labeled ones, with these settings."""
        return "unlabeled images" in self.needs

    @property
    def features_suffice(self) -> bool:
        """Whether a teacher without pseudo-labels can teach."""
        return "pseudo-labels" not in self.needs

    @property
    def starts_from_teachers(self) -> bool:
        """Whether the student begins as an average of teachers, where any were fine-tuned from its ImageNet weights."""
        return False

    @property
    def pace(self) -> tuple[object, ...]:
        """Whatever of these settings changes how long a step takes."""
        return ()

    @abstractmethod
    def prepare(self, material: Material) -> Objective:
        """What is computed before the first step, and with it what each step minimizes.

        Raises InvalidInputError if the material lacks what the method needs.
        """


@dataclass(frozen=True)
class Recipe:
    """How a method trains: what all methods share, and its own settings."""

    method: str  # its key
    train: TrainSpec
    settings: Settings


@dataclass(frozen=True)
class Method:
    """One way to get a student.

    key: its name in commands, specs and URLs. title: its name on screen. paper: where it comes from.
    weights: how its teachers are weighed, by their similarity to the task or all on one random teacher; None where no
    teacher takes part. p: the exponent of similarities (0 equal ... infinity nearest). p_varies: whether another p is
    still this method. by_hand: whether the user's own p, and weights set by hand, are meant for it.
    shared: defaults of TrainSpec's fields that are others for this method. preselected: whether a comparison takes it
    unless told otherwise. baseline: whether other methods' gains are held against it.
    changed: fields in which a variant differs from its method.
    """

    key: str
    title: str
    summary: str
    paper: str
    settings: type[Settings]
    weights: Weights | None = None
    p: float | None = None
    p_varies: bool = False
    by_hand: bool = False
    shared: Mapping[str, Any] = field(default_factory=dict)
    preselected: bool = False
    baseline: bool = False
    changed: tuple[tuple[str, Any], ...] = ()

    @property
    def features_suffice(self) -> bool:
        """Whether a teacher without pseudo-labels can teach, unless its settings ask for more."""
        return self.weights is not None and self.settings().features_suffice

    def recipe(self, chosen: Mapping[str, Any] | None = None) -> Recipe:
        """How it trains with what was chosen; every default comes from here. `chosen` may hold settings of others.

        Raises InvalidInputError for a value that a field of its own cannot have.
        """
        values = {**self.shared, **(chosen or {}), **dict(self.changed)}
        settings = made(self.settings, _of(self.settings, values), self.title)
        shared = _of(TrainSpec, values)
        if not settings.takes_unlabeled:
            shared["unlabeled_batch"] = 0
        elif shared.get("unlabeled_batch") == 0:
            raise InvalidInputError(f"unlabeled_batch is 0: choose 1 or more, since {self.title} takes such images.")
        return Recipe(self.key, made(TrainSpec, shared, "The training spec"), settings)


def names_of(kind: type) -> list[str]:
    """The names of a dataclass's fields."""
    return [found.name for found in fields(kind)]


def _of(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in names_of(kind) if name in values}
