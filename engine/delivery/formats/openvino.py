"""OpenVINO: for Intel's processors, graphics and neural units. Its package is an extra of this program."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.delivery.format import Classify, FinishedStudent, Format
from engine.delivery.onnx_graph import IMAGE, PROBABILITIES, metadata, student_graph
from engine.delivery.parity import same_answers
from engine.errors import UnavailableError

STUDENT = "student.xml"  # its weights lie beside it, in student.bin
ROOM = "distill_workbench"  # of the model's metadata
_EXACT = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}  # some processors would take bf16 unasked


def _write(student: FinishedStudent, folder: Path) -> None:
    openvino = _package()
    with tempfile.TemporaryDirectory() as temporary:
        graph = Path(temporary) / "student.onnx"
        graph.write_bytes(student_graph(student))
        model = openvino.Core().read_model(graph)
        for key, value in metadata(student).items():
            model.set_rt_info(value, [ROOM, key])
        openvino.save_model(model, folder / STUDENT, compress_to_fp16=False)


def _load(folder: Path, threads: int) -> Classify:
    compiled = _package().compile_model(folder / STUDENT, "CPU", {**_EXACT, "INFERENCE_NUM_THREADS": threads})

    def classify(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.array(compiled({IMAGE: pixels})[PROBABILITIES])  # a copy: the next call writes into the same memory

    return classify


def _package() -> Any:
    """Raises UnavailableError where it is not installed."""
    try:
        import openvino
    except ImportError as error:
        raise UnavailableError(
            "The format openvino needs a package that is not installed: pip install openvino."
        ) from error
    return openvino


FORMAT = Format("openvino", "OpenVINO", _write, _load, same_answers)
