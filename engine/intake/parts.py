"""The parts in which an import keeps what it has looked at so far, and what they come to."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.images.decoder import Looked
from engine.intake.inventory import Item
from engine.intake.layouts.table_cells import group_or_none
from engine.review.duplicates import exact_clusters, near_clusters, shows_nothing
from engine.tasks.facts import Facts
from engine.tasks.image_table import REFERENCE_SCHEMA
from engine.tasks.names import clean_text

PART_SCHEMA = pa.schema(
    [
        *REFERENCE_SCHEMA,
        ("label", pa.string()),
        ("split", pa.string()),
        ("group", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_sha256", pa.string()),
        ("phash", pa.uint64()),
        ("small", pa.binary()),
        ("steps", pa.list_(pa.string())),
        ("dicom", pa.bool_()),
    ]
)


def group_of(item: Item, seen: Looked) -> str:
    """What an image must not be parted from in a split: the group that its source names, else the patient that its file
    names, under a hash; "" for none.
    """
    patient = group_or_none(seen.patient or "")
    of_file = f"patient {hashlib.sha256(patient.encode()).hexdigest()[:12]}" if patient else ""
    return item.group or of_file


_SMALL = ("label", "split", "group", "width", "height", "source_sha256", "phash", "small", "steps", "path", "dicom")


def small_columns(parts: list[Path]) -> tuple[list[str], dict[str, list[Any]]]:
    """Image ids, made different from each other, and everything but the bytes."""
    ids: list[str] = []
    columns: dict[str, list[Any]] = {name: [] for name in _SMALL}
    used: set[str] = set()
    for part in parts:
        table = pq.read_table(part, columns=["image_id", *_SMALL])
        for name in table["image_id"].to_pylist():
            unique, number = name, 2
            while unique in used:
                unique, number = f"{name} ({number})", number + 1
            used.add(unique)
            ids.append(unique)
        for name in _SMALL:
            columns[name] += table[name].to_pylist()
    return ids, columns


def image_rows(parts: list[Path], ids: list[str]) -> Iterator[dict[str, object]]:
    """The rows of the image table, read from the parts in constant memory; `ids` are the images' final names."""
    names = iter(ids)
    for part in parts:
        for batch in pq.ParquetFile(part).iter_batches(64, columns=REFERENCE_SCHEMA.names):
            for row in batch.to_pylist():
                yield {**row, "image_id": next(names)}


def small_copies(columns: dict[str, list[Any]]) -> NDArray[np.uint8]:
    """Small copies of all images, `[images, bytes of a small copy]`."""
    return np.frombuffer(b"".join(columns["small"]), dtype=np.uint8).reshape(len(columns["small"]), -1)


def facts_of(columns: dict[str, list[Any]]) -> Facts:
    """What is noted of all images; copies are found here."""
    small = small_copies(columns)
    return Facts(
        widths=np.array(columns["width"], dtype=np.int32),
        heights=np.array(columns["height"], dtype=np.int32),
        groups=np.array([clean_text(group) for group in columns["group"]], dtype=np.str_),
        same=exact_clusters([str(checksum) for checksum in columns["source_sha256"]]),
        alike=near_clusters(np.array(columns["phash"], dtype=np.uint64), small),
        flat=shows_nothing(small),
        steps=[list(steps) for steps in columns["steps"]],
    )
