"""The suites: which tasks, methods, seeds and budgets belong together, and where the files of their results lie.

A suite is a record, and another one is another entry of `SUITES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from engine.errors import InvalidInputError, UnknownNameError
from engine.methods import get_method


@dataclass(frozen=True)
class SuiteTask:
    """A task of a suite.

    folder: of its file, below the folder of all results; "" is that folder itself. built_by: the word after
    `python -m assets.build` that makes it; "" for a task that comes with the program. teacher: one that is trained for
    it, without which it would be another comparison. size: of the student's input in pixels; 0 for that of the recipe,
    which the tasks of a table have in common. predictions: whether what the students of seed 0 say of the test
    images is kept beside the file.
    """

    name: str
    folder: str
    built_by: str = ""
    teacher: str = ""
    size: int = 0
    predictions: bool = False


@dataclass(frozen=True)
class Suite:
    """Comparisons that are made in the same way: on each task, with each budget, all methods and seeds in one sitting.

    images: the budgets, in student images with gradient; where there are several, a task's file holds one comparison
    for each. labels_per_class: that each seed draws. usual: the tasks that are taken unless others are named; none for
    all. settings: further fields of training.
    """

    key: str
    title: str
    tasks: tuple[SuiteTask, ...]
    methods: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    images: tuple[int, ...] = (16_000,)
    labels_per_class: int = 5
    usual: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    curve: bool = False  # over budgets

    def narrowed(
        self,
        tasks: Sequence[str] | None = None,
        methods: Sequence[str] | None = None,
        seeds: Sequence[int] | None = None,
        images: Sequence[int] | None = None,
    ) -> Suite:
        """The suite with what was chosen in the place of its own; None leaves what is usual.

        Raises UnknownNameError for a task or a method that it cannot have, InvalidInputError for a list without
        anything in it, or for several budgets where a file holds one.
        """
        for what, values in (("task", tasks), ("method", methods), ("seed", seeds), ("budget", images)):
            if values is not None and not values:
                raise InvalidInputError(f"Suite {self.key!r} needs at least one {what}: name one, or leave it out.")
        named = {task.name: task for task in self.tasks}
        wanted = tuple(tasks or self.usual or named)
        if unknown := [name for name in wanted if name not in named]:
            raise UnknownNameError(f"task of suite {self.key!r}", unknown[0], named)
        budgets = tuple(sorted(dict.fromkeys(images or self.images)))
        if len(budgets) > 1 and not self.curve:
            raise InvalidInputError(
                f"Suite {self.key!r} takes one budget, not {len(budgets)}: name one, or choose a suite of budgets "
                f"({', '.join(key for key, suite in SUITES.items() if suite.curve)})."
            )
        chosen = tuple(get_method(name).key for name in methods or self.methods)
        return replace(
            self,
            tasks=tuple(named[name] for name in dict.fromkeys(wanted)),
            methods=tuple(dict.fromkeys(chosen)),
            seeds=tuple(dict.fromkeys(seeds or self.seeds)),
            images=budgets,
            usual=(),
        )


def get_suite(key: str) -> Suite:
    """The suite of that name. Raises UnknownNameError."""
    if key not in SUITES:
        raise UnknownNameError("suite", key, SUITES)
    return SUITES[key]


_SHIPPED = ("quickdraw", "fashion-mnist", "emoji-fluent", "openclipart")
_BUILT = ("cifar10", "mnist", "letters", "astronomy")
_TUNED_ON = ("cifar-groups", "emoji-twitter", "fashion-groups", "handwriting", "lowercase")
_COMPARED = ("fine-tune", "fixmatch", "distill-weighted", "distill-consensus")

_EIGHT = Suite(
    key="eight",
    title="the eight target tasks, on which nothing is tuned",
    tasks=(
        *(SuiteTask(name, "", predictions=True) for name in _SHIPPED),
        *(SuiteTask(name, "targets", "targets") for name in _BUILT),
    ),
    methods=_COMPARED,
)
_DEVELOPMENT = Suite(
    key="development",
    title="the development tasks, on which the recipe is chosen",
    tasks=(
        *(SuiteTask(f"development-{name}", "development", "development") for name in _TUNED_ON),
        # The bundled teacher of sketches has seen these classes.
        SuiteTask("development-quickdraw", "development", "development", teacher="quickdraw-255"),
        # Photographs of 224 pixels, with a table of their own; at their full size a run would take four times as long.
        SuiteTask("development-solar-cells", "development", "development", size=112),
    ),
    methods=_COMPARED,
    settings={"evaluations": 1},  # no curve is read off
)
_BUDGET = Suite(
    key="budget",
    title="accuracy against student images",
    tasks=(
        *(SuiteTask(name, "budget") for name in _SHIPPED),
        *(SuiteTask(name, "budget", "targets") for name in _BUILT),
    ),
    methods=("fine-tune", "fixmatch", "distill-nearest", "distill-weighted", "distill-consensus"),
    seeds=(0,),
    images=(4_000, 16_000, 64_000, 256_000),
    usual=("quickdraw", "openclipart"),  # about three hours of one core each, and enough test images to tell
    settings={"evaluations": 4},  # a long run is not measured more often than a short one
    curve=True,
)
SUITES: dict[str, Suite] = {suite.key: suite for suite in (_EIGHT, _DEVELOPMENT, _BUDGET)}
