"""The workspace that is damaged: the one that version 0.1 made, with what it lacks, and each kind of file in it."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import numpy as np

from engine.maps import Map, map_rows, write_map
from engine.records import write_record
from engine.review import open_task
from engine.runs import plan, start
from engine.runs.panel import _path, panel_spec, teacher_panel
from engine.tasks import Draw, bundled_names
from engine.tasks.task import write_task
from engine.teachers import get_teacher
from engine.workspace import Workspace

OLD = Path(__file__).parents[1] / "data" / "workspace-0.1.tar.xz"
TASK, TEACHER, COMPARISON = "leaves", "own", "leaves-fa162097"
STOPPED_COMPARISON, OLD_COMPARISON = "leaves-e6aa55c1", "leaves-a607684c"
DONE, STOPPED = "runs/leaves-distill-weighted-s0-6a406b56d7", "runs/leaves-fine-tune-s1-f37815fdce"
OLD_RUNS = (
    "runs/leaves-fine-tune-s0-eec2e26446",
    "runs/leaves-distill-weighted-s0-1546defd28",
    "runs/leaves-distill-consensus-s0-8665695c7f",
)
METHODS = ("fine-tune", "distill-weighted", "distill-consensus")
TEACHERS = ("own", "table", "test-resnet-r160-in1k")


def make(folder: Path) -> Workspace:
    """The workspace, unpacked into `folder`; for the calls here it must be WORKBENCH_HOME."""
    with tarfile.open(OLD) as archive:
        archive.extractall(folder, filter="data")
    return Workspace(folder / "workspace-0.1")


def renew(home: Workspace) -> None:
    """Add the comparison of version 0.1 as this version names and writes it, with what its runs found."""
    about = {"architecture": "test_efficientnet", "start": "random", "size": 32, "images": 800}
    specs = plan(
        home, open_task(home, TASK), METHODS, [0], device="cpu", teachers=TEACHERS, labels_per_class=5, **about
    )
    old = {json.loads((home.path / run / "result.json").read_text())["method"]: home.path / run for run in OLD_RUNS}
    for run in start(home, specs).runs:
        method = json.loads((home.runs / run / "job.json").read_text())["spec"]["method"]
        for name in ("status.json", "events.jsonl", "result.json", "student.json", "student.safetensors"):
            shutil.copy(old[method] / name, home.runs / run / name)


def complete(home: Workspace) -> None:
    """Add what version 0.1 left out: the bundled tasks, a task with a seal, a map, and a ranking by all metrics."""
    renew(home)
    for name in bundled_names():
        open_task(home, name)
    write_task(home.tasks / "cells", open_task(home, "cells").record)
    task = open_task(home, TASK)
    rows = map_rows(task)
    write_map(home.maps, task, get_teacher(home, TEACHER), Map("umap", rows, np.zeros((len(rows), 2), np.float32)))
    found = teacher_panel(home, task, teachers=["own", "table", "test-resnet-r160-in1k"], metrics=["parc", "cka"])
    write_record(_path(home, panel_spec(home, task, Draw())), found)


def copy(home: Workspace, to: Path) -> Workspace:
    """A copy that shares its content by hard links; whoever changes a file of it writes that file anew."""
    return Workspace(Path(shutil.copytree(home.path, to, copy_function=os.link)))


def kinds(home: Workspace) -> dict[str, Path]:
    """Each kind of file and one file of it, relative to the workspace."""
    [labels] = (home.tasks / TASK / "labels").iterdir()
    split = open_task(home, TASK).record.split
    one = {name: next(home.path.glob(pattern)) for name, pattern in _FIRST.items()}
    made = {name: path for name, pattern in _MADE.items() for path in home.path.glob(pattern)}
    return {
        "settings.json": Path("settings.json"),
        "task.json": Path(f"tasks/{TASK}/task.json"),
        "task.json, sealed": Path("tasks/cells/task.json"),
        "images.parquet": Path(f"tasks/{TASK}/images.parquet"),
        "facts.parquet": Path(f"tasks/{TASK}/facts.parquet"),
        "import.json": Path(f"tasks/{TASK}/import.json"),
        "labels": labels.relative_to(home.path),
        "split": Path(f"tasks/{TASK}/splits/{split}.parquet"),
        "features": one["features"].relative_to(home.path),
        **{name: path.relative_to(home.path) for name, path in made.items()},
        "teacher's record.json": Path(f"teachers/{TEACHER}/record.json"),
        "teacher's weights": Path(f"teachers/{TEACHER}/weights.safetensors"),
        "teacher's outputs": one["outputs"].relative_to(home.path),
        "comparison": Path(f"comparisons/{COMPARISON}.json"),
        "job.json, done": Path(DONE, "job.json"),
        "job.json, of version 0.1": Path(OLD_RUNS[1], "job.json"),
        "status.json, done": Path(DONE, "status.json"),
        "events.jsonl, done": Path(DONE, "events.jsonl"),
        "result.json": Path(DONE, "result.json"),
        "student.json": Path(DONE, "student.json"),
        "student": Path(DONE, "student.safetensors"),
        "job.json, stopped": Path(STOPPED, "job.json"),
        "status.json, stopped": Path(STOPPED, "status.json"),
        "events.jsonl, stopped": Path(STOPPED, "events.jsonl"),
        "checkpoint": Path(STOPPED, "checkpoint.safetensors"),
        "log.txt": Path(STOPPED, "log.txt"),
        "lock": Path(STOPPED, "lock"),
    }


_FIRST = {
    "features": f"features/{TASK}/own-0d56ddb163-squash-flip/view-0/*.safetensors",
    "outputs": "teachers/table/outputs/view-0/*.safetensors",
}
_MADE = {"map": "maps/*/*/*.safetensors", "ranking": "rankings/*.json"}  # by `complete`
