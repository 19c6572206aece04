"""Comparisons: runs that are read side by side, what they share, and what their numbers come to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from glob import escape
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from engine.errors import InvalidInputError, UnknownNameError, WorkbenchError
from engine.evaluation import Interval, PairedDifference, accuracy_interval, paired_difference
from engine.files import canonical_hash
from engine.jobs import Job, Status, change_lane, check_allowed, create, load, remove, resume, status
from engine.methods import REFERENCE, get_method
from engine.records import Count, Positive, as_value, damaged, read_record, remembered, write_record
from engine.results import RESULT, ConsensusRecord, RunResult, read_result, way_out_of
from engine.runs.engines import LOCAL, get_engine
from engine.runs.spec import KIND, RunSpec, as_json, spec_of
from engine.runs.speed import end_measurements
from engine.tasks import all_labels, task_as_labeled
from engine.workspace import Workspace

STOPPED = ("failed", "cancelled", "interrupted")  # states from which a run can be resumed


@dataclass(frozen=True)
class Comparison:
    """Which runs, and what they share. `differs` names what they do not share; it is shown wherever they are."""

    id: str
    task: str
    created: str
    runs: tuple[str, ...]
    shared: Shared = field(hash=False)
    differs: tuple[str, ...]


class Shared(TypedDict, total=False):
    """What all runs of a comparison have in common; a name is absent where they differ."""

    task: str
    task_revision: str
    split: str
    labels_per_class: Count
    all_labels: Positive  # how many labels these are, where no label of a training image is left out
    student: str
    start: str
    size: Count
    images: Count
    device: str
    seeds: list[Count]


@dataclass(frozen=True)
class Entry:
    """One run of a comparison as it is now; `result` is there when it is done, unless `problem` says what is wrong."""

    run: str
    spec: RunSpec
    job: Job
    status: Status
    result: RunResult | None
    problem: str | None = None


@dataclass(frozen=True)
class LostRun:
    """A run that cannot be read, or whose result cannot, and a sentence that says why and what to do."""

    run: str
    problem: str


@dataclass(frozen=True)
class RunsRead:
    """The runs of a comparison as they were when they were read.

    entries: those whose spec can be read. lost: those that are gone or damaged, or done without a result that can be
    read; the latter are among the entries as well.
    """

    entries: tuple[Entry, ...]
    lost: tuple[LostRun, ...]

    @property
    def results(self) -> list[RunResult]:
        """The results of those that are done."""
        return [entry.result for entry in self.entries if entry.result is not None]


@dataclass(frozen=True)
class ConsensusMean:
    """The consensus that a method's students learned from, over its seeds: how often it is right, 0 to 1.

    accuracy: of labeled images whose label was left out, `images` of them for each seed, in `folds` parts. interval:
    over seeds where there are several, else over those images. unlabeled_accuracy: of training images whose labels no
    method sees, on a task that came with the program.
    """

    accuracy: float
    interval: Interval
    images: int
    folds: int
    unlabeled_accuracy: float | None
    unlabeled_images: int


@dataclass(frozen=True)
class MethodMean:
    """One method over its seeds. `interval` is over seeds where there are several, else over test images alone.

    at_equal_seconds: its accuracy when, seed by seed, the quickest of the compared methods was done, read off its curve
    between the points around that moment; None without a curve that has a point before it. A slower method's learning
    rate had not fallen yet.
    """

    method: str
    title: str
    seeds: tuple[int, ...]
    accuracy: float
    interval: Interval
    images: int
    seconds: float  # of training, mean over seeds
    test_images: int
    difference: PairedDifference | None  # to fine-tuning, by seed
    at_equal_seconds: float | None
    consensus: ConsensusMean | None = None  # where each of its runs has one


def start(workspace: Workspace, specs: Sequence[RunSpec], device: str | None = None, engine: str = LOCAL) -> Comparison:
    """Queue the runs of a comparison and write it down. A run that is there already is kept: done ones are read again,
    stopped ones resumed.

    device: one of the kind that the specs name, such as the card "cuda:1"; None for any. engine: where they run. Raises
    StorageError if the disk refuses.
    """
    enqueue(workspace, specs, device, engine)
    shared, differs = common_ground(specs)
    if everything := _all_labels(workspace, specs):
        shared["all_labels"] = everything
    run_ids = tuple(spec.run_id for spec in specs)
    comparison = Comparison(
        id=_id(specs[0].task, run_ids),
        task=specs[0].task,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        runs=run_ids,
        shared=shared,
        differs=differs,
    )
    if isinstance(_read(workspace, comparison.id), WorkbenchError):  # there is none, or it is damaged
        write_record(_path(workspace, comparison.id), comparison)
    return load_comparison(workspace, comparison.id)


def _all_labels(workspace: Workspace, specs: Sequence[RunSpec]) -> int | None:
    """How many labels the task has, if each run uses them all."""
    task = task_as_labeled(workspace, specs[0].task)
    if any(spec.task_revision != task.revision or spec.labels_per_class < all_labels(task) for spec in specs):
        return None
    return int(task.available_labels().sum())


def enqueue(
    workspace: Workspace, specs: Sequence[RunSpec], device: str | None = None, engine: str = LOCAL
) -> list[Job]:
    """Queue runs, on `device` as `start` does, without a comparison of them. Done ones stay as they are, stopped ones
    are resumed, and those that wait for another engine wait for this one. A measurement for the sake of an estimate
    ends, so that none of them waits for it.

    Raises StorageError if the disk refuses, QuotaError before any is queued if a visitor of a demo asks for too many.
    """
    queued, lane = [], get_engine(engine).lane
    check_allowed(workspace, sum(_is_to_begin(workspace.runs / spec.run_id) for spec in specs))
    for spec in specs:
        folder = workspace.runs / spec.run_id
        if not folder.exists():
            place = device or spec.device
            queued.append(create(workspace.runs, spec.run_id, kind=KIND, spec=as_json(spec), device=place, lane=lane))
            continue
        job = load(folder)
        if status(job).state in STOPPED:
            resume(job)
        queued.append(change_lane(job, lane or job.device))
    for device in {job.device for job in queued if not status(job).terminal}:
        end_measurements(workspace, device)
    return queued


def _is_to_begin(folder: Path) -> bool:
    return not folder.exists() or status(load(folder)).state in STOPPED


def load_comparison(workspace: Workspace, comparison_id: str) -> Comparison:
    """The comparison of that id. Raises UnknownNameError or DamagedFileError."""
    known = _known(workspace)
    if comparison_id not in known:
        raise UnknownNameError("comparison", comparison_id, known)
    return _load(_path(workspace, comparison_id))


@remembered
def _load(path: Path) -> Comparison:
    what, way_out = f"comparison {path.stem}", "restore it, or start the same comparison again; its runs stay"
    found = read_record(path, Comparison, what, way_out)
    if not found.id == path.stem == _id(found.task, found.runs):  # the id is a hash of the runs
        raise damaged(path, what, "it names other runs than were compared", way_out)
    return found


def list_comparisons(workspace: Workspace, task: str | None = None) -> list[Comparison]:
    """All comparisons, or those of one task, the newest first; `damaged_comparisons` tells of those left out."""
    found = [c for c in map(partial(_read, workspace), _known(workspace)) if isinstance(c, Comparison)]
    return sorted((c for c in found if task in (None, c.task)), key=lambda c: c.created, reverse=True)


def damaged_comparisons(workspace: Workspace, task: str | None = None) -> list[str]:
    """A sentence for each comparison that cannot be read, of all tasks or of one."""
    known = [name for name in _known(workspace) if task is None or name.rpartition("-")[0] == task]
    return [str(error) for error in map(partial(_read, workspace), known) if isinstance(error, WorkbenchError)]


def _read(workspace: Workspace, comparison_id: str) -> Comparison | WorkbenchError:
    try:
        return _load(_path(workspace, comparison_id))
    except WorkbenchError as error:
        return error


def read_runs(workspace: Workspace, comparison: Comparison) -> RunsRead:
    """The runs of a comparison as they are now, each read once."""
    found = [read_run(workspace, run) for run in comparison.runs]
    return RunsRead(
        tuple(one for one in found if isinstance(one, Entry)),
        tuple(lost for one in found if (lost := _lost(one)) is not None),
    )


def _lost(found: Entry | LostRun) -> LostRun | None:
    if isinstance(found, LostRun):
        return found
    return LostRun(found.run, found.problem) if found.problem else None


def read_run(workspace: Workspace, run: str) -> Entry | LostRun:
    """One run as it is now, or why it cannot be read."""
    folder = workspace.runs / run
    try:
        job = load(folder)
        spec = spec_of(job)
    except InvalidInputError:
        if os.path.lexists(folder):
            return LostRun(run, f"{folder} does not hold what was asked for: remove it, and start the same run again.")
        if any(workspace.trash.glob(f"*Z-{escape(run)}/job.json")):
            return LostRun(run, f"Run {run} is in the trash: put it back, or start the same run again.")
        return LostRun(run, f"The folder {folder} is gone, and with it run {run}: start the same run again.")
    except WorkbenchError as error:
        return LostRun(run, str(error))
    now = status(job)
    if now.state != "done":
        return Entry(run, spec, job, now, None)
    try:
        return Entry(run, spec, job, now, _result_of(job, spec))
    except WorkbenchError as error:
        return Entry(run, spec, job, now, None, str(error))


def _result_of(job: Job, spec: RunSpec) -> RunResult:
    """The result of a run that is done. Raises DamagedFileError, also for the result of another run; StorageError."""
    found = read_result(job.folder)
    if (found.task, found.method, found.seed) != (spec.task, spec.method, spec.seed):
        what = f"the result of run {job.id}"
        raise damaged(job.folder / RESULT, what, "it is that of another run", way_out_of(job.folder))
    return found


def run_again(workspace: Workspace, entry: Entry) -> Job:
    """Remove a run that has ended, with all that it left, and queue the same one again.

    Raises BusyError if it has not ended, StorageError.
    """
    spec = dict(entry.job.spec)  # as it lies there: the run's name is a hash of it
    remove(entry.job)
    return create(workspace.runs, entry.run, kind=KIND, spec=spec, device=entry.job.device)


def common_ground(specs: Sequence[RunSpec]) -> tuple[Shared, tuple[str, ...]]:
    """What all runs share, and the names of what they do not. A fair comparison shares everything named here."""
    values: dict[str, list[Any]] = {
        "task": [s.task for s in specs],
        "task_revision": [s.task_revision for s in specs],
        "split": [s.split_revision for s in specs],
        "labels_per_class": [s.labels_per_class for s in specs],
        "student": [s.train.architecture for s in specs],
        "start": [s.train.start for s in specs],
        "size": [s.train.size for s in specs],
        "images": [s.train.images for s in specs],
        "device": [s.device for s in specs],
    }
    shared: Any = {name: found[0] for name, found in values.items() if len(set(found)) == 1}
    differs = [name for name in values if name not in shared]
    by_method: dict[str, set[int]] = {}
    for spec in specs:
        by_method.setdefault(spec.method, set()).add(spec.seed)
    seeds = {tuple(sorted(found)) for found in by_method.values()}
    if len(seeds) == 1:
        shared["seeds"] = list(seeds.pop())
    else:
        differs.append("seeds")
    return shared, tuple(differs)


def method_means(results: Sequence[RunResult]) -> list[MethodMean]:
    """Results by method, in the order in which methods first occur."""
    by_method: dict[str, dict[int, RunResult]] = {}
    for result in results:
        by_method.setdefault(result.method, {})[result.seed] = result
    reference = {seed: r.held_out_accuracy for seed, r in by_method.get(REFERENCE.key, {}).items()}
    quickest = {
        seed: min(m[seed].seconds for m in by_method.values() if seed in m) for m in by_method.values() for seed in m
    }
    return [_mean(method, found, reference, quickest) for method, found in by_method.items()]


def as_document(comparison: Comparison, results: Sequence[RunResult]) -> dict[str, Any]:
    """One JSON document of a comparison: its results and their means with intervals. Accuracies are shares, 0..1."""
    return {
        "comparison": comparison.id,
        "task": comparison.task,
        "created": comparison.created,
        "machine": "; ".join(sorted({result.machine for result in results})),
        "shared": dict(comparison.shared),
        "differs": list(comparison.differs),
        "results": [as_value(result) for result in results],
        "means": [asdict(mean) for mean in method_means(results)],
    }


def _mean(
    method: str, by_seed: Mapping[int, RunResult], reference: Mapping[int, float], quickest: Mapping[int, float]
) -> MethodMean:
    seeds = tuple(sorted(by_seed))
    accuracies = [by_seed[seed].held_out_accuracy for seed in seeds]
    first = by_seed[seeds[0]]
    difference = None
    if method != REFERENCE.key and set(seeds) & set(reference):
        own = dict(zip(seeds, accuracies, strict=True))
        difference = paired_difference(own, reference, images=first.test_images)
    return MethodMean(
        method=method,
        title=get_method(method).title,
        seeds=seeds,
        accuracy=sum(accuracies) / len(accuracies),
        interval=interval_of(list(by_seed.values())),
        images=first.images,
        seconds=sum(by_seed[seed].seconds for seed in seeds) / len(seeds),
        test_images=first.test_images,
        difference=difference,
        at_equal_seconds=_at_seconds(by_seed, quickest),
        consensus=_consensus([by_seed[seed].consensus for seed in seeds]),
    )


def _consensus(found: Sequence[ConsensusRecord | None]) -> ConsensusMean | None:
    """The mean over a method's seeds; None unless each has one."""
    judged = [one for one in found if one is not None]
    if len(judged) < len(found):
        return None
    first, values = judged[0], [one.accuracy for one in judged]
    of_unlabeled = [one.unlabeled_accuracy for one in judged if one.unlabeled_accuracy is not None]
    interval = Interval(**asdict(first.interval)) if len(judged) == 1 else accuracy_interval(values, first.images)
    return ConsensusMean(
        accuracy=sum(values) / len(values),
        interval=interval,
        images=first.images,
        folds=first.folds,
        unlabeled_accuracy=sum(of_unlabeled) / len(judged) if len(of_unlabeled) == len(judged) else None,
        unlabeled_images=first.unlabeled_images,
    )


