"""TrainSpec: what all methods share of how a student is trained. Each default has its one place and its reason here.

What is a method's own lives with the method (engine.methods).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, TypeAlias

from engine.errors import InvalidInputError
from engine.training.fields import NumberInput, choice, number, share

BatchNorm: TypeAlias = Literal["joint", "separate", "frozen"]
Start: TypeAlias = Literal["imagenet", "random"]
Precision: TypeAlias = Literal["fp32", "bf16", "auto"]


@dataclass(frozen=True)
class TrainSpec:
    """How one student is trained. The budget is counted in student images with gradient, never in epochs."""

    # Ours: about 80 images a step fill a small device.
    labeled_batch: Annotated[int, number("Labeled images a step", "Labeled images in a step.", least=1)] = 32
    unlabeled_batch: Annotated[
        int,
        number("Unlabeled images a step", "Images of the whole training split, labeled or not, in a step.", least=0),
    ] = 48
    architecture: Annotated[str, choice("Student", "Any timm architecture.")] = (
        "tf_efficientnet_lite0"  # runs on phones; its ImageNet weights are here offline
    )
    size: Annotated[int, number("Image size", "Of the student's input, in pixels.", least=1)] = (
        64  # ours: trains at hundreds of images a second on two cores
    )
    images: Annotated[int, number("Image budget of each run", "Student images with gradient.", least=1)] = (
        16_000  # ours: about a minute on two cores
    )
    # Ours, for all methods alike: .03 with heads 5 times faster cost fine-tuning 18 points on CIFAR-10 in 7 groups, a
    # development task (one seed), and FixMatch collapsed. All that was tried: assets/results/recipe-search.json.
    learning_rate: Annotated[
        float,
        number(
            "Learning rate",
            "Of the student, at its peak. Too high and the loss is no longer a number.",
            above=0,
            shown=NumberInput(0.0001, 1.0, 0.005, "%.4f"),
        ),
    ] = 0.02
    warm_up: Annotated[
        float,
        share(
            "Warm-up",
            "Share of the steps in which the learning rate rises; afterwards it falls along a cosine to 0.",
            shown_to=0.9,
        ),
    ] = 0.1  # ours
    momentum: Annotated[
        float,
        number(
            "Momentum", "Of stochastic gradient descent.", least=0, below=1, shown=NumberInput(0.0, 0.999, 0.05, "%.3f")
        ),
    ] = 0.9
    weight_decay: Annotated[
        float,
        number("Weight decay", "Of matrices and kernels only.", least=0, shown=NumberInput(0.0, 0.1, 0.0001, "%.4f")),
    ] = 5e-4  # FixMatch's
    batch_norm: Annotated[
        BatchNorm,
        choice(
            "Batch normalization",
            "Joint: labeled and other images share a step's statistics. Separate: each has its own. Frozen: those of "
            "the first weights stay.",
            {"joint": "joint", "separate": "separate", "frozen": "frozen"},
        ),
    ] = "joint"  # ours
    start: Annotated[
        Start,
        choice(
            "The student starts from",
            "ImageNet weights are the strong start that the methods are compared from.",
            {"imagenet": "ImageNet weights", "random": "random weights"},
        ),
    ] = "imagenet"
    evaluations: Annotated[
        int,
        number(
            "Points of the curve",
            "How often the held-out accuracy is measured during a run. It does not touch training.",
            least=1,
            shown=NumberInput(1, 200, 1, "%d"),
        ),
    ] = 10
    precision: Annotated[
        Precision,
        choice(
            "Precision",
            "fp32 is repeatable. The quickest here is measured for two seconds: fp32 or bf16, which rounds more, order "
            "in memory, kernels. Two such runs differ in their last digits.",
            {"fp32": "fp32", "auto": "the quickest here"},
        ),
    ] = "fp32"  # what is recorded is compared in it; "bf16" says it outright, "auto" is fp32 on a CPU

    def __post_init__(self) -> None:
        """Refuse a budget of less than a step."""
        if self.images < self.images_per_step:
            raise InvalidInputError(
                f"A budget of {self.images} images is less than one step of {self.images_per_step}: ask for more."
            )

    @property
    def images_per_step(self) -> int:
        """Student images with gradient in one step."""
        return self.labeled_batch + self.unlabeled_batch

    @property
    def steps(self) -> int:
        """Steps that the budget allows."""
        return self.images // self.images_per_step
