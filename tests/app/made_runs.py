"""Runs in the real format without the training: real specs, real jobs, made-up numbers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from engine import jobs
from engine.evaluation import wilson_interval
from engine.files import write_json
from engine.jobs import Job, Reporter, states, worker
from engine.methods import RECIPE, get_method
from engine.predictions import PREDICTIONS, Predictions, predictions_from, write_predictions
from engine.results import RESULT, RunResult, results_in
from engine.review import open_task
from engine.runs import KIND, Comparison, RunSpec, as_document, plan, read_runs, start
from engine.runs.execution import CURVE_EVENT
from engine.runs.recorded import BUDGETS
from engine.runs.spec import run_spec_from
from engine.tasks import Task
from engine.workspace import Workspace

TEST_IMAGES = 415
FINAL = {
    "fine-tune": 0.50,
    "fixmatch": 0.53,
    "distill-nearest": 0.58,
    "distill-weighted": 0.60,
    "distill-consensus": 0.63,
}
ALPHA = {"emoji-google": 0.7, "imagenet-lite0": 0.2, "openclipart": 0.1}
POINTS = 6


def planned(home: Workspace, methods: Sequence[str], seeds: Sequence[int], **changes: Any) -> tuple[Task, Comparison]:
    """A comparison on the smallest bundled task whose runs wait in the queue."""
    task = open_task(home, "emoji-fluent")
    return task, start(home, plan(home, task, methods, seeds, device="cpu", **changes))


def finish(home: Workspace, comparison: Comparison) -> None:
    """Let every run end, each with a result, a curve and a student."""
    finish_runs(home, comparison.runs)


def finish_runs(home: Workspace, runs: Sequence[str]) -> None:
    """The same for some runs."""
    for run in runs:
        if jobs.status(jobs.load(home.runs / run)).state == "done":
            continue
        assert worker.run(home.runs / run, {KIND: _make}) == worker.DONE


def fail(home: Workspace, run: str, message: str) -> None:
    """Let a run end with an error of ours."""

    def broken(workspace: Workspace, job: Job, report: Reporter) -> None:
        from engine.errors import UnavailableError

        raise UnavailableError(message)

    assert worker.run(home.runs / run, {KIND: broken}) == worker.FAILED


def half_way(home: Workspace, run: str) -> Job:
    """Leave a run in the middle of its training; this very process counts as its worker."""
    job = jobs.load(home.runs / run)
    running = states.begin(job, os.getpid())
    assert running is not None
    spec = run_spec_from(job.spec)
    with Reporter(job, running) as report:
        for point in curve(spec)[: POINTS // 2]:
            report.event(kind=CURVE_EVENT, **point)
        half = spec.train.images // 2
        report.progress(half, spec.train.images, "images", "Training the student")
        states.keep(job, report.latest())
    return job


def recorded(home: Workspace, folder: Path) -> dict[str, Any]:
    """A recorded comparison in `folder`, as the program ships them, made in a workspace of its own."""
    _, comparison = planned(home, ["fine-tune", "fixmatch", "distill-weighted"], [0, 1, 2], images=24_000)
    finish(home, comparison)
    about = {
        "created": "2026-11-19T12:00:00+00:00",
        "command": "python -m engine compare --task emoji-fluent --seeds 0,1,2 --json",
        "machine": "CPU, 2 threads (x86_64)",
        "sittings": "FixMatch was run a day later.",
    }
    document = as_document(comparison, read_runs(home, comparison).results) | about
    write_json(folder / "emoji-fluent.json", document)
    return document


def recorded_budgets(home: Workspace, folder: Path, budgets: Sequence[int]) -> None:
    """Recorded comparisons with one budget each, the largest first, beside the others in `folder`."""
    documents = []
    for images in sorted(budgets, reverse=True):
        _, comparison = planned(home, ["fine-tune", "distill-weighted"], [0], images=images)
        finish(home, comparison)
        documents.append(as_document(comparison, read_runs(home, comparison).results))
    write_json(folder / BUDGETS / "emoji-fluent.json", {"task": "emoji-fluent", "comparisons": documents})


def curve(spec: RunSpec) -> list[dict[str, Any]]:
    """Points of a curve that rises to the method's end, a little differently for each seed."""
    end = FINAL.get(spec.method, 0.55) + 0.01 * (spec.seed % 3)
    points = []
    for i in range(1, POINTS + 1):
        step = round(spec.train.steps * i / POINTS)
        losses = {"labels": 2.0 / i}
        if spec.settings.takes_unlabeled:
            losses |= (
                {"consistency": 0.4, "confident share": 0.2 * i} if spec.method == "fixmatch" else {"teachers": 3 / i}
            )
        points.append(
            {
                "step": step,
                "steps": spec.train.steps,
                "images": step * spec.train.images_per_step,
                "seconds": 12.0 * i,
                "losses": losses,
                "accuracy": round(TEST_IMAGES * end * (0.4 + 0.6 * i / POINTS)) / TEST_IMAGES,
            }
        )
    return points


