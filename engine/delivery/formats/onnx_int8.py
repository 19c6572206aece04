"""ONNX in whole numbers of 8 bits: a quarter of the size, calibrated on training images, measured against fp32."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.delivery.format import FinishedStudent, Format
from engine.delivery.onnx_graph import IMAGE, LONGEST_REASON, load_graph, metadata, save_graph, student_graph
from engine.delivery.parity import nearly_as_accurate
from engine.delivery.task_images import TaskImages
from engine.errors import InvalidInputError, WorkbenchError

STUDENT_INT8 = "student-int8.onnx"
CALIBRATED_ON = 256  # training images; ours: ranges of activations hardly move with more
# What is computed in 8 bits. Activations come before their clipping where "Clip" and "Relu" are left out, and lose a
# tenth of the answers; normalization, pooling and softmax are a small part of the work, and stay as they are.
OPERATIONS = ["Conv", "Gemm", "MatMul", "Add", "Clip", "Relu"]


def _write(student: FinishedStudent, folder: Path) -> None:
    if student.images is None:
        raise InvalidInputError(
            f"An int8 student is calibrated on training images, and there are none: {student.without_images}. "
            "Export it as onnx."
        )
    import onnx

    with tempfile.TemporaryDirectory() as temporary, _without_notes():
        plain, quantized = Path(temporary) / "plain.onnx", Path(temporary) / "int8.onnx"
        plain.write_bytes(student_graph(student))
        try:
            _quantize(plain, quantized, student.images)
        except (WorkbenchError, OSError):
            raise
        except Exception as error:  # ONNX Runtime's errors have no common type
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:LONGEST_REASON]
            raise InvalidInputError(
                f"The architecture {student.record.architecture!r} cannot be written in 8 bits ({reason}): export the "
                "student as onnx."
            ) from error
        model: Any = onnx.load(quantized)
    save_graph(model, {**metadata(student), "precision": "int8"}, folder / STUDENT_INT8)


def _quantize(plain: Path, quantized: Path, images: TaskImages) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    batches = images.pixels(images.training_rows(CALIBRATED_ON))

    class Training(CalibrationDataReader):  # type: ignore[misc]  # ONNX Runtime has no types
        def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
            return next(({IMAGE: batch} for batch in batches), None)

    simple = plain.with_name("simple.onnx")
    quant_pre_process(plain, simple, skip_symbolic_shape=True)
    quantize_static(
        simple,
        quantized,
        Training(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=OPERATIONS,
    )


@contextmanager
def _without_notes() -> Iterator[None]:
    """ONNX Runtime tells the root logger of each tensor that it leaves as it is: nothing that a user could act on."""

    def of_others(record: logging.LogRecord) -> bool:
        return "onnxruntime" not in Path(record.pathname).parts

    logger = logging.getLogger()
    logger.addFilter(of_others)
    try:
        yield
    finally:
        logger.removeFilter(of_others)


FORMAT = Format("onnx-int8", "ONNX, 8 bits", _write, partial(load_graph, name=STUDENT_INT8), nearly_as_accurate)
