"""A workspace with as much in it as a year brings: each page, and each list of the command line, in how many seconds.

50 tasks, 200 comparisons and 1,000 runs are made up on disk in the real formats; a quarter of the comparisons are of
the task that is chosen. Each page is shown twice in one process: first with nothing remembered, then again.
"""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from unittest import mock

import torch
from streamlit.testing.v1 import AppTest

from engine import files, jobs
from engine.files import write_json
from engine.jobs import states
from engine.predictions import PREDICTIONS, write_predictions
from engine.records import write_record
from engine.results import RESULT
from engine.review import open_task
from engine.runs import KIND, Comparison, RunSpec, plan
from engine.runs.comparison import _id, _path, common_ground
from engine.runs.execution import CURVE_EVENT
from engine.runs.spec import as_json
from engine.tasks.task import Task, load_task, write_task
from engine.tensors import write_tensors
from engine.workspace import Workspace
from tests.app import made_runs
from tests.app.pages import MAIN
from tests.faults.account import Account
from tests.faults.visits import PAGES, Look, nothing_starts, seen, verb
from tests.faults.workspace import TASK, make

TEACHERS = ("own", "test-resnet-r160-in1k")  # those whose network is here
TASKS, COMPARISONS, RUNS_EACH = 50, 200, 5
LIMIT = 1.0  # s that a page may take
LISTS = {"tasks": ["tasks", "--json"], "teachers": ["teachers", "--json"]}


@dataclass(frozen=True)
class Timed:
    """How long one page or list took, in seconds; first: with nothing remembered; computed: of the processor."""

    name: str
    first: float
    computed: float
    again: float
    computed_again: float
    error: str | None


def make_many(folder: Path, tasks: int = TASKS, comparisons: int = COMPARISONS, each: int = RUNS_EACH) -> Workspace:
    """The workspace, in `folder`. Of its comparisons a quarter are of the task that is chosen."""
    home = make(folder)
    for left in (home.runs, home.comparisons):
        shutil.rmtree(left)
    opened = [open_task(home, TASK), *(_copy_of_task(home, f"{TASK}-{number:02}") for number in range(1, tasks))]
    with mock.patch.object(files, "_flush", return_value=None):  # nobody pulls the plug while this is made
        for number in range(comparisons):
            task = opened[0] if number % 4 == 0 else opened[1 + number % (tasks - 1)]
            _comparison(home, task, number, each)
    return home


def _copy_of_task(home: Workspace, name: str) -> Task:
    shutil.copytree(home.tasks / TASK, home.tasks / name, copy_function=os.link)
    record = replace(load_task(home, TASK).record, name=name, title=f"Leaves {name[-2:]}")
    (home.tasks / name / "task.json").unlink()
    write_task(home.tasks / name, record)
    return load_task(home, name)


