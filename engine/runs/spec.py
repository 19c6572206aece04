"""RunSpec: what a run is. The same spec, with its task, gives the same run in the app and on the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import msgspec

from engine.devices import kind
from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.files import canonical_hash
from engine.jobs import Job
from engine.methods import METHODS, Method, Recipe, Settings, get_method, names_of
from engine.records import Count, as_value, damaged
from engine.results import way_out_of
from engine.runs.engines import LOCAL, place_of
from engine.runs.flat_specs import modern, without_later
from engine.runs.ranking import DEFAULT_METRIC, allowed_teachers
from engine.similarity import METRICS
from engine.tasks import Budget, Draw, Task
from engine.tasks import labels_per_class as in_numbers
from engine.teachers import check_student, get_teacher
from engine.training import TrainSpec, made
from engine.weighting import normalized
from engine.workspace import Workspace

KIND = "run"  # of a run's job
HASH_LENGTH = 10  # hexadecimal digits, at the end of a run's name


@dataclass(frozen=True)
class RunSpec:
    """One method, one seed, one task revision, one student."""

    task: str
    task_revision: str  # of images, labels, split, classes and geometry
    labels_revision: str
    split_revision: str
    labels_per_class: Count
    method: str
    seed: Count
    device: str
    threads: int | None  # of the CPU; decides the last bits of sums
    train: TrainSpec  # what all methods share
    settings: Settings  # the method's own
    metric: str = DEFAULT_METRIC
    p: float | None = None  # exponent of the weights; None where the method has none
    teachers: Mapping[str, str] | None = None  # those that take part, each with its key; None where none does
    alpha: Mapping[str, float] | None = None  # weights set by hand, instead of those that metric and p give
    held_out: bool = True  # whether held-out images stay unseen; otherwise it learns from all, and is not tested
    quotes: str = ""  # the comparison that says how accurate its method is, of a run that is not tested

    @property
    def draw(self) -> Draw:
        """Which labels it may use."""
        return Draw(self.labels_per_class, self.seed)

    @property
    def recipe(self) -> Recipe:
        """How its student is trained."""
        return Recipe(self.method, self.train, self.settings)

    @property
    def run_id(self) -> str:
        """The run's name: readable, and different for every different spec."""
        method = "".join(c if c.isalnum() or c in "-." else "_" for c in self.method)
        seed = f"s{self.seed}" if self.held_out else "finished"
        return f"{self.task}-{method}-{seed}-{canonical_hash(as_json(self), HASH_LENGTH)}"


def as_json(spec: RunSpec) -> dict[str, Any]:
    """The JSON value of a spec; an infinite p is written "inf"."""
    value: dict[str, Any] = as_value(spec)
    if spec.p is not None and math.isinf(spec.p):
        value["p"] = "inf"
    if spec.held_out:  # as runs were written before there were others: their names are a hash of this
        del value["held_out"], value["quotes"]
    value["settings"] = without_later(value["settings"])
    return value


def run_spec_from(value: Mapping[str, Any]) -> RunSpec:
    """The spec in a JSON value, also in one of version 0.1. Raises InvalidInputError for unknown or missing fields."""
    value = modern(value)
    if unknown := sorted(set(value) - set(names_of(RunSpec))):
        raise InvalidInputError(f"The run's spec has no field {', '.join(unknown)}: it was made by another version.")
    try:
        found = recipe_from(value)
        p = math.inf if value.get("p") == "inf" else value.get("p")
        spec = msgspec.convert({**value, "train": found.train, "settings": found.settings, "p": p}, RunSpec)
        return replace(spec)  # msgspec leaves out what it is not told, and this puts the defaults there
    except msgspec.ValidationError as error:
        raise InvalidInputError(f"The run's spec cannot be read: {error}.") from error