def interval_of(results: Sequence[RunResult]) -> Interval:
    """Interval of the mean accuracy of one method's runs: over seeds where there are several, else the run's own, which
    is over its test images, by groups where these come in groups.
    """
    first = results[0]
    if len(results) == 1 and first.interval is not None:
        return Interval(**asdict(first.interval))
    return accuracy_interval([result.held_out_accuracy for result in results], first.test_images)


def _at_seconds(by_seed: Mapping[int, RunResult], moments: Mapping[int, float]) -> float | None:
    """Mean over seeds of the accuracy at each seed's moment, on straight lines between the points of its curve."""
    found = []
    for seed, result in by_seed.items():
        seconds = [point["seconds"] for point in result.curve]
        if len(seconds) < 2 or seconds[0] > moments[seed]:
            return None
        found.append(float(np.interp(moments[seed], seconds, [point["accuracy"] for point in result.curve])))
    return sum(found) / len(found)


def _id(task: str, runs: Sequence[str]) -> str:
    return f"{task}-{canonical_hash(sorted(runs), 8)}"


def _known(workspace: Workspace) -> list[str]:
    return sorted(path.stem for path in workspace.comparisons.glob("*.json"))


def _path(workspace: Workspace, comparison_id: str) -> Path:
    return workspace.comparisons / f"{comparison_id}.json"
