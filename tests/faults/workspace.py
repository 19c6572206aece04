"""The workspace that is damaged: the one that version 0.1 made, with what it lacks, and each kind of file in it."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine import jobs
from engine.delivery import PredictSpec, likeness, predict_job
from engine.delivery.format_table import TABLE, FormatRow, FormatTable
from engine.jobs import states
from engine.maps import Map, map_rows, write_map
from engine.predictions import PREDICTIONS, write_predictions
from engine.records import write_record
from engine.review import open_task
from engine.runs import load_comparison, plan, start
from engine.runs.panel import _path, panel_spec, teacher_panel
from engine.tasks import Draw, bundled_names
from engine.tasks.confirmed import confirm
from engine.tasks.pixel_file import open_pixels
from engine.tasks.task import write_task
from engine.teachers import get_teacher
from engine.tensors import write_tensors
from engine.workspace import Workspace
from tests.app import made_runs

OLD = Path(__file__).parents[1] / "data" / "workspace-0.1.tar.xz"
TASK, TEACHER, COMPARISON = "leaves", "own", "leaves-dc0654c7"
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


def extend(home: Workspace) -> None:
    """Add what version 0.1 did not know: what a student says of images, kept labels, pixels, jobs."""
    task, run = open_task(home, TASK), home.path / DONE
    for each in load_comparison(home, COMPARISON).runs:
        write_predictions(home.runs / each / PREDICTIONS, made_runs.predictions(task, 0.8, 0))
    offered = _offered(home)
    about = json.dumps({"beyond": 0.5, "held_out": 0.1, "quantile": likeness.QUANTILE})
    write_tensors(run / likeness.FILE, {"references": np.eye(4, 1280, dtype=np.float32)}, {"about": about})
    confirm(task, {task.images.image_ids[0]: task.classes[0]})
    open_pixels(task, 32, [task.train_rows])
    asked = PredictSpec(TASK, run.name, str(home.path / "brought"))
    predicted = _done(home, f"predict-{run.name}-0123456789", "predict", msgspec.to_builtins(asked))
    answer = {"class": task.classes[0], "probability": 0.75, "unsure": False}
    answers = [{"file": "a.png", **answer}, {"file": "b.png", "problem": "b.png is no image."}]
    rows = pa.Table.from_pylist(answers, schema=predict_job._PART)
    pq.write_table(rows, predicted / "part-00000.parquet", write_page_checksum=True)
    measured = _done(home, f"formats-{offered}-0123456789", "formats", {"run": offered, "task": TASK})
    row = FormatRow("onnx", "ONNX", check="The same.", size=1000, accuracy=0.5, one_thread=1.0, all_threads=1.0)
    write_record(measured / TABLE, FormatTable(offered, "CPU", 1, "2026-11-19T12:00:00+00:00", (row,)))
    (measured / "onnx.zip").write_bytes(b"PK")


def _offered(home: Workspace) -> str:
    """The run whose student Results offers first."""
    return next(run for run in load_comparison(home, COMPARISON).runs if "-distill-consensus-" in run)


def _done(home: Workspace, name: str, kind: str, spec: Any) -> Path:
    job = jobs.create(home.jobs, name, kind=kind, spec=dict(spec), device="cpu", lane=jobs.INTERACTIVE)
    running = states.begin(job, os.getpid())
    assert running is not None
    states.finish(job, running, "done")
    return job.folder


def complete(home: Workspace) -> None:
    """Add what version 0.1 left out: the bundled tasks, a task with a seal, a map, and a ranking by all metrics."""
    renew(home)
    extend(home)
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
    record = open_task(home, TASK).record
    split, resize = record.split, record.resize
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
        "predictions.parquet": Path("runs", _offered(home), PREDICTIONS),
        "likeness": Path(DONE, likeness.FILE),
        "confirmed.json": Path(f"tasks/{TASK}/confirmed.json"),
        "pixels": Path(f"pixels/{TASK}/{resize}-32/pixels.u8"),
        "record.json of pixels": Path(f"pixels/{TASK}/{resize}-32/record.json"),
        "part of predictions": one["part"].relative_to(home.path),
        "job.json, predictions": one["part"].relative_to(home.path).with_name("job.json"),
        "status.json, predictions": one["part"].relative_to(home.path).with_name("status.json"),
        "table.json of formats": one["table"].relative_to(home.path),
        "ZIP of a format": one["table"].relative_to(home.path).with_name("onnx.zip"),
        "job.json, stopped": Path(STOPPED, "job.json"),
        "status.json, stopped": Path(STOPPED, "status.json"),
        "events.jsonl, stopped": Path(STOPPED, "events.jsonl"),
        "checkpoint": Path(STOPPED, "checkpoint.safetensors"),
        "log.txt": Path(STOPPED, "log.txt"),
        "lock": Path(STOPPED, "lock"),
    }


_FIRST = {
    "features": f"features/{TASK}/own-0d56ddb163-squash-flip/view-0/*.safetensors",
    "part": "jobs/predict-*/part-00000.parquet",
    "table": "jobs/formats-*/table.json",
    "outputs": "teachers/table/outputs/view-0/*.safetensors",
}
_MADE = {"map": "maps/*/*/*.safetensors", "ranking": "rankings/*.json"}  # by `complete`