def recipe_from(value: Mapping[str, Any]) -> Recipe:
    """The recipe in the fields method, train and settings of a JSON value. Raises InvalidInputError."""
    try:
        method, train, settings = get_method(value["method"]), value["train"], value["settings"]
        return Recipe(
            value["method"],
            made(TrainSpec, train, "The training spec"),
            made(method.settings, settings, method.title),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInputError(f"The run's spec cannot be read: {error}.") from error


def spec_of(job: Job) -> RunSpec:
    """The spec of a run. Raises DamagedFileError if it is none, or not the one that the run was named after."""
    path, what = job.folder / "job.json", f"what was asked for as run {job.id}"
    way_out = way_out_of(job.folder)
    if not job.id.endswith(f"-{canonical_hash(dict(job.spec), HASH_LENGTH)}"):
        raise damaged(path, what, "its spec is not the one that the run was named after", way_out)
    try:
        return run_spec_from(job.spec)
    except (InvalidInputError, UnknownNameError) as error:
        raise damaged(path, what, str(error).rstrip("."), way_out) from error


def check_held_out(task: Task) -> None:
    """Raises InvalidInputError for a task on which no student could be tested: its runs would fail at their end."""
    if not len(task.test_rows):
        raise InvalidInputError(
            f"Task {task.name!r} has no held-out image with a label, so no student of it can be tested: choose another "
            "split under Check, or label some of the held-out images."
        )


def check_teachers(workspace: Workspace, spec: RunSpec) -> None:
    """Raises DamagedFileError where a teacher of the run is another one now, UnknownNameError where it is gone."""
    for name, key in (spec.teachers or {}).items():
        if get_teacher(workspace, name).key != key:
            raise DamagedFileError(f"Teacher {name!r} has changed since this run was made: start a new run.")


def defaults(task: Task | None, method: Method | None = None) -> dict[str, Any]:
    """Every field of TrainSpec as a run has it unless it is asked for otherwise: what the task has decided, else what
    the method has of its own, else the field's default. This is the one place where that is said.
    """
    values = {**asdict(TrainSpec()), **(method.shared if method else {})}
    if task is not None and task.record.student_size:
        values["size"] = task.record.student_size
    return values


def plan(
    workspace: Workspace,
    task: Task,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    labels_per_class: Budget | None = None,
    device: str | None = None,
    engine: str = LOCAL,
    metric: str = DEFAULT_METRIC,
    teachers: Sequence[str] | None = None,
    alpha: Mapping[str, float] | None = None,
    threads: int | None = None,
    **chosen: Any,
) -> list[RunSpec]:
    """One spec for each seed and method, seeds outermost. `chosen` are fields of TrainSpec, and settings, which go to
    the methods that have them; what is not chosen is as `defaults` and the settings' own defaults say.

    task: one whose held-out images are not held out gives runs that are not tested.
    labels_per_class: a number, or "all"; None for what is usual, which is all of an own task's. engine: where the runs
    are done. threads: of a CPU; None for as many as that gives a run.

    alpha: weights set by hand, which the method that takes them has instead of those that metric and p give; scaled to
    sum to 1. Raises UnknownNameError or InvalidInputError for what cannot be run, before anything is.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if not methods or not seeds:
        raise InvalidInputError("A comparison needs at least one method and one seed.")
    _check_known(chosen)
    found = [get_method(name) for name in dict.fromkeys(methods)]
    if task.held_out:
        check_held_out(task)
    card, usual = place_of(workspace, engine, device)
    place = kind(card)  # on which card is no part of what a run is
    labels = in_numbers(task, labels_per_class)
    for seed in seeds:
        task.labeled_rows(Draw(labels, seed))  # refuses what cannot be drawn
    if "architecture" in chosen:
        check_student(str(chosen["architecture"]))
    allowed = allowed_teachers(workspace, task, teachers)
    specs = []
    for seed in dict.fromkeys(seeds):
        for method in found:
            recipe = method.recipe({**defaults(task, method), **chosen})
            spec = RunSpec(
                task=task.name,
                task_revision=task.revision,
                labels_revision=task.record.labels,
                split_revision=task.record.split,
                labels_per_class=labels,
                method=method.key,
                seed=seed,
                device=place,
                threads=(threads or usual) if place == "cpu" else None,
                train=recipe.train,
                settings=recipe.settings,
                metric=metric,
                held_out=task.held_out,
            )
            # A teacher without pseudo-labels has nothing that the distillation loss could teach.
            able = {t.name: t.key for t in allowed if recipe.settings.features_suffice or t.has_pseudo_labels}
            specs.append(_with_teachers(spec, method, able, alpha) if method.weights else spec)
    return specs


def _check_known(chosen: Mapping[str, Any]) -> None:
    known = [*names_of(TrainSpec), *(name for method in METHODS.values() for name in names_of(method.settings))]
    if unknown := sorted(set(chosen) - set(known)):
        raise UnknownNameError("training field", unknown[0], dict.fromkeys(known))


def _with_teachers(
    spec: RunSpec, method: Method, allowed: Mapping[str, str], alpha: Mapping[str, float] | None
) -> RunSpec:
    if not allowed:
        raise InvalidInputError(f"No teacher may teach task {spec.task!r}: name one that has not seen its images.")
    spec = replace(spec, teachers=dict(sorted(allowed.items())))
    if alpha is not None and method.by_hand:
        if wrong := sorted(set(alpha) - set(allowed)):
            raise InvalidInputError(f"Teacher {wrong[0]!r} may not teach task {spec.task!r}: take its weight away.")
        return replace(spec, alpha=normalized(dict(sorted(alpha.items()))))
    return replace(spec, p=method.p)
