"""Parquet files with the images inside, in the Hugging Face image layout: a column of {bytes, path}, and a label."""

from __future__ import annotations

import bisect
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.tasks.inventory import Columns, Found, Inventory, Item, first_line
from engine.tasks.names import clean_text
from engine.tasks.settings import ImportSettings
from engine.tasks.sources import Tree
from engine.tasks.tables import SPLIT_WORDS, check_rows, settle_validation

_LABEL_NAMES = ("label", "labels", "fine_label", "class", "category", "target")
_SPLIT_NAMES = ("split", "subset", "partition")
_SHARD_BYTES = 2_000_000_000  # of one row group, uncompressed: writers stay far below


class _Shard:
    """One Parquet file with images."""

    def __init__(self, tree: Tree, name: str, settings: ImportSettings) -> None:
        self.name = name
        try:
            self.file = pq.ParquetFile(tree.open(name))
            self.schema = self.file.schema_arrow
            metadata = self.file.metadata
            check_rows(name, metadata.num_rows, settings)
            self.starts = [
                0,
                *itertools.accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)),
            ]
            for group in range(metadata.num_row_groups):
                if metadata.row_group(group).total_byte_size > _SHARD_BYTES:
                    raise InvalidInputError(f"{name} has a row group of more than 2 GB: write it with smaller ones.")
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise DamagedFileError(f"{name} is no readable Parquet file ({first_line(error)}).") from error
        self._held: tuple[int, Any] = (-1, None)  # a row group's number and its images, as Arrow has them

    def column(self, name: str) -> list[Any]:
        """All values of a small column."""
        try:
            values: list[Any] = self.file.read(columns=[name])[name].to_pylist()
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise DamagedFileError(f"{self.name} is damaged ({first_line(error)}).") from error
        return values

    def image_column(self) -> str | None:
        """The column of images, if there is one."""
        for field in self.schema:
            names = {inner.name for inner in field.type} if pa.types.is_struct(field.type) else set()
            if "bytes" in names or (pa.types.is_binary(field.type) and field.name in ("image", "img", "bytes")):
                return str(field.name)
        return None

    def bytes_of(self, column: str, row: int) -> bytes:
        """The image file in one row. Raises DamagedFileError."""
        group = bisect.bisect_right(self.starts, row) - 1
        if self._held[0] != group:
            try:
                values = self.file.read_row_group(group, columns=[column])[column]
            except (pa.ArrowException, OSError, ValueError, KeyError) as error:
                raise DamagedFileError(f"{self.name} is damaged ({first_line(error)}).") from error
            self._held = (group, values)
        value = self._held[1][row - self.starts[group]].as_py()
        content = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(content, bytes):
            raise DamagedFileError(f"{self.name} row {row} has no image bytes, only a path: write the images into it.")
        return content


def image_shards(tree: Tree, names: Sequence[str], settings: ImportSettings) -> list[str]:
    """Those of the Parquet files that hold images. Raises DamagedFileError for an unreadable one."""
    return [name for name in names if _Shard(tree, name, settings).image_column() is not None]


def parquet_images(found: Found, names: Sequence[str]) -> Inventory:
    """The images of Parquet files; splits come from a column or from names such as train-00000-of-00001.parquet.

    Raises InvalidInputError for several label columns' worth of doubt, UnknownNameError, DamagedFileError.
    """
    shards = {name: _Shard(found.tree, name, found.settings) for name in names}
    first = next(iter(shards.values()))
    columns = _columns(first, found.columns)
    image = columns.path or ""
    items: list[Item] = []
    notes: list[str] = []
    names_of = _class_names(first, columns.label or "")
    used: set[str] = set()
    for name, shard in shards.items():
        if shard.schema.names != first.schema.names:
            raise InvalidInputError(f"{name} has other columns than {first.name}: import them apart.")
        rows = shard.starts[-1]
        labels = shard.column(columns.label) if columns.label else [None] * rows
        groups = shard.column(columns.group) if columns.group else [None] * rows
        splits = shard.column(columns.split) if columns.split else [_split_of(name)] * rows
        paths = _paths(shard, image, rows)
        for row in range(rows):
            identifier = clean_text(paths[row] or "") or f"{name}/{row}"
            if identifier in used:
                identifier = f"{name}/{row}"
            used.add(identifier)
            items.append(
                Item(
                    identifier,
                    _label(labels[row], names_of),
                    SPLIT_WORDS.get(str(splits[row]).lower()),
                    (clean_text(groups[row]) or None) if groups[row] is not None else None,
                    (name, row),
                )
            )
            if len(items) > found.settings.images:
                raise InvalidInputError(
                    f"There are more than {found.settings.images:,} images: import a part, or raise the setting images."
                )
    items, more = settle_validation(items)

    def read(item: Item) -> bytes:
        content = shards[item.place[0]].bytes_of(image, item.place[1])
        if len(content) > found.settings.file_bytes:
            raise InvalidInputError(f"{item.name} has {len(content):,} bytes, more than allowed: make it smaller.")
        return content

    return Inventory(
        layout="parquet-images",
        layout_title="Parquet with images",
        items=items,
        read=read,
        fingerprint=found.tree.fingerprint(),
        classes=tuple(names_of),
        notes=tuple(notes + more),
        skipped=tuple(found.tree.skipped),
        columns=columns,
        all_columns=tuple(first.schema.names),
        close=found.tree.close,
    )


def _columns(shard: _Shard, asked: Columns) -> Columns:
    known = shard.schema.names
    for column in (asked.path, asked.label, asked.group, asked.split):
        if column and column not in known:
            raise UnknownNameError(f"column in {shard.name}", column, known)
    image = asked.path or shard.image_column()
    rest = [name for name in known if name not in (image, asked.group, asked.split)]
    label = next((name for name in _LABEL_NAMES if name in rest), "")
    if not label:
        texts = [n for n in rest if pa.types.is_string(shard.schema.field(n).type)]
        label = texts[0] if len(texts) == 1 else ""
    split = next((name for name in _SPLIT_NAMES if name in rest and name != label), "")
    return Columns(
        path=image,
        label=label if asked.label is None else asked.label,
        group=asked.group or "",
        split=split if asked.split is None else asked.split,
    )


def _class_names(shard: _Shard, label: str) -> list[str]:
    """Names of the classes, where the file's own record of its features has them."""
    try:
        features = json.loads((shard.schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [clean_text(name) for name in features[label]["names"]]
    except (KeyError, ValueError, TypeError):
        return []


def _label(value: Any, names: Sequence[str]) -> str | None:
    if value is None or value != value:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and names:
        return names[value] if 0 <= value < len(names) else None  # -1 means unlabeled
    return clean_text(value) or None


def _paths(shard: _Shard, image: str, rows: int) -> list[Any]:
    kind = shard.schema.field(image).type
    if not pa.types.is_struct(kind) or "path" not in {inner.name for inner in kind}:
        return [None] * rows
    try:  # the paths alone, without reading the bytes
        table = shard.file.read(columns=[f"{image}.path"])
        return [(value or {}).get("path") for value in table[image].to_pylist()]
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedFileError(f"{shard.name} is damaged ({first_line(error)}).") from error


def _split_of(name: str) -> str:
    """The split that a file's name begins with, such as train-00000-of-00002.parquet; else that of its folder."""
    *folders, last = name.lower().split("/")
    for word in (last.split(".")[0].split("-")[0], *reversed(folders)):
        if word in SPLIT_WORDS:
            return word
    return ""
