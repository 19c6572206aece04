"""A finished run's folder with a small student in it, as far as whoever loads or hands over a student reads it."""

from pathlib import Path
from typing import Any

import torch

from engine import jobs
from engine.records import write_record
from engine.results import RESULT
from engine.student import RECORD, WEIGHTS, StudentRecord
from engine.teachers import create
from engine.tensors import write_tensors
from engine.workspace import Workspace

RESULT_OF = {
    **{"method": "fine-tune", "title": "Fine-tuning", "seed": 0, "accuracy": 0.5, "test_images": 4},
    **{"interval": {"low": 0.1, "high": 0.9, "level": 0.95, "method": "Wilson"}, "labeled_images": 2},
    **{"train_images": 6, "labels_per_class": 1, "similarities": {}, "alpha": {}, "active_alpha": {}},
    **{"effective_teachers": None, "ranking_possible": True, "ranking_problem": None, "machine": "any", "steps": 1},
    **{"images": 80, "seconds": 1.0, "prepare_seconds": 0.0, "evaluate_seconds": 0.0, "curve": []},
}


def make_student(
    folder: Path, classes: tuple[str, ...] = ("cat", "dog"), *, size: int = 32, resize: str = "squash", task: str = "t"
) -> Path:
    """Write a student of random weights and its result into the folder of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    model = create("test_resnet", len(classes))
    with torch.no_grad():
        model.get_classifier().weight.mul_(10)  # so that classes differ in probability
    write_tensors(folder / WEIGHTS, {name: value.contiguous() for name, value in model.state_dict().items()})
    record = StudentRecord(
        *("test_resnet", len(classes), classes, size, (0.5,) * 3, (0.25,) * 3, resize, "bicubic", task)
    )
    write_record(folder / RECORD, record)
    write_record(folder / RESULT, {"task": task, **RESULT_OF})
    return folder


def make_run(workspace: Workspace, run: str, classes: tuple[str, ...] = ("cat", "dog"), **student: Any) -> Path:
    """The same as a run of a workspace, which knows nothing of how it was trained."""
    jobs.create(workspace.runs, run, kind="run", spec={}, device="cpu")
    return make_student(workspace.runs / run, classes, **student)
