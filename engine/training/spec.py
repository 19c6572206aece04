"""TrainSpec: everything that decides how a student is trained. Each default has its one place and its reason here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from engine.consensus import Consensus
from engine.errors import InvalidInputError

OBJECTIVES = ("fine-tune", "linear-probe", "fixmatch", "distill", "consensus")
WITH_TEACHERS = ("distill", "consensus")
WITH_OTHERS = ("fixmatch", *WITH_TEACHERS)
BATCH_NORMS = ("joint", "separate", "frozen")

# What differs between objectives, all ours. About 80 images a step fill a small device. FixMatch's published ratio, 7
# other images to a labeled one, leaves 10 labeled images a step, and did worse on a development task (QuickDraw classes
# 255–299, one seed: 37 % at the better of two learning rates, against 41 %), so it has distillation's batches.
RECIPES: dict[str, dict[str, Any]] = {
    "fine-tune": {"labeled_batch": 32, "unlabeled_batch": 0},
    "linear-probe": {"labeled_batch": 32, "unlabeled_batch": 0, "learning_rate": 0.1},  # a head alone may learn quickly
    "fixmatch": {"labeled_batch": 32, "unlabeled_batch": 48},
    "distill": {"labeled_batch": 32, "unlabeled_batch": 48, "head_factor": 5.0},
    "consensus": {"labeled_batch": 32, "unlabeled_batch": 48, "head_factor": 5.0},
}


@dataclass(frozen=True)
class TrainSpec:
    """How one student is trained. The budget is counted in student images with gradient, never in epochs."""

    objective: str
    labeled_batch: int  # labeled images in a step
    unlabeled_batch: int  # images of the whole training split, labeled or not, in a step
    architecture: str = "tf_efficientnet_lite0"  # runs on phones; its ImageNet weights are here offline
    start: str = "imagenet"  # or "random"
    size: int = 64  # pixels; ours: trains at hundreds of images a second on two cores
    images: int = 16_000  # ours: about a minute on two cores
    # Ours, for all methods alike: .03 with heads 5 times faster cost fine-tuning 18 points on CIFAR-10 in 7 groups, a
    # development task (one seed), and FixMatch collapsed. All that was tried: assets/results/recipe-search.json.
    learning_rate: float = 0.02  # of the body, at the peak
    head_factor: float = 1.0  # how much faster the teachers' heads learn than the student
    warm_up: float = 0.1  # share of the steps with a rising learning rate, then a cosine to 0; ours
    momentum: float = 0.9
    weight_decay: float = 5e-4  # of matrices and kernels, not of scales and biases; FixMatch's
    labeled_share: float = 0.2  # λ: the labels' share of distillation's loss; ours: .5 did as well in development
    temperature: float = 1.0  # of the pseudo-labels; ours
    views: int = 1  # K: how many fixed views the pseudo-labels are computed for; ours
    sharpness: float = Consensus.sharpness
    neighbors: int = Consensus.neighbors
    spread: float = Consensus.spread
    teachers_share: float = 0.0  # of the consensus' part, what goes to the paper's loss over the teachers' own classes
    strong: bool = False  # whether the student sees FixMatch's strong view of an image that the consensus describes
    batch_norm: str = "joint"  # labeled and other images share a step's statistics; ours
    fixmatch_threshold: float = 0.95  # FixMatch, section 4
    fixmatch_weight: float = 1.0  # λ_u of FixMatch
    evaluations: int = 10  # points of the curve over images seen; they do not touch training
    precision: str = "fp32"  # or "bf16", on a GPU

    def __post_init__(self) -> None:
        """Refuse values that cannot be trained with, naming the field."""
        _one_of("objective", self.objective, OBJECTIVES)
        _one_of("batch_norm", self.batch_norm, BATCH_NORMS)
        _one_of("start", self.start, ("imagenet", "random"))
        _one_of("precision", self.precision, ("fp32", "bf16"))
        for name in ("labeled_batch", "images", "size", "views", "evaluations"):
            _at_least(name, getattr(self, name), 1)
        _at_least("unlabeled_batch", self.unlabeled_batch, 1 if self.objective in WITH_OTHERS else 0)
        for name in ("labeled_share", "teachers_share", "warm_up", "fixmatch_threshold"):
            _number(name, getattr(self, name), lambda value: 0 <= value <= 1, "from 0 to 1")
        for name in ("learning_rate", "head_factor", "temperature"):
            _number(name, getattr(self, name), lambda value: 0 < value < math.inf, "above 0")
        for name in ("weight_decay", "fixmatch_weight"):
            _number(name, getattr(self, name), lambda value: 0 <= value < math.inf, "from 0 up")
        _number("momentum", self.momentum, lambda value: 0 <= value < 1, "from 0 to below 1")
        if not isinstance(self.strong, bool):
            raise InvalidInputError(f"strong is {self.strong!r}: choose true or false.")
        _ = self.how_to_agree  # refuses what is no consensus
        if self.strong and self.views > 1:
            raise InvalidInputError(
                "Strong views are drawn at random, fixed views are not: set views to 1 or strong to false."
            )
        if self.images < self.images_per_step:
            raise InvalidInputError(
                f"A budget of {self.images} images is less than one step of {self.images_per_step}: ask for more."
            )

    @property
    def how_to_agree(self) -> Consensus:
        """How the teachers are brought to one opinion, where the objective asks for that."""
        return Consensus(self.sharpness, self.neighbors, self.spread)

    @property
    def uses_unlabeled(self) -> bool:
        """Whether a step takes images beyond the labeled ones. With λ = 1 distillation is fine-tuning."""
        return self.objective == "fixmatch" or (self.objective in WITH_TEACHERS and self.labeled_share < 1)

    @property
    def uses_pseudo_labels(self) -> bool:
        """Whether the student has heads over the teachers' own classes while it learns."""
        own = self.objective == "distill" or (self.objective == "consensus" and self.teachers_share > 0)
        return own and self.uses_unlabeled

    @property
    def features_suffice(self) -> bool:
        """Whether a teacher without pseudo-labels can teach: the consensus is made from features."""
        return self.objective == "consensus" and self.teachers_share == 0

    @property
    def images_per_step(self) -> int:
        """Student images with gradient in one step."""
        return self.labeled_batch + (self.unlabeled_batch if self.uses_unlabeled else 0)

    @property
    def steps(self) -> int:
        """Steps that the budget allows."""
        return self.images // self.images_per_step


