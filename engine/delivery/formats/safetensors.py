"""Weights as safetensors under timm's names, with a README that shows how to load them with timm alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.delivery.format import Classify, FinishedStudent, Format
from engine.delivery.torch_threads import torch_threads
from engine.files import write_bytes
from engine.results import accuracy_sentence
from engine.student import RECORD, WEIGHTS, load_student
from engine.training import predict

README = "README.md"


def _write(student: FinishedStudent, folder: Path) -> None:
    shutil.copyfile(student.weights, folder / WEIGHTS)
    write_bytes(folder / README, _readme(student).encode())


def _readme(student: FinishedStudent) -> str:
    record, result = student.record, student.result
    size = record.input_size
    return f"""# Student for {record.task}

{result.title}, seed {result.seed}. {accuracy_sentence(result)}
It learned from {result.images:,} student images with gradient. Of its {result.train_images} training images
{result.labeled_images} had a label that it could use.

    model = timm.create_model("{record.architecture}", num_classes={record.num_classes})
    model.load_state_dict(safetensors.torch.load_file("{WEIGHTS}"))
    model.eval()

Input: RGB, {size} × {size} pixels ({record.resize}, {record.interpolation}), scaled to 0..1,
minus {list(record.mean)}, divided by {list(record.std)}.
The classes, in the order of the outputs, are in `{RECORD}`, and so is the temperature.
The outputs are those before softmax. {student.temperature.plain}
"""


def _load(folder: Path, threads: int) -> Classify:
    network = load_student(folder)

    def classify(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch_threads(threads):
            found: NDArray[np.float32] = predict(network, torch.from_numpy(pixels).permute(0, 3, 1, 2)).numpy()
        return found

    return classify


FORMAT = Format("safetensors", "PyTorch: safetensors for timm", _write, _load)