def result(spec: RunSpec, accuracy: float, test_images: int, points: list[dict[str, Any]]) -> dict[str, Any]:
    """What a run with this accuracy would have left in result.json."""
    taught = get_method(spec.method).weights and spec.settings.needs >= {"pseudo-labels"}
    last = points[-1] if points else {"images": spec.train.images, "seconds": 1.0}
    return {
        "task": spec.task,
        "method": spec.method,
        "title": get_method(spec.method).title,
        "seed": spec.seed,
        "accuracy": accuracy,
        "interval": asdict(wilson_interval(round(accuracy * test_images), test_images)),
        "test_images": test_images,
        "labeled_images": 45,
        "train_images": 1000,
        "labels_per_class": spec.labels_per_class,
        "similarities": {name: 40.0 * share for name, share in ALPHA.items()} if taught else {},
        "alpha": ALPHA if taught else {},
        "active_alpha": ALPHA if taught else {},
        "effective_teachers": 2.23 if taught else None,
        "ranking_possible": True,
        "ranking_problem": None,
        "consensus": judged(spec) if spec.method.startswith("distill-consensus") else None,
        "machine": "CPU, 2 threads (x86_64)",
        "versions": {"recipe": RECIPE},
        "steps": spec.train.steps,
        "images": last["images"],
        "seconds": last["seconds"],
        "prepare_seconds": 3.0,
        "evaluate_seconds": 2.0,
        "curve": points,
    }


def judged(spec: RunSpec) -> dict[str, Any]:
    """What such a run says of its consensus: 31, 32 or 33 of 45 labels right."""
    right = 31 + spec.seed % 3
    return {
        "accuracy": right / 45,
        "interval": asdict(wilson_interval(right, 45)),
        "images": 45,
        "folds": 5,
        "unlabeled_accuracy": 0.7,
        "unlabeled_images": 559,
    }


def as_result(value: dict[str, Any]) -> RunResult:
    """The same as a result that was read."""
    return results_in({"results": [value]}, Path("made.json"))[0]


def predictions(task: Task, accuracy: float, seed: int) -> Predictions:
    """Made-up predictions of a task's test images, so many of them right; a wrong one names the next class."""
    labels = task.labels[task.test_rows]
    generator = np.random.default_rng(seed)
    wrong = generator.permutation(len(labels))[round(accuracy * len(labels)) :]
    predicted = labels.copy()
    predicted[wrong] = (labels[wrong] + 1) % len(task.classes)
    confidence = generator.uniform(0.5, 1.0, len(labels))
    probabilities = np.repeat((1 - confidence)[:, None] / (len(task.classes) - 1), len(task.classes), axis=1)
    probabilities[np.arange(len(labels)), predicted] = confidence
    ids = [task.images.image_ids[row] for row in task.test_rows]
    return predictions_from(ids, task.classes, labels, probabilities.astype(np.float32))


def _make(workspace: Workspace, job: Job, report: Reporter) -> None:
    spec = run_spec_from(job.spec)
    points = curve(spec)
    for point in points:
        report.event(kind=CURVE_EVENT, **point)
    task = open_task(workspace, spec.task)
    write_predictions(job.folder / PREDICTIONS, predictions(task, points[-1]["accuracy"], spec.seed))
    save_file({"classifier.weight": torch.zeros(9, 4)}, job.folder / "student.safetensors")
    record = {
        "task": spec.task,
        "architecture": spec.train.architecture,
        "num_classes": len(task.classes),
        "classes": list(task.classes),
        "task_revision": task.revision,
    }
    geometry = {"input_size": 64, "mean": [0.5] * 3, "std": [0.5] * 3, "resize": "pad", "interpolation": "bicubic"}
    write_json(job.folder / "student.json", record | geometry)
    made = result(spec, points[-1]["accuracy"], TEST_IMAGES, points)
    untested = {"accuracy": None, "interval": None, "test_images": 0, "curve": []}
    write_json(job.folder / RESULT, made if spec.held_out else made | untested)