def _comparison(home: Workspace, task: Task, number: int, each: int) -> None:
    """A comparison with its runs: those of the last one wait, of the last but one failed, else are done."""
    about = {"architecture": "test_efficientnet", "start": "random", "size": 32, "images": 800 + 32 * number}
    seeds = range((each + 1) // 2)
    chosen = {"labels_per_class": 5, "device": "cpu", "teachers": TEACHERS}
    specs = plan(home, task, ["fine-tune", "distill-weighted"], seeds, **chosen, **about)[:each]
    shared, differs = common_ground(specs)
    runs = tuple(spec.run_id for spec in specs)
    created = states.now() - timedelta(hours=COMPARISONS - number)
    found = Comparison(_id(task.name, runs), task.name, created.isoformat(timespec="seconds"), runs, shared, differs)
    write_record(_path(home, found.id), found)
    state = {COMPARISONS - 1: "queued", COMPARISONS - 2: "failed"}.get(number, "done")
    for spec in specs:
        _run(home, task, spec, state)


def _run(home: Workspace, task: Task, spec: RunSpec, state: str) -> None:
    job = jobs.create(home.runs, spec.run_id, kind=KIND, spec=as_json(spec), device="cpu")
    points = made_runs.curve(spec)
    if state == "queued":
        return
    for point in points:
        jobs.events.append_event(job, {"kind": CURVE_EVENT, **point})
    if state == "done":
        accuracy, tested = points[-1]["accuracy"], len(task.test_rows)
        write_json(job.folder / RESULT, made_runs.result(spec, accuracy, tested, points) | {"run": spec.run_id})
        write_predictions(job.folder / PREDICTIONS, made_runs.predictions(task, accuracy, spec.seed))
        write_tensors(job.folder / "student.safetensors", {"classifier.weight": torch.zeros(len(task.classes), 4)})
        record = {
            "task": task.name,
            "architecture": spec.train.architecture,
            "num_classes": len(task.classes),
            "classes": list(task.classes),
            "task_revision": task.revision,
            "input_size": 32,
            "mean": [0.5] * 3,
            "std": [0.5] * 3,
            "resize": task.record.resize,
            "interpolation": "bicubic",
        }
        write_json(job.folder / "student.json", record)
    ended = replace(jobs.status(job), started=states.now(), attempts=1, seconds=72.0)
    message = "Something was missing." if state == "failed" else None
    states._end(job, ended, state, message)


def timed_pages(home: Workspace) -> Iterator[Timed]:
    """Each page, and each list of the command line, of `home`, which must be WORKBENCH_HOME."""
    importlib.import_module("sklearn.decomposition")  # once a server, at the first PCA: a second, whatever there is
    newest = max(home.comparisons.glob(f"{TASK}-????????.json"), key=lambda path: path.stat().st_mtime)
    with nothing_starts():
        app = AppTest.from_file(str(MAIN), default_timeout=600)
        app.query_params["task"] = TASK
        app.query_params["comparison"] = newest.stem
        app.run()
        for name, (view, part) in PAGES.items():
            app.query_params["section" if view == "results" else "part"] = part
            yield _timed(name, lambda view=view, name=name: seen(name, app.switch_page(f"views/{view}/page.py").run()))
        for name, arguments in LISTS.items():
            yield _timed(f"engine {name}", lambda name=name, arguments=arguments: verb(name, arguments))


def _timed(name: str, show: object) -> Timed:
    took: list[tuple[float, float]] = []
    found: Look | None = None
    for _ in range(2):
        began, computed = time.perf_counter(), time.process_time()
        found = show()
        took.append((time.perf_counter() - began, time.process_time() - computed))
    return Timed(name, *took[0], *took[1], found.error)


def account(*sizes: int) -> Account:
    """Each page and list in seconds. Another program on this machine delays them, and is none of their faults: what is
    wrong is one that takes the processor longer than `LIMIT`.
    """
    before = os.environ.get("WORKBENCH_HOME", "")
    with tempfile.TemporaryDirectory() as made:
        home = make_many(Path(made), *sizes)
        os.environ["WORKBENCH_HOME"] = str(home.path)
        try:
            found = list(timed_pages(home))
        finally:
            os.environ["WORKBENCH_HOME"] = before
    for one in found:
        print(f"{one.name:16} {one.first:6.2f} {one.again:6.2f} s, of the processor {one.computed:6.2f}", flush=True)
    slowest = max(found, key=lambda one: one.computed)
    figures = {
        "runs, comparisons, tasks": sizes or f"{COMPARISONS * RUNS_EACH:,}, {COMPARISONS}, {TASKS}",
        "slowest page or list": f"{slowest.name}, {slowest.first:.2f} s, then {slowest.again:.2f} s",
        "seconds of the processor for it": slowest.computed,
        "tracebacks": sum(one.error is not None for one in found),
    }
    wrong = [f"{one.name}: {one.error}" for one in found if one.error]
    wrong += [f"{one.name} takes {one.computed:.2f} s" for one in found if one.computed > LIMIT]
    return Account(figures, tuple(wrong))


if __name__ == "__main__":
    print(*account(*map(int, sys.argv[1:4])).lines(), sep="\n")