def recipe(objective: str, **changes: Any) -> TrainSpec:
    """The default spec of an objective, with `changes`. Raises InvalidInputError for an unknown field or value."""
    _one_of("objective", objective, OBJECTIVES)
    _known_fields(changes)
    return TrainSpec(**{"objective": objective, **RECIPES[objective], **changes})


def spec_from(value: Mapping[str, Any]) -> TrainSpec:
    """The spec in a JSON value. Raises InvalidInputError for an unknown or missing field."""
    _known_fields(value)
    try:
        return TrainSpec(**value)
    except TypeError as error:
        raise InvalidInputError(f"The training spec cannot be read: {error}.") from error


def _known_fields(value: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(TrainSpec)]
    if unknown := sorted(set(value) - set(known)):
        raise InvalidInputError(f"The training spec has no field {', '.join(unknown)}: it knows {', '.join(known)}.")


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InvalidInputError(f"{name} is {value!r}: choose one of {', '.join(known)}.")


def _number(name: str, value: object, fits: Callable[[float], bool], said: str) -> None:
    if not (isinstance(value, int | float) and not isinstance(value, bool) and fits(value)):
        raise InvalidInputError(f"{name} is {value!r}: choose a number {said}.")


def _at_least(name: str, value: object, least: int) -> None:
    if not (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        raise InvalidInputError(f"{name} is {value!r}: choose a whole number, {least} or more.")
