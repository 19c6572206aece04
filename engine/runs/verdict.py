"""Was the ranking true? What students became with one teacher each, against what the similarities had predicted."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import InvalidInputError
from engine.evaluation import Interval, RankCorrelation, spearman
from engine.evaluation.intervals import LEVEL
from engine.files import canonical_hash
from engine.jobs import Job, Status, list_jobs
from engine.methods import REFERENCE, SINGLE
from engine.records import as_value
from engine.runs.comparison import Entry, enqueue, interval_of, read_run
from engine.runs.ranking import allowed_teachers
from engine.runs.spec import RunSpec, plan
from engine.tasks import Task
from engine.wording import NO_BREAK, signed
from engine.workspace import Workspace

MEASURED_IMAGES = 4_000  # of each run: a quarter of a full one, enough for teachers to differ (ours)
FEWEST = 4  # teachers below which an order says nothing


@dataclass(frozen=True)
class Measured:
    """What a student became that one teacher taught; accuracy is a share, 0..1, of held-out images."""

    teacher: str
    accuracy: float  # mean over seeds
    interval: Interval  # over seeds where there are several, else over test images
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Measurements:
    """Single-teacher runs that share everything but the teacher, and the same without a teacher: with several seeds,
    those that all of them have.
    """

    images: int  # budget of each run
    labels_per_class: int
    student: str
    teachers: tuple[Measured, ...]  # by name
    fine_tuning: Measured | None  # `teacher` is empty


@dataclass(frozen=True)
class Verdict:
    """Whether the higher-ranked teachers taught better. helped is None where the runs are too few to say."""

    correlation: RankCorrelation | None
    helped: bool | None
    sentence: str


def single_teacher_specs(
    workspace: Workspace,
    task: Task,
    *,
    labels_per_class: int,
    seeds: Sequence[int],
    device: str,
    images: int = MEASURED_IMAGES,
    **changes: Any,
) -> list[RunSpec]:
    """One run for each teacher that may teach the task, alone, and one of fine-tuning, for each seed.

    Raises InvalidInputError if no teacher may, or for a budget of less than a step.
    """
    allowed = allowed_teachers(workspace, task)
    if not allowed:
        raise InvalidInputError(f"No teacher may teach task {task.name!r}: there is nothing to measure.")
    shared = {"labels_per_class": labels_per_class, "device": device, "images": images, **changes}
    specs = plan(workspace, task, [REFERENCE.key], seeds, **shared)
    for teacher in allowed:
        specs += plan(workspace, task, [SINGLE.key], seeds, teachers=[teacher.name], **shared)
    return specs


def request_measurements(workspace: Workspace, specs: Sequence[RunSpec], device: str | None = None) -> list[Job]:
    """Queue the runs of `single_teacher_specs`; done ones stay, stopped ones are resumed. They are no comparison.

    device: as `start` takes it.
    """
    return enqueue(workspace, specs, device)


def single_teacher_runs(workspace: Workspace, task: Task, labels_per_class: int) -> list[Entry]:
    """All runs on this revision of the task in which one teacher taught alone, and those of fine-tuning."""
    asked = {"task_revision": task.revision, "labels_per_class": labels_per_class}  # looked at before a run is read
    mine = [job for job in list_jobs(workspace.runs) if all(job.spec.get(key) == asked[key] for key in asked)]
    found = [entry for job in mine if isinstance(entry := read_run(workspace, job.id), Entry)]
    return [
        entry
        for entry in found
        if entry.spec.held_out and (_teacher_of(entry.spec) is not None or entry.spec.method == REFERENCE.key)
    ]


def measurements(runs: Sequence[Entry]) -> Measurements | None:
    """The largest group of finished single-teacher runs that share student, budget, settings and seeds; None without
    any. A teacher that shares no seed with most of the others is left out.
    """
    groups: dict[str, list[Entry]] = {}
    for entry in runs:
        if entry.result is not None and _teacher_of(entry.spec) is not None:
            key = canonical_hash([as_value(entry.spec.recipe), entry.spec.device])
            groups.setdefault(key, []).append(entry)
    if not groups:
        return None
    chosen = max(groups.values(), key=lambda group: (len({_teacher_of(e.spec) for e in group}), len(group)))
    spec = chosen[0].spec
    alike = [e for e in runs if e.result is not None and e.spec.method == REFERENCE.key and _same_student(e.spec, spec)]
    by_teacher: dict[str, list[Entry]] = {}
    for entry in chosen:
        by_teacher.setdefault(_teacher_of(entry.spec) or "", []).append(entry)
    seeds = _shared_seeds([{e.spec.seed for e in mine} for mine in by_teacher.values()], {e.spec.seed for e in alike})
    measured = [_measured(name, by_teacher[name], seeds) for name in sorted(by_teacher)]
    return Measurements(
        spec.train.images,
        spec.labels_per_class,
        spec.train.architecture,
        tuple(found for found in measured if found is not None),
        _measured("", alike, seeds),
    )


def order_verdict(predicted: Mapping[str, float], measured: Sequence[Measured]) -> Verdict:
    """Hold the similarities against the accuracies, for the teachers that have both.

    The ranking helped if the rank correlation is above 0 with its whole 95 % interval, and did not if it is not above 0
    itself; between, nobody can say. Two orders that are the same have no interval: there it helped if so few orders are
    as good that luck finds one in less than 2.5 % of the cases, which takes five teachers.
    """
    both = [found for found in measured if found.teacher in predicted]
    if len(both) < FEWEST:
        return Verdict(
            None,
            None,
            f"Too few teachers were measured to say whether the ranking helped: {len(both)}, and {FEWEST} are needed.",
        )
    correlation = spearman([predicted[found.teacher] for found in both], [found.accuracy for found in both])
    value, interval = correlation.value, correlation.interval
    if value is None:
        return Verdict(correlation, False, "The ranking did not help here: one of the two orders ties all teachers.")
    numbers = f"rank correlation {signed(value, 2)}"
    numbers += f", 95{NO_BREAK}% interval {signed(interval.low, 2)} to {signed(interval.high, 2)}" if interval else ""
    numbers = f"{numbers}, {len(both)} teachers"
    if value <= 0:
        sentence = f"The ranking did not help here: teachers that stood higher did not teach better ({numbers})."
        return Verdict(correlation, False, sentence)
    by_luck = _chance_of_the_same_order([found.accuracy for found in both]) if interval is None else 0.0
    if (interval is not None and interval.low <= 0) or by_luck > (1 - LEVEL) / 2:
        sentence = f"It cannot be told from chance whether the ranking helped here ({numbers})."
        return Verdict(correlation, None, sentence)
    return Verdict(correlation, True, f"The ranking helped: teachers that stood higher taught better ({numbers}).")


def _chance_of_the_same_order(values: Sequence[float]) -> float:
    """How often a random order is that of `values`: 1 / n!, more often where some are equal."""
    return math.prod(math.factorial(count) for count in Counter(values).values()) / math.factorial(len(values))


def unfinished_measurements(runs: Sequence[Entry]) -> list[tuple[Job, Status]]:
    """Single-teacher runs that wait or run."""
    return [(e.job, e.status) for e in runs if not e.status.terminal and _teacher_of(e.spec) is not None]


def _teacher_of(spec: RunSpec) -> str | None:
    """The teacher that taught alone, or None if there were several or none."""
    if spec.method != SINGLE.key or spec.teachers is None or len(spec.teachers) != 1:
        return None
    return next(iter(spec.teachers))


def _same_student(first: RunSpec, second: RunSpec) -> bool:
    """Whether two runs share all that methods with and without teachers have in common."""
    # How many unlabeled images a step takes is the method's; how often the student is evaluated touches no training.
    trains = [replace(spec.train, unlabeled_batch=0, evaluations=1) for spec in (first, second)]
    return trains[0] == trains[1] and first.device == second.device


def _shared_seeds(of_teachers: Sequence[set[int]], of_reference: set[int]) -> tuple[int, ...]:
    """Seeds that all teachers have, and the reference too if it has any of them; where they share none, those of all
    teachers that have the most frequent one.
    """
    counts = Counter(seed for seeds in of_teachers for seed in seeds)
    frequent = min(counts, key=lambda seed: (-counts[seed], seed))
    shared = set.intersection(*of_teachers) or set.intersection(*(seeds for seeds in of_teachers if frequent in seeds))
    return tuple(sorted(shared & of_reference or shared))


def _measured(teacher: str, runs: Sequence[Entry], seeds: Sequence[int]) -> Measured | None:
    """Over those of `seeds`; None where it has not all of them."""
    results = {e.spec.seed: e.result for e in runs if e.result is not None and e.spec.seed in seeds}
    if len(results) < len(seeds):
        return None
    accuracies = [result.held_out_accuracy for result in results.values()]
    interval = interval_of(list(results.values()))
    return Measured(teacher, sum(accuracies) / len(accuracies), interval, tuple(sorted(results)))
