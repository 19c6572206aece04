"""What a worker process does for one run: rank, weigh, prepare, train, evaluate, and leave a student and a result."""

from __future__ import annotations

import math
import os
import platform
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from engine.devices import describe, kind, set_up
from engine.errors import DamagedFileError, InvalidInputError
from engine.evaluation import Interval, accuracy, per_class_accuracy, share_interval, wilson_interval
from engine.jobs import Job, Reporter, read_events
from engine.jobs.records import EVENTS_FILE
from engine.methods import RECIPE, get_method
from engine.predictions import PREDICTIONS, write_predictions
from engine.records import Count, Seconds, record_from, write_record
from engine.results import RESULT, ArithmeticRecord, ConsensusRecord, CurvePoint, IntervalRecord, RunResult, StudentCost
from engine.review import open_task
from engine.runs.consensus_accuracy import consensus_accuracy
from engine.runs.extraction_job import progress_to
from engine.runs.finishing import quoted
from engine.runs.material import RunMaterial
from engine.runs.predictions_job import test_predictions
from engine.runs.quickest import arithmetic_of_run
from engine.runs.ranking import Ranking, active_weights, drawn_at_random, effective_teachers, rank
from engine.runs.spec import RunSpec, check_held_out, check_teachers, spec_of
from engine.runs.speed import keep_speed
from engine.runs.starting import first_weights
from engine.student import write_student
from engine.tasks import Task, read_groups
from engine.tasks.pixel_file import AGAIN, READING, open_pixels
from engine.teachers import Network, cost, get_teacher, relation
from engine.tensors import all_tensors, reading_tensors, write_tensors
from engine.training import (
    Arithmetic,
    Checkpoint,
    EvaluationData,
    Hooks,
    Objective,
    Point,
    StartWeights,
    TrainData,
    Trained,
    UnfitCheckpointError,
    predict,
    train,
)
from engine.workspace import Workspace

CHECKPOINT, CURVE_EVENT = "checkpoint.safetensors", "evaluation"
CHECKPOINT_SECONDS = float(os.environ.get("WORKBENCH_CHECKPOINT_SECONDS", "15"))  # ours: what a kill costs at most


@dataclass(frozen=True)
class Teaching:
    """Which teachers teach, with which weights, and what that rests on."""

    alpha: dict[str, float]  # active teachers only; sums to 1
    all_alpha: dict[str, float]  # before small weights were dropped
    similarities: dict[str, float]
    ranking_possible: bool
    problem: str | None


def execute(workspace: Workspace, job: Job, report: Reporter) -> None:
    """Do the run that a job describes, or what is left of it. Everything it leaves lies in the job's folder."""
    spec = spec_of(job)
    report.progress(0, None, "", "Reading the task")
    task = open_task(workspace, spec.task)
    if task.revision != spec.task_revision:
        raise InvalidInputError(
            f"Task {spec.task!r} has changed since this run was made (revision {task.revision}, not "
            f"{spec.task_revision}): start a new run."
        )
    task = replace(task, held_out=spec.held_out)
    set_up(spec.device, spec.threads)
    began = time.perf_counter()
    labeled = task.labeled_rows(spec.draw)
    teaching = _teaching(workspace, task, spec, report)
    material = RunMaterial(workspace, task, labeled, teaching.alpha, spec.threads, spec.device, report)
    objective = spec.settings.prepare(material)
    consensus = None if objective.opinion is None else consensus_accuracy(material, objective.opinion)
    start, shares = first_weights(workspace, spec, teaching.alpha)
    data, held_out = _data(task, spec, material, start)
    preparing = time.perf_counter() - began

    report.progress(0, None, "", "Preparing the student")
    run = _Watched(job, report, spec, held_out)
    run.preparing = preparing
    run.way = arithmetic_of_run(workspace, job, spec.train, spec.device, report)
    trained = _train(spec, objective, data, run)
    report.progress(trained.steps, trained.steps, "steps", "Writing the student")
    write_student(job.folder, trained.network, spec.train, task)
    tested = _tested(trained, held_out)
    if tested is not None:
        write_predictions(job.folder / PREDICTIONS, test_predictions(task, tested[0]))
    keep_speed(workspace, spec.recipe, spec.device, trained.images, trained.seconds)
    result = _result(workspace, task, spec, labeled, teaching, shares, consensus, tested, trained, run)
    write_record(job.folder / RESULT, result)
    (job.folder / CHECKPOINT).unlink(missing_ok=True)


def _train(spec: RunSpec, objective: Objective, data: TrainData, run: _Watched) -> Trained:
    """The training, or what is left of it. A checkpoint that cannot be used costs its time and nothing else: training
    from the start gives the same weights.
    """
    hooks = Hooks(run.on_step, run.on_evaluation, run.on_checkpoint, CHECKPOINT_SECONDS, run.on_note)
    start = partial(
        train,
        spec.train,
        objective,
        data,
        spec.seed,
        device=spec.device,
        threads=spec.threads,
        hooks=hooks,
        arithmetic=run.way,
    )
    if (saved := run.last_checkpoint()) is not None:
        try:
            return start(resume=saved)
        except UnfitCheckpointError as error:
            run.begin_anew(str(error))
    return start()


