"""A student as an ONNX graph: pixels of a file in, class probabilities out, with everything it takes to use it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.delivery.format import Classify, FinishedStudent
from engine.errors import DamagedFileError, InvalidInputError
from engine.files import replacing
from engine.images.reading import Reading, reading_from
from engine.results import accuracy_sentence
from engine.student import StudentRecord, load_student
from engine.teachers import Network

STUDENT = "student.onnx"
IMAGE, PROBABILITIES = "image", "probabilities"
OPSET = 18  # ours: of 2022, so that runtimes of small devices read it; PyTorch's exporter writes no older one
MADE_BY = "Distill Workbench"
LONGEST_REASON = 200  # letters of what an exporter says


class _FromPixelsToProbabilities(nn.Module):
    """A student as its users need it: normalization and softmax inside."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: UInt8[Tensor, "N S S 3"]) -> Float[Tensor, "N K"]:
        probabilities: Tensor = self.network(image.permute(0, 3, 1, 2))[1].softmax(1)
        return probabilities


def write_graph(student: FinishedStudent, folder: Path) -> None:
    """Write `student.onnx` into a folder.

    Its input `image` is uint8 `[N, S, S, 3]`, an image after its resizing, for any N; its output `probabilities` is
    float32 `[N, K]`. Raises InvalidInputError for an architecture that cannot be written as ONNX, StorageError.
    """
    import onnx

    model = onnx.load_from_string(student_graph(student))
    save_graph(model, metadata(student), folder / STUDENT)


def save_graph(model: Any, about: Mapping[str, str], path: Path) -> None:
    """Write a graph with its metadata, atomically. Raises StorageError."""
    import onnx

    onnx.helper.set_model_props(model, dict(about))
    content: bytes = model.SerializeToString()
    with replacing(path, needed=len(content)) as temporary:
        temporary.write_bytes(content)


def student_graph(student: FinishedStudent) -> bytes:
    """The graph alone, serialized. Raises as `write_graph`."""
    stamps = student.weights.stat()
    return _graph(student.weights.parent, student.record, stamps.st_mtime_ns, stamps.st_size)


@lru_cache(maxsize=1)  # several formats of one student are made of it, and it takes ten seconds
def _graph(folder: Path, record: StudentRecord, *_stamps: int) -> bytes:
    pixels = torch.zeros(2, record.input_size, record.input_size, 3, dtype=torch.uint8)  # two: of one it were constant
    whole = _FromPixelsToProbabilities(load_student(folder).requires_grad_(False)).eval()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(torch|onnxscript|onnx_ir|copyreg)\b")  # of their own insides
            program = torch.onnx.export(
                whole,
                (pixels,),
                None,
                input_names=[IMAGE],
                output_names=[PROBABILITIES],
                dynamic_shapes={IMAGE: {0: torch.export.Dim("N")}},
                dynamo=True,
                opset_version=OPSET,
                verbose=False,
            )
        assert program is not None
        program.model.producer_name = MADE_BY
        content: bytes = program.model_proto.SerializeToString()
        return content
    except (torch.onnx.OnnxExporterError, RuntimeError, ValueError, TypeError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_REASON]
        raise InvalidInputError(
            f"The architecture {record.architecture!r} cannot be written as ONNX ({reason}): export the student as "
            "safetensors, or compare students of another architecture."
        ) from error


def metadata(student: FinishedStudent) -> dict[str, str]:
    """What a graph says of itself beside its numbers: texts, of which classes, intensity and versions are JSON."""
    record, result = student.record, student.result
    return {
        "classes": json.dumps(list(record.classes), ensure_ascii=False),  # in the order of the outputs
        "input_size": str(record.input_size),
        "resize": record.resize,  # squash, pad (with white) or crop: how an image becomes square
        "interpolation": record.interpolation,
        "intensity": json.dumps(asdict(intensity(student))),  # how more than 8 bits, or three channels, became RGB
        "task": record.task,
        "task_revision": record.task_revision,
        "method": result.title,
        "seed": str(result.seed),
        "run": result.run,
        "finished": result.finished,
        "accuracy": accuracy_sentence(result),
        "held_out_accuracy": "" if result.accuracy is None else str(result.accuracy),
        "held_out_images": str(result.test_images),
        # What divides the logarithms of its probabilities, which are plain softmax, to calibrate them.
        **{name: str(value) for name, value in student.temperature.fields.items()},
        "license": record.license,
        "versions": json.dumps(dict(result.versions)),  # of what trained it
        "made_by": MADE_BY,
    }


def intensity(student: FinishedStudent) -> Reading:
    """How images of the task with more channels or bits became RGB; the usual way where the task is gone."""
    return Reading() if student.images is None else reading_from(student.images.task.record.reading)


def load_graph(folder: Path, threads: int, name: str = STUDENT) -> Classify:
    """A graph in `folder`, run by ONNX Runtime on so many threads. Raises DamagedFileError."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors alone
    try:
        session = onnxruntime.InferenceSession(folder / name, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's errors have no common type
        raise DamagedFileError(f"{folder / name} cannot be run ({error}): export the student again.") from error

    def classify(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = session.run([PROBABILITIES], {IMAGE: pixels})[0]
        return found

    return classify
