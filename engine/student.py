"""A trained student in the folder of its run: its weights, and a record of its classes and its preprocessing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import DamagedFileError
from engine.records import Positive, read_record, write_record
from engine.results import way_out_of
from engine.tasks import Task
from engine.teachers import Network, create, input_statistics
from engine.tensors import read_tensors, write_tensors
from engine.training import TrainSpec

WEIGHTS, RECORD = "student.safetensors", "student.json"


STUDENTS = {  # those whose first weights are here
    "tf_efficientnet_lite0": "EfficientNet-Lite0",
    "tf_efficientnet_lite1": "EfficientNet-Lite1",
    "tf_efficientnet_lite2": "EfficientNet-Lite2",
}


@dataclass(frozen=True)
class StudentRecord:
    """What it takes to use a student: how it is built, its classes, and how an image is prepared for it."""

    architecture: str
    num_classes: Positive
    classes: tuple[str, ...]  # in the order of the outputs
    input_size: Positive  # pixels, square
    mean: tuple[float, ...]  # of the normalization, for pixels in 0..1
    std: tuple[float, ...]
    resize: str
    interpolation: str
    task: str
    task_revision: str = ""
    license: str = ""


def write_student(folder: Path, network: Network, spec: TrainSpec, task: Task) -> None:
    """Write a trained student into `folder`: its weights under timm's names, without any teacher's head, and a record.

    Raises StorageError if the disk refuses.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.model.state_dict().items()}
    write_tensors(folder / WEIGHTS, state)
    mean, std = input_statistics(spec.architecture)
    record = StudentRecord(
        architecture=spec.architecture,
        num_classes=len(task.classes),
        classes=task.classes,
        input_size=spec.size,
        mean=mean,
        std=std,
        resize=task.record.resize,
        interpolation="bicubic",
        task=task.name,
        task_revision=task.revision,
        license=f"trained on: {task.record.license}",
    )
    write_record(folder / RECORD, record)


def read_student(folder: Path) -> StudentRecord:
    """What student.json says in the folder of a finished run. Raises DamagedFileError, StorageError."""
    return read_record(folder / RECORD, StudentRecord, f"the student of run {folder.name}", way_out_of(folder))


def verify_weights(folder: Path) -> None:
    """Verify the weights in the folder of a finished run. Raises DamagedFileError, StorageError."""
    _read_weights(folder)


def load_student(folder: Path, device: str | torch.device = "cpu") -> Network:
    """The student of the finished run in `folder`, on `device`, in evaluation mode: pixels in, features and logits out.

    Raises DamagedFileError, also for weights that are not those of its record; StorageError.
    """
    record, weights = read_student(folder), _read_weights(folder)
    model = create(record.architecture, record.num_classes)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise DamagedFileError(
            f"{folder / WEIGHTS} does not hold a {record.architecture} for {record.num_classes} classes: "
            f"{way_out_of(folder)}."
        ) from error
    return Network(model, record.mean, record.std).to(device).eval()


def _read_weights(folder: Path) -> dict[str, Any]:
    try:
        return read_tensors(folder / WEIGHTS)
    except DamagedFileError as error:
        raise DamagedFileError(f"{error} It is the student of run {folder.name}: make this run again.") from error


def student_title(architecture: str) -> str:
    """A student's architecture on screen; one of timm's that has no title here stands for itself."""
    return STUDENTS.get(architecture, architecture)
