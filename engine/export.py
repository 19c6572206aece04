"""A student as files: safetensors, its classes, its preprocessing, and how to load it with timm alone."""

from __future__ import annotations

import io
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import replacing_folder, write_bytes, write_json
from engine.records import Positive, read_record, write_record
from engine.results import RESULT, Result, read_result
from engine.tasks import Task
from engine.teachers import Network
from engine.tensors import read_tensors, write_tensors
from engine.training import TrainSpec, input_statistics
from engine.wording import percent

WEIGHTS, RECORD, README = "student.safetensors", "student.json", "README.md"


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


def write_student(folder: Path, network: Network, spec: TrainSpec, task: Task, classes: int) -> None:
    """Write a trained student into `folder`: its weights under timm's names, without any teacher's head, and a record.

    Raises StorageError if the disk refuses.
    """
    state = {name: value.detach().cpu().contiguous() for name, value in network.model.state_dict().items()}
    write_tensors(folder / WEIGHTS, state)
    mean, std = input_statistics(spec.architecture)
    record = StudentRecord(
        architecture=spec.architecture,
        num_classes=classes,
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
    way_out = f"restore it, or remove the folder {folder} and start the same run again"
    return read_record(folder / RECORD, StudentRecord, f"the student of run {folder.name}", way_out)


def export_student(run_folder: Path, out: Path) -> list[Path]:
    """Copy a finished run's student into the new folder `out`, with a README that shows how to load it.

    Raises InvalidInputError if the run has no student yet or `out` already exists, DamagedFileError, StorageError if
    the disk refuses.
    """
    if not (run_folder / WEIGHTS).exists() or not (run_folder / RESULT).exists():
        raise InvalidInputError(f"Run {run_folder.name!r} has no student yet: let it finish first.")
    if out.exists():
        raise InvalidInputError(f"{out} exists already: name a folder that does not.")
    record, result = read_student(run_folder), read_result(run_folder)
    try:
        read_tensors(run_folder / WEIGHTS)
    except DamagedFileError as error:
        raise DamagedFileError(f"{error} It is the student of run {run_folder.name}: make this run again.") from error
    with replacing_folder(out) as temporary:
        for name in (WEIGHTS, RECORD):
            shutil.copyfile(run_folder / name, temporary / name)
        write_json(temporary / RESULT, result)
        write_bytes(temporary / README, _readme(record, result).encode())
    return sorted(out.iterdir())


def student_archive(run_folder: Path) -> bytes:
    """What `export_student` writes, as one ZIP in memory. Weights hardly compress, so they are only stored.

    Raises as `export_student`.
    """
    packed = io.BytesIO()
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for path in export_student(run_folder, Path(folder) / "student"):
            archive.write(path, f"{run_folder.name}/{path.name}")
    return packed.getvalue()


def _readme(record: StudentRecord, result: Result) -> str:
    size = record.input_size
    unlabeled = result["train_images"] - result["labeled_images"]
    return f"""# Student for {record.task}

{result["title"]}, seed {result["seed"]}: {percent(result["accuracy"])} of {result["test_images"]} held-out images
right, after {result["images"]:,} student images with gradient on {result["labeled_images"]} labeled and {unlabeled}
unlabeled images.

    model = timm.create_model("{record.architecture}", num_classes={record.num_classes})
    model.load_state_dict(safetensors.torch.load_file("{WEIGHTS}"))
    model.eval()

Input: RGB, {size} × {size} pixels ({record.resize}, {record.interpolation}), scaled to 0..1,
minus {list(record.mean)}, divided by {list(record.std)}.
The classes, in the order of the outputs, are in `{RECORD}`.
"""
