"""The bundled teachers: complete records, weights that load, accuracies that hold."""

from __future__ import annotations

import io
import json
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file

from engine.files import read_json, sha256
from engine.teachers.lite import convert_lite_state

ASSETS = Path(__file__).parents[2] / "assets"
TEACHERS = ASSETS / "teachers"
FLOORS = {  # held-out accuracy that each trained teacher must reach
    "cifar10": 0.85,
    "emoji-google": 0.45,  # no floor was asked for: it guards against a broken build
    "fashion-mnist": 0.90,
    "letters": 0.98,
    "mnist": 0.99,
    "openclipart": 0.65,
    "quickdraw-300": 0.55,
}
TRAINED = sorted(FLOORS)
PUBLISHED = ["imagenet-lite0", "imagenet-lite1", "imagenet-lite2"]
FIELDS = [
    *("name", "title", "architecture", "classes", "collection", "parts", "input_size", "mean", "std", "resize", "init"),
    *("training_images", "held_out_images", "held_out_accuracy", "accuracy_source", "accuracy_note", "parameters"),
    *("gflops", "gflops_note", "license", "seed", "command", "weights"),
]


def record_of(name: str) -> dict[str, Any]:
    return read_json(TEACHERS / f"{name}.json")


def network_of(name: str) -> torch.nn.Module:
    record = record_of(name)
    model = timm.create_model(record["architecture"], num_classes=len(record["classes"]))
    model.load_state_dict(load_file(TEACHERS / record["weights"]["file"]), strict=True)
    return model.to(memory_format=torch.channels_last).eval()


def test_all_teachers_are_there_within_thirty_two_megabytes() -> None:
    assert sorted(file.stem for file in TEACHERS.glob("*.json")) == sorted(TRAINED + PUBLISHED)
    weights = sorted(TEACHERS.glob("*.safetensors"))
    assert [file.stem for file in weights] == TRAINED
    assert sum(file.stat().st_size for file in weights) <= 32_000_000
    assert len({record_of(name)["architecture"] for name in TRAINED}) >= 3


@pytest.mark.parametrize("name", TRAINED + PUBLISHED)
def test_record_is_complete_and_plausible(name: str) -> None:
    record = record_of(name)
    assert list(record) == FIELDS
    assert record["name"] == name
    assert len(set(record["classes"])) == len(record["classes"]) >= 10
    assert record["resize"] in {"squash", "pad", "crop"}
    assert record["init"] in {"imagenet", "random", "published"}
    assert 32 <= record["input_size"] <= 128
    assert len(record["mean"]) == len(record["std"]) == 3
    assert record["training_images"] > 0
    assert 0 < record["gflops"] < 1
    assert all(record[field] for field in ("title", "accuracy_note", "license", "command"))


@pytest.mark.parametrize("name", TRAINED)
def test_accuracy_was_measured_and_holds_its_floor(name: str) -> None:
    record = record_of(name)
    assert record["accuracy_source"] == "measured"
    assert record["held_out_images"] > 0
    assert FLOORS[name] <= record["held_out_accuracy"] <= 1


@pytest.mark.parametrize("name", TRAINED)
def test_weights_match_their_checksum_load_strictly_and_are_stored_in_half_precision(name: str) -> None:
    record = record_of(name)
    path = TEACHERS / record["weights"]["file"]
    assert record["weights"] == {"source": "bundled", "file": f"{name}.safetensors", "sha256": sha256(path)}
    floats = [tensor for tensor in load_file(path).values() if tensor.is_floating_point()]
    assert all(tensor.dtype == (torch.float16 if tensor.ndim >= 2 else torch.float32) for tensor in floats)
    assert all(tensor.isfinite().all() for tensor in floats)
    model = network_of(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == record["parameters"]
    pixels = torch.zeros(2, 3, record["input_size"], record["input_size"])
    with torch.inference_mode():
        features = model.forward_head(model.forward_features(pixels), pre_logits=True)  # [2, d]
        logits = model(pixels)
        again = model.get_classifier()(features)
    assert features.ndim == 2
    assert logits.shape == (2, len(record["classes"]))
    torch.testing.assert_close(again, logits)


@pytest.mark.parametrize("name", PUBLISHED)
def test_package_weights_convert_and_load_strictly(name: str) -> None:
    record = record_of(name)
    source = record["weights"]
    path = _package_file(source["package"], source["module_file"])
    assert source["source"] == "package"
    assert source["sha256"] == sha256(path)
    assert (record["accuracy_source"], len(record["classes"])) == ("published", 1000)
    state = convert_lite_state(torch.load(path, map_location="cpu", weights_only=True))
    model = timm.create_model(record["architecture"], num_classes=1000)
    model.load_state_dict(state, strict=True)
    assert sum(parameter.numel() for parameter in model.parameters()) == record["parameters"]


def test_openclipart_accuracy_is_reproduced_on_the_bundled_test_images() -> None:
    record, task = record_of("openclipart"), ASSETS / "tasks" / "openclipart.parquet"
    table = pq.read_table(task, filters=[("split", "==", "test")])
    names = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    size = record["input_size"]
    images = [Image.open(io.BytesIO(row["bytes"])).convert("RGB") for row in table["image"].to_pylist()]
    pixels = np.stack([np.asarray(image.resize((size, size), Image.Resampling.BICUBIC)) for image in images])
    inputs = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5  # [n, 3, s, s]
    with torch.inference_mode():
        answers = network_of("openclipart")(inputs.contiguous(memory_format=torch.channels_last)).argmax(1).numpy()
    right = float((answers == table["label"].to_numpy()).mean())
    assert names == record["classes"]
    assert len(images) == record["held_out_images"]
    assert right == pytest.approx(record["held_out_accuracy"], abs=1.5 / len(images))  # a tie may fall either way


def test_no_teacher_may_have_seen_a_task_of_its_own_collection_unless_the_parts_are_disjoint() -> None:
    disjoint = Counter()
    for file in sorted((ASSETS / "tasks").glob("*.json")):
        task = read_json(file)
        for name in TRAINED + PUBLISHED:
            record = record_of(name)
            if record["collection"] == task["collection"] and task["parts"] and record["parts"]:
                assert not set(task["parts"]) & set(record["parts"])
                disjoint[task["name"], name] += 1
    assert set(disjoint) == {("quickdraw", "quickdraw-300"), ("emoji-fluent", "emoji-google")}


def test_sources_list_the_checksum_of_everything_that_ships() -> None:
    sources = (ASSETS / "build" / "SOURCES.md").read_text(encoding="utf-8")
    for file in [*(ASSETS / "tasks").glob("*.parquet"), *TEACHERS.glob("*.safetensors")]:
        assert f"| `{file.parent.name}/{file.name}` | {file.stat().st_size:,} | `{sha256(file)}` |" in sources


def test_sketch_teacher_and_sketch_task_share_no_class() -> None:
    metadata = pq.read_schema(ASSETS / "tasks" / "quickdraw.parquet").metadata
    names = json.loads(metadata[b"huggingface"])["info"]["features"]["label"]["names"]
    assert not set(names) & set(record_of("quickdraw-300")["classes"])
    assert len(record_of("quickdraw-300")["classes"]) == 300


def _package_file(package: str, module_file: str) -> Path:
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / module_file
