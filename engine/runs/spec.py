"""RunSpec: what a run is. The same spec, with its task, gives the same run in the app and on the command line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import torch

from engine.devices import resolve
from engine.errors import InvalidInputError, UnknownNameError
from engine.files import canonical_hash
from engine.jobs import Job
from engine.methods import Method, get_method
from engine.records import damaged
from engine.runs.ranking import DEFAULT_METRIC, candidates
from engine.similarity import METRICS
from engine.tasks import Task
from engine.teachers import check_student
from engine.training import WITH_TEACHERS, TrainSpec, recipe, spec_from
from engine.weighting import normalized

HASH_LENGTH = 10  # hexadecimal digits, at the end of a run's name


@dataclass(frozen=True)
class RunSpec:
    """One method, one seed, one task revision, one student."""

    task: str
    task_revision: str  # of images, labels, split, classes and geometry
    labels_revision: str
    split_revision: str
    labels_per_class: int
    method: str
    seed: int
    device: str
    threads: int | None  # of the CPU; decides the last bits of sums
    train: TrainSpec
    metric: str = DEFAULT_METRIC
    p: float | None = None  # exponent of the weights; None where the method has none
    teachers: Mapping[str, str] | None = None  # those that take part, each with its key; None where none does
    alpha: Mapping[str, float] | None = None  # weights set by hand, instead of those that metric and p give

    @property
    def run_id(self) -> str:
        """The run's name: readable, and different for every different spec."""
        method = "".join(c if c.isalnum() or c in "-." else "_" for c in self.method)
        return f"{self.task}-{method}-s{self.seed}-{canonical_hash(as_json(self), HASH_LENGTH)}"


def as_json(spec: RunSpec) -> dict[str, Any]:
    """The JSON value of a spec; an infinite p is written "inf"."""
    value = asdict(spec)
    if spec.p is not None and math.isinf(spec.p):
        value["p"] = "inf"
    return value


def run_spec_from(value: Mapping[str, Any]) -> RunSpec:
    """The spec in a JSON value. Raises InvalidInputError for unknown or missing fields."""
    known = {field.name for field in fields(RunSpec)}
    if unknown := sorted(set(value) - known):
        raise InvalidInputError(f"The run's spec has no field {', '.join(unknown)}: it was made by another version.")
    p = value.get("p")
    try:
        return RunSpec(**{**value, "train": spec_from(value["train"]), "p": float(p) if p is not None else None})
    except (TypeError, KeyError, ValueError) as error:
        raise InvalidInputError(f"The run's spec cannot be read: {error}.") from error


def spec_of(job: Job) -> RunSpec:
    """The spec of a run. Raises DamagedFileError if it is none, or not the one that the run was named after."""
    path, what = job.folder / "job.json", f"what was asked for as run {job.id}"
    way_out = f"restore it, or remove the folder {job.folder} and start the same run again"
    if not job.id.endswith(f"-{canonical_hash(dict(job.spec), HASH_LENGTH)}"):
        raise damaged(path, what, "its spec is not the one that the run was named after", way_out)
    try:
        return run_spec_from(job.spec)
    except InvalidInputError as error:
        raise damaged(path, what, str(error).rstrip("."), way_out) from error


def check_held_out(task: Task) -> None:
    """Raises InvalidInputError for a task on which no student could be tested: its runs would fail at their end."""
    if not len(task.test_rows):
        raise InvalidInputError(
            f"Task {task.name!r} has no held-out image with a label, so no student of it can be tested: choose another "
            "split under Check, or label some of the held-out images."
        )


def plan(
    task: Task,
    methods: Sequence[str],
    seeds: Sequence[int],
    *,
    labels_per_class: int = 5,
    device: str | None = None,
    metric: str = DEFAULT_METRIC,
    teachers: Sequence[str] | None = None,
    alpha: Mapping[str, float] | None = None,
    **changes: Any,
) -> list[RunSpec]:
    """One spec for each seed and method, seeds outermost; `changes` are fields of TrainSpec, the same for all.

    alpha: weights set by hand, which DistillWeighted takes instead of those that metric and p give; scaled to sum to 1.
    Raises UnknownNameError or InvalidInputError for what cannot be run, before anything is.
    """
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if not methods or not seeds:
        raise InvalidInputError("A comparison needs at least one method and one seed.")
    chosen = [get_method(name) for name in dict.fromkeys(methods)]
    check_held_out(task)
    place = resolve(device)
    for seed in seeds:
        task.labeled_rows(labels_per_class, seed)  # refuses what cannot be drawn
    if "architecture" in changes:
        check_student(changes["architecture"])
    if task.record.student_size:  # a decision of the task, unless it is asked for otherwise
        changes = {"size": task.record.student_size, **changes}
    allowed = [c.teacher for c in candidates(task, teachers) if c.allowed]
    specs = []
    for seed in dict.fromkeys(seeds):
        for method in chosen:
            spec = RunSpec(
                task=task.name,
                task_revision=task.revision,
                labels_revision=task.record.labels,
                split_revision=task.record.split,
                labels_per_class=labels_per_class,
                method=method.key,
                seed=seed,
                device=place,
                threads=torch.get_num_threads() if place == "cpu" else None,
                train=recipe(method.objective, **{**changes, **dict(method.settings)}),
                metric=metric,
            )
            # A teacher without pseudo-labels has nothing that the distillation loss could teach.
            able = {t.name: t.key for t in allowed if spec.train.features_suffice or t.has_pseudo_labels}
            specs.append(_with_teachers(spec, method, able, alpha) if method.objective in WITH_TEACHERS else spec)
    return specs


def _with_teachers(
    spec: RunSpec, method: Method, allowed: Mapping[str, str], alpha: Mapping[str, float] | None
) -> RunSpec:
    if not allowed:
        raise InvalidInputError(f"No teacher may teach task {spec.task!r}: name one that has not seen its images.")
    if alpha is not None and method.key.startswith("distill-weighted"):
        if wrong := sorted(set(alpha) - set(allowed)):
            raise InvalidInputError(f"Teacher {wrong[0]!r} may not teach task {spec.task!r}: take its weight away.")
        return replace(spec, teachers=dict(sorted(allowed.items())), alpha=normalized(dict(sorted(alpha.items()))))
    return replace(spec, teachers=dict(sorted(allowed.items())), p=method.p)