def curve(job: Job) -> list[CurvePoint]:
    """The curve of a run as far as it has come, from its events. Raises DamagedFileError, StorageError."""
    points = [event for event in read_events(job).events if event.get("kind") == CURVE_EVENT]
    way_out = "resume the run, which mends it, or remove the file"
    return record_from(points, list[CurvePoint], job.folder / EVENTS_FILE, f"the curve of run {job.id}", way_out)


class _About(msgspec.Struct, frozen=True):
    """What a checkpoint says beside its tensors."""

    step: Count
    seconds: Seconds
    points: list[CurvePoint]
    evaluating: Seconds = 0.0
    preparing: Seconds = 0.0
    notes: list[str] = []


class _Watched:
    """One training as its watcher sees it: progress, the curve as events, checkpoints."""

    def __init__(self, job: Job, report: Reporter, spec: RunSpec, held_out: EvaluationData | None) -> None:
        self.job, self.report, self.spec, self.held_out = job, report, spec, held_out
        self.evaluating = self.preparing = 0.0  # s, over all attempts, as far as the last checkpoint knows of them
        self.way: Arithmetic | None = None  # how it computes; None as the spec says
        self.points: list[CurvePoint] = []  # of the curve: accuracy over images seen
        self.stage = "Training the student"
        self.notes: list[str] = []

    def on_step(self, step: int, steps: int, images: int) -> None:
        self.report.check_cancelled()
        self.report.progress(images, steps * self.spec.train.images_per_step, "images", self.stage)

    def on_evaluation(self, point: Point, network: Network) -> None:
        if self.held_out is None:
            return
        began = time.perf_counter()
        predicted = predict(network, self.held_out.images).argmax(1)
        self.evaluating += time.perf_counter() - began
        held_out_accuracy = accuracy(predicted.numpy(), self.held_out.labels.numpy())
        reached: Any = {**asdict(point), "accuracy": held_out_accuracy}
        self.points.append(reached)
        self.report.event(kind=CURVE_EVENT, **reached)

    def on_checkpoint(self, checkpoint: Checkpoint) -> None:
        about = _About(checkpoint.step, checkpoint.seconds, self.points, self.evaluating, self.preparing, self.notes)
        metadata = {"about": msgspec.json.encode(about).decode()}
        write_tensors(self.job.folder / CHECKPOINT, checkpoint.tensors, metadata)

    def on_note(self, sentence: str) -> None:
        """Say it where the run is watched, in its log and in its result."""
        print(sentence)
        if sentence not in self.notes:  # an earlier attempt may have met the same
            self.notes.append(sentence)
        self.stage = f"Training the student. {sentence}"

    def last_checkpoint(self) -> Checkpoint | None:
        """What an earlier attempt saved, or None. The events become those that the checkpoint knows of, whatever has
        become of their file. A damaged checkpoint is a fresh start.
        """
        path = self.job.folder / CHECKPOINT
        try:
            with reading_tensors(path, "pt", also=("about",)) as file:
                about = msgspec.json.decode(file.metadata()["about"], type=_About)
                tensors = all_tensors(file)
        except FileNotFoundError:
            self.report.replace_events([])
            return None
        except (DamagedFileError, KeyError, TypeError, ValueError) as error:
            self.begin_anew(str(error))
            return None
        self.report.replace_events([{"kind": CURVE_EVENT, **point} for point in about.points])
        self.points = about.points
        self.evaluating, self.notes = about.evaluating, list(about.notes)
        self.preparing += about.preparing
        return Checkpoint(tensors, about.step, about.seconds)

    def begin_anew(self, reason: str) -> None:
        """Forget what an earlier attempt left, and say so where the run is watched and in its log."""
        print(f"Training begins anew, since the checkpoint cannot be used: {reason}")
        self.report.replace_events([])
        self.points, self.notes, self.evaluating = [], [], 0.0
        self.stage = "Training the student, from the start, as its checkpoint is damaged"


def _teaching(workspace: Workspace, task: Task, spec: RunSpec, report: Reporter) -> Teaching:
    method = get_method(spec.method)
    if spec.teachers is None:
        return Teaching({}, {}, {}, ranking_possible=True, problem=None)
    check_teachers(workspace, spec)
    if method.weights == "random":
        alpha = drawn_at_random([get_teacher(workspace, name) for name in spec.teachers], spec.seed)
        return Teaching(alpha, alpha, {}, ranking_possible=True, problem=None)
    if spec.alpha is not None:
        return Teaching(active_weights(dict(spec.alpha)), dict(spec.alpha), {}, ranking_possible=True, problem=None)
    assert spec.p is not None
    ranking: Ranking = rank(
        workspace,
        task,
        metric=spec.metric,
        draw=spec.draw,
        teachers=list(spec.teachers),
        device=spec.device,
        progress=progress_to(report),
    )
    alpha = ranking.alpha(spec.p, features_suffice=spec.settings.features_suffice)
    similarities = {r.teacher.name: r.similarity for r in ranking.ranked}
    return Teaching(active_weights(alpha), alpha, similarities, ranking.possible, ranking.problem)


