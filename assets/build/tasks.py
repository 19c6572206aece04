"""Write task files: Parquet in the layout that Hugging Face uses for images, and a record beside it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from assets.build.pictures import Picture, PictureSet
from assets.build.progress import say, track
from engine.files import replacing, sha256, write_json

TASKS = Path(__file__).parents[1] / "tasks"
OUT = Path(__file__).parent / "out" / "tasks"  # git-ignored

_SCHEMA = [
    pa.field("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
    pa.field("label", pa.int64()),
    pa.field("split", pa.string()),
]


@dataclass(frozen=True)
class TaskRecipe:
    """One task: its pictures, how they are stored, and the words of its record."""

    name: str
    title: str
    summary: str  # one plain sentence for a newcomer
    pictures: Callable[[], PictureSet]
    collection: str
    parts: tuple[str, ...]  # () = the whole collection
    license: str
    source: str
    resize: str  # "squash", "pad" or "crop"
    flip: bool  # is a mirrored image still of its class?
    split_rule: str
    verb: str  # the build command that writes it
    webp_quality: int | None = None  # None: PNG


def write_tasks(recipes: Sequence[TaskRecipe], folder: Path) -> None:
    """Write the tasks of several recipes into `folder`."""
    for recipe in recipes:
        write_task(recipe, folder)


def write_task(recipe: TaskRecipe, folder: Path) -> Path:
    """Write `<name>.parquet` and `<name>.json` into `folder`, and return the former."""
    pictures = recipe.pictures()
    ending = ".png" if recipe.webp_quality is None else ".webp"
    rows: list[dict[str, Any]] = [
        {
            "image": {
                "bytes": _encode(picture.image, recipe.webp_quality),
                "path": str(PurePosixPath(picture.path).with_suffix(ending)),
            },
            "label": picture.label,
            "split": picture.split,
        }
        for picture in track(pictures.pictures, len(pictures.pictures), f"encoding {recipe.name}")
    ]
    rows.sort(key=lambda row: (row["split"], row["label"], row["image"]["path"]))
    path = folder / f"{recipe.name}.parquet"
    schema = pa.schema(_SCHEMA, metadata={b"huggingface": json.dumps(_features(pictures.classes)).encode()})
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), temporary, compression="zstd", row_group_size=2048)
    write_json(
        folder / f"{recipe.name}.json",
        {
            "name": recipe.name,
            "title": recipe.title,
            "summary": recipe.summary,
            "collection": recipe.collection,
            "parts": list(recipe.parts),
            "license": recipe.license,
            "source": recipe.source,
            "resize": recipe.resize,
            "flip": recipe.flip,
            "split_rule": recipe.split_rule,
            "command": f"python -m assets.build {recipe.verb}",
            "sha256": sha256(path),
        },
    )
    say(f"{path.name}: {len(rows):,} images of {len(pictures.classes)} classes, {path.stat().st_size:,} bytes")
    return path


def read_task(path: Path) -> PictureSet:
    """The pictures of a task file as its users see them: decoded from what was stored."""
    table = pq.read_table(path)
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    pictures = tuple(
        Picture(row["image"]["path"], Image.open(io.BytesIO(row["image"]["bytes"])), row["label"], row["split"])
        for row in table.to_pylist()
    )
    return PictureSet(tuple(features["label"]["names"]), pictures)


def _encode(image: Image.Image, webp_quality: int | None) -> bytes:
    """The image as a PNG, or as a WebP of the given quality."""
    stream = io.BytesIO()
    if webp_quality is None:
        image.save(stream, "png", optimize=True)
    else:
        image.save(stream, "webp", quality=webp_quality, method=6)
    return stream.getvalue()


def _features(classes: tuple[str, ...]) -> dict[str, object]:
    """The schema metadata by which the `datasets` library knows image and class columns."""
    return {
        "info": {
            "features": {
                "image": {"_type": "Image"},
                "label": {"_type": "ClassLabel", "names": list(classes)},
                "split": {"_type": "Value", "dtype": "string"},
            }
        }
    }
