"""A folder that runs: the student as ONNX, its classes, and a short program that needs none of this one's packages."""

from __future__ import annotations

import io
import runpy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.delivery.format import FinishedStudent, Format, Prepare
from engine.delivery.onnx_graph import STUDENT, intensity, load_graph, write_graph
from engine.delivery.parity import same_answers
from engine.files import as_utf8, write_bytes
from engine.images import reading_in_words
from engine.results import accuracy_sentence

PREDICT, CLASSES, README = "predict.py", "classes.txt", "README.md"
PROGRAM = Path(__file__).with_name("predict_alone.py")
_RESIZES = {
    "squash": "Each side is resampled to {size} pixels, whatever the shape of the image.",
    "pad": "An image becomes square by white at two of its sides; then it is resampled to {size} × {size} pixels.",
    "crop": "The square in the center of an image is resampled to {size} × {size} pixels.",
}


def _write(student: FinishedStudent, folder: Path) -> None:
    write_graph(student, folder)
    write_bytes(folder / PREDICT, PROGRAM.read_bytes())
    write_bytes(folder / CLASSES, as_utf8("\n".join(student.record.classes) + "\n"))
    write_bytes(folder / README, as_utf8(_readme(student)))


def _readme(student: FinishedStudent) -> str:
    record, result = student.record, student.result
    at = student.temperature
    probability = f"the probability of that class {at.applied}" if at.images else "the probability of that class"
    deep = reading_in_words(intensity(student))
    return f"""# Student for {record.task}, ready to run

    pip install onnxruntime numpy pillow
    python {PREDICT} photo.jpg another.png

prints a line for each image: its name, its class, and {probability}.

{result.title}, seed {result.seed}. {accuracy_sentence(result)}

- `{STUDENT}`: input `image`, uint8 `[N, {record.input_size}, {record.input_size}, 3]` for any N; output
  `probabilities`, float32 `[N, {record.num_classes}]`. Normalization and softmax are inside; classes, resizing,
  temperature and where it comes from are in its metadata. {at.plain}
- `{CLASSES}`: the classes, a line each, in the order of the outputs.
- `{PREDICT}`: how a file becomes such an input. {_RESIZES[record.resize].format(size=record.input_size)}
  {deep or "Values of more than 8 bits are scaled to 0..255, each image by its own range."}
  It reads what Pillow reads; DICOM, and more than 8 bits in more than one channel, have to become such images first.
"""


def _program(folder: Path) -> Prepare:
    """What the program in a folder makes of a file."""
    import onnx

    about = {entry.key: entry.value for entry in onnx.load(folder / STUDENT).metadata_props}
    prepared = runpy.run_path(str(folder / PREDICT))["prepared"]

    def prepare(content: bytes) -> NDArray[np.uint8]:
        pixels: NDArray[np.uint8] = prepared(io.BytesIO(content), about)
        return pixels

    return prepare


FORMAT = Format("folder", "A folder that runs", _write, load_graph, same_answers, _program)