def _data(
    task: Task, spec: RunSpec, material: RunMaterial, start: StartWeights
) -> tuple[TrainData, EvaluationData | None]:
    """The training split and the test images, if any are held out, as the student sees them. Of all labels of the
    training split, only those of `material` go in.
    """
    if spec.held_out:
        check_held_out(task)
    said = READING

    def progress(done: int, total: int, stage: str) -> None:
        nonlocal said
        if stage == AGAIN != said:
            print(f"{stage}.")
        said = stage
        material.report.check_cancelled()
        material.report.progress(done, total, "images", stage)

    train_images, test_images = open_pixels(task, spec.train.size, [task.train_rows, task.test_rows], progress)
    held_out = EvaluationData(test_images, torch.from_numpy(task.labels[task.test_rows])) if spec.held_out else None
    data = TrainData(
        start=start,
        images=train_images,
        labeled=torch.from_numpy(material.labeled),
        labels=torch.from_numpy(material.labels),
        classes=material.classes,
        flip=task.record.flip,
    )
    return data, held_out


def _tested(trained: Trained, held_out: EvaluationData | None) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Probabilities `[n, C]` and known classes `[n]` of the held-out images; None where none are."""
    if held_out is None:
        return None
    probabilities: NDArray[np.float32] = predict(trained.network, held_out.images).numpy()
    return probabilities, held_out.labels.numpy()


def _interval(task: Task, right: NDArray[np.bool_]) -> Interval:
    """Of the share of a task's test images that are right, over groups where they come in groups."""
    groups = read_groups(task.folder)
    found = share_interval(right, None if groups is None else groups[task.test_rows])
    return found or replace(  # all of one group, so that nobody knows how groups differ
        wilson_interval(int(right.sum()), len(right)), method=f"Wilson interval over {len(right)} images of one group"
    )


def _result(
    workspace: Workspace,
    task: Task,
    spec: RunSpec,
    labeled: NDArray[np.int64],
    teaching: Teaching,
    first: dict[str, float],
    consensus: ConsensusRecord | None,
    tested: tuple[NDArray[np.float32], NDArray[np.int64]] | None,
    trained: Trained,
    run: _Watched,
) -> RunResult:
    probabilities, labels = tested or (np.empty((0, len(task.classes)), np.float32), np.empty(0, np.int64))
    predicted = probabilities.argmax(1)
    interval = _interval(task, predicted == labels) if tested else None
    parameters, gflops = cost(spec.train.architecture, len(task.classes), spec.train.size)
    return RunResult(
        run=run.job.id,
        task=task.name,
        method=spec.method,
        title=get_method(spec.method).title,
        seed=spec.seed,
        accuracy=accuracy(predicted, labels) if tested else None,
        interval=IntervalRecord(**asdict(interval)) if interval else None,
        quoted=quoted(workspace, spec),
        per_class_accuracy=tuple(per_class_accuracy(predicted, labels, len(task.classes))) if tested else (),
        test_images=len(labels),
        labeled_images=len(labeled),
        train_images=len(task.train_rows),
        labels_per_class=spec.labels_per_class,
        metric=spec.metric if teaching.similarities else None,
        p="inf" if spec.p == math.inf else spec.p,
        similarities=teaching.similarities,
        alpha=teaching.all_alpha,
        active_alpha=teaching.alpha,
        related_teachers=tuple(n for n in teaching.alpha if _relation(workspace, task, n) == "disjoint"),
        effective_teachers=effective_teachers(teaching.alpha) if teaching.alpha else None,
        ranking_possible=teaching.ranking_possible,
        ranking_problem=teaching.problem,
        first_weights=first,
        consensus=consensus,
        student=StudentCost(spec.train.architecture, spec.train.size, parameters, gflops),
        machine=describe(spec.device),
        arithmetic=ArithmeticRecord(**asdict(run.way)) if run.way and kind(spec.device) == "cuda" else None,
        versions={"python": platform.python_version(), **{n: version(n) for n in ("torch", "timm")}, "recipe": RECIPE},
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        steps=trained.steps,
        images=trained.images,
        seconds=trained.seconds,
        prepare_seconds=run.preparing,
        evaluate_seconds=run.evaluating,
        curve=run.points,
        notes=tuple(run.notes),
    )


def _relation(workspace: Workspace, task: Task, teacher: str) -> str:
    return relation(get_teacher(workspace, teacher), task.record.collection, task.record.parts)
