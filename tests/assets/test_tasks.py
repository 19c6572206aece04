"""The bundled tasks: complete, readable, within their size, and free of leakage between train and test."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from engine.files import read_json, sha256

ASSETS = Path(__file__).parents[2] / "assets"
TASKS = ASSETS / "tasks"
NAMES = ["emoji-fluent", "fashion-mnist", "openclipart", "quickdraw"]
CLASSES = {"emoji-fluent": 9, "fashion-mnist": 10, "openclipart": 13, "quickdraw": 45}
FIELDS = [
    *("name", "title", "summary", "collection", "parts", "license", "source", "resize", "flip", "split_rule"),
    *("command", "sha256"),
]
MOST_LABELS_PER_CLASS = 20  # the largest label budget of the benchmark


@cache
def table_of(name: str) -> pa.Table:
    return pq.read_table(TASKS / f"{name}.parquet")


@cache
def rows_of(name: str) -> list[dict[str, Any]]:
    return table_of(name).to_pylist()


def features_of(name: str) -> dict[str, Any]:
    return json.loads(table_of(name).schema.metadata[b"huggingface"])["info"]["features"]


@cache
def images_of(name: str) -> list[Image.Image]:
    images = [Image.open(io.BytesIO(row["image"]["bytes"])) for row in rows_of(name)]
    for image in images:
        image.load()
    return images


@pytest.fixture(autouse=True, scope="module")
def forgotten() -> Iterator[None]:
    """Rows and decoded images of four tasks are 400 MB: they go with this file's last test."""
    yield
    for cached in (table_of, rows_of, images_of):
        cached.cache_clear()


def test_exactly_four_tasks_within_ten_megabytes() -> None:
    files = sorted(TASKS.glob("*.parquet"))
    assert [file.stem for file in files] == NAMES
    assert sum(file.stat().st_size for file in files) <= 10_000_000


@pytest.mark.parametrize("name", NAMES)
def test_layout_is_the_one_of_hugging_face_images(name: str) -> None:
    schema = table_of(name).schema
    assert schema.names == ["image", "label", "split"]
    assert {field.name: str(field.type) for field in schema.field("image").type} == {
        "bytes": "binary",
        "path": "string",
    }
    assert (str(schema.field("label").type), str(schema.field("split").type)) == ("int64", "string")
    features = features_of(name)
    assert features["image"] == {"_type": "Image"}
    assert features["split"] == {"_type": "Value", "dtype": "string"}
    assert len(set(features["label"]["names"])) == CLASSES[name]


@pytest.mark.parametrize("name", NAMES)
def test_record_is_complete_and_its_checksum_matches(name: str) -> None:
    record = read_json(TASKS / f"{name}.json")
    assert list(record) == FIELDS
    assert record["name"] == name
    assert record["resize"] in {"squash", "pad", "crop"}
    assert isinstance(record["flip"], bool)
    assert all(record[field] for field in ("title", "summary", "license", "source", "split_rule", "command"))
    assert record["sha256"] == sha256(TASKS / f"{name}.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_every_class_has_twenty_labels_and_a_held_out_test_set(name: str) -> None:
    counts = Counter((row["label"], row["split"]) for row in rows_of(name))
    assert {split for _, split in counts} == {"train", "test"}
    for label in range(CLASSES[name]):
        train, test = counts[label, "train"], counts[label, "test"]
        assert train >= MOST_LABELS_PER_CLASS
        assert 0.25 <= test / (train + test) <= 0.31
    assert {label for label, _ in counts} == set(range(CLASSES[name]))


@pytest.mark.parametrize("name", NAMES)
def test_paths_are_unique_and_rows_have_a_fixed_order(name: str) -> None:
    keys = [(row["split"], row["label"], row["image"]["path"]) for row in rows_of(name)]
    assert len({path for _, _, path in keys}) == len(keys)
    assert keys == sorted(keys)


@pytest.mark.parametrize("name", NAMES)
def test_every_image_decodes_to_an_opaque_square(name: str) -> None:
    for row, image in zip(rows_of(name), images_of(name), strict=True):
        assert image.mode in {"L", "RGB"}, row["image"]["path"]
        assert image.width == image.height >= 28


@pytest.mark.parametrize("name", NAMES)
def test_images_show_something(name: str) -> None:
    blank = [image for image in images_of(name) if all(low == high for low, high in _extrema(image))]
    assert len(blank) <= len(images_of(name)) / 1000  # a pattern of fine dots blurs to a single gray at 96 pixels


@pytest.mark.parametrize("name", NAMES)
def test_no_image_is_in_both_train_and_test(name: str) -> None:
    splits: dict[bytes, set[str]] = {}
    for row, image in zip(rows_of(name), images_of(name), strict=True):
        splits.setdefault(hashlib.sha256(image.tobytes()).digest(), set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())


def test_sketches_are_dark_ink_on_white() -> None:
    for image in images_of("quickdraw")[::50]:
        levels = image.histogram()
        assert image.mode == "L"
        assert image.size == (28, 28)
        assert sum(levels[250:]) > sum(levels[:128])


def test_numbers_of_images_are_those_of_the_documents() -> None:
    assert {name: table_of(name).num_rows for name in NAMES} == {
        "emoji-fluent": 840,
        "fashion-mnist": 6_000,
        "openclipart": 2_514,
        "quickdraw": 4_500,
    }


def test_emoji_of_the_task_and_of_the_teacher_share_no_code_point() -> None:
    parts = {part: set(text.split()) for part, text in read_json(ASSETS / "build" / "emoji-parts.json").items()}
    assert sorted(parts) == ["code-points-fluent", "code-points-google", "code-points-twitter"]
    assert sum(map(len, parts.values())) == len(set().union(*parts.values()))
    task, teacher = read_json(TASKS / "emoji-fluent.json"), read_json(ASSETS / "teachers" / "emoji-google.json")
    assert task["collection"] == teacher["collection"] == "emoji"
    assert not set(task["parts"]) & set(teacher["parts"])
    shown = {Path(row["image"]["path"]).stem.replace("-fe0f", "") for row in rows_of("emoji-fluent")}
    own = {code_points.replace("-fe0f", "") for code_points in parts["code-points-fluent"]}
    taught = {code_points.replace("-fe0f", "") for part in teacher["parts"] for code_points in parts[part]}
    assert shown <= own
    assert not shown & taught


def _extrema(image: Image.Image) -> list[tuple[int, int]]:
    return [band.getextrema() for band in image.split()]
