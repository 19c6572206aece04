"""A folder that timm and the Hugging Face hub load: weights, their configuration and a model card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from engine.delivery.format import Classify, FinishedStudent, Format
from engine.delivery.model_card import model_card
from engine.delivery.parity import same_answers
from engine.delivery.torch_threads import torch_threads
from engine.files import as_utf8, write_bytes, write_json
from engine.tensors import read_tensors, write_tensors

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"  # their names on the hub
_CROP_MODES = {"squash": "squash", "pad": "border", "crop": "center"}  # timm's words for the task's


def _write(student: FinishedStudent, folder: Path) -> None:
    write_tensors(folder / WEIGHTS, read_tensors(student.weights), {"format": "pt"})
    write_json(folder / CONFIG, _configuration(student))
    write_bytes(folder / CARD, as_utf8(model_card(student)))


def _configuration(student: FinishedStudent) -> dict[str, object]:
    record = student.record
    size = [3, record.input_size, record.input_size]
    return {
        "architecture": record.architecture,
        "num_classes": record.num_classes,
        "num_features": int(student.network.model.num_features),
        "label_names": list(record.classes),
        "pretrained_cfg": {
            "num_classes": record.num_classes,
            "input_size": size,
            "test_input_size": size,
            "fixed_input_size": False,
            "interpolation": record.interpolation,
            "crop_pct": 1.0,
            "test_crop_pct": 1.0,
            "crop_mode": _CROP_MODES[record.resize],
            "mean": list(record.mean),
            "std": list(record.std),
            "license": "other",
            "custom_load": False,
        },
    }


def _load(folder: Path, threads: int) -> Classify:
    import timm

    model: Any = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    mean, std = (torch.tensor(model.pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))

    def classify(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode(), torch_threads(threads):
            image = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255
            found: NDArray[np.float32] = model((image - mean) / std).softmax(1).numpy()
        return found

    return classify


FORMAT = Format("timm", "timm and Hugging Face", _write, _load, same_answers)
