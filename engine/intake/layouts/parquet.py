"""Parquet files with the images inside, in the Hugging Face image layout: a column of {bytes, path}, and a label."""

from __future__ import annotations

import bisect
import itertools
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.intake.inventory import Columns, Found, Inventory, Item, first_line, reading_one
from engine.intake.layouts.folder_words import split_of
from engine.intake.layouts.table import LABEL_COLUMN, NONE, column_title, split_question
from engine.intake.layouts.table_cells import group_or_none, is_positive, note_on_empty_groups, split_words
from engine.intake.layouts.table_columns import ColumnGuess, LabelColumn, guess_columns, name_parts, one_hot_columns
from engine.intake.layouts.table_labels import Labels, cell_labels, one_hot_labels
from engine.intake.sources import Tree
from engine.intake.tables import check_rows, settle_validation
from engine.settings import ImportSettings
from engine.tasks.names import clean_text
from engine.tasks.questions import Interpretation, Question

_WORDS = {"train": "train", "val": "val", "test": "test"}
_SAMPLE_ROWS = 400  # looked at for a guess
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
    guess = _guess(first, found.columns)
    label = guess.labels[0].column if found.columns.label is None else found.columns.label
    labels = _Cells(first, label)
    items: list[Item] = []
    used: set[str] = set()
    groups_said: list[str] = []
    for name, shard in shards.items():
        if shard.schema.names != first.schema.names:
            raise InvalidInputError(f"{name} has other columns than {first.name}: import them apart.")
        rows = shard.starts[-1]
        groups = [clean_text(_text(value)) for value in shard.column(guess.group)] if guess.group else [""] * rows
        splits = [_text(value) for value in shard.column(guess.split)] if guess.split else [_split_of(name)] * rows
        paths = _paths(shard, guess.path, rows)
        for row in range(rows):
            identifier = clean_text(paths[row] or "") or f"{name}/{row}"
            if identifier in used:
                identifier = f"{name}/{row}"
            used.add(identifier)
            items.append(Item(identifier, None, splits[row], group_or_none(groups[row]) or None, (name, row)))
            if len(items) > found.settings.images:
                raise InvalidInputError(
                    f"There are more than {found.settings.images:,} images: import a part, or raise the setting images."
                )
        labels.read(shard, [item.name for item in items[-rows:]] if rows else [])
        groups_said += groups
    said = labels.labels(found.answers)
    words = split_words(guess.split, {item.split for item in items if item.split}) if guess.split else _WORDS
    items = [Item(i.name, said.of.get(i.name), words.get(i.split or ""), i.group, i.place) for i in items]
    decided = found.columns.split is not None
    on_split = split_question(guess.split, words, said.count, decided=decided) if guess.split else None
    items, more = settle_validation(items)
    image = guess.path

    def read(item: Item) -> bytes:
        with reading_one(found.tree, item.place[0]):
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
        classes=labels.names,
        notes=(*said.notes, *note_on_empty_groups(guess.group, groups_said), *guess.notes_on_splits, *more),
        skipped=tuple(found.tree.skipped),
        columns=Columns(guess.path, label, guess.group, guess.split),
        all_columns=(*first.schema.names, *([label] if label and label not in first.schema.names else [])),
        questions=(
            *_questions(found, first, guess, label, shards),
            *said.questions,
            *([on_split] if on_split is not None else []),
        ),
        close=found.tree.close,
    )


def _guess(shard: _Shard, asked: Columns) -> ColumnGuess:
    """What the columns are, by a sample of the small ones. Raises UnknownNameError for one that is not there."""
    known = shard.schema.names
    for column in (asked.path, asked.label, asked.group, asked.split):
        if column and column not in known and not one_hot_columns(column, known):
            raise UnknownNameError(f"column in {shard.name}", column, known)
    image = asked.path or shard.image_column() or ""
    small = [name for name in known if name != image and _is_small(name, shard.schema.field(name).type)]
    cells = {name: [_text(value) for value in shard.column(name)] for name in small}
    numbers = range(shard.starts[-1])
    rows = random.Random(0).sample(numbers, _SAMPLE_ROWS) if len(numbers) > _SAMPLE_ROWS else numbers
    sample = [{image: "", **{name: cells[name][row] for name in small}} for row in rows]
    of_class = _class_label(shard, small) if asked.label is None else None
    wanted = replace(asked, path=image, label=of_class or asked.label)
    guess = guess_columns([image, *small], sample, frozenset(), wanted, [""] * len(sample))
    return replace(guess, labels=(LabelColumn(of_class, 0.0),)) if of_class else guess


def _is_small(name: str, kind: pa.DataType) -> bool:
    """Whether a column has cells that say something in short: words, numbers, or lists of labels."""
    if pa.types.is_list(kind):
        return bool({*name_parts(name)} & _LISTS) and (
            pa.types.is_string(kind.value_type) or _is_whole(kind.value_type)
        )
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    tests = (pa.types.is_string, pa.types.is_large_string, pa.types.is_floating, pa.types.is_boolean, _is_whole)
    return any(test(kind) for test in tests)


def _is_whole(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind))


_LISTS = frozenset({"label", "labels", "class", "classes", "tag", "tags", "category", "categories"})


def _class_label(shard: _Shard, columns: Sequence[str]) -> str | None:
    """The column that the file's own record of its features calls the class; None where it names none, or several."""
    named = [name for name in columns if _class_names(shard, name)]
    return named[0] if len(named) == 1 else None


def _class_names(shard: _Shard, label: str) -> list[str]:
    """Names of the classes, where the file's own record of its features has them."""
    try:
        features = json.loads((shard.schema.metadata or {})[b"huggingface"])["info"]["features"]
        return [clean_text(name) for name in features[label]["names"]]
    except (KeyError, ValueError, TypeError):
        return []


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()


class _Cells:
    """What the rows say of the class, read shard by shard."""

    def __init__(self, first: _Shard, label: str) -> None:
        self.label, self.names = label, tuple(_class_names(first, label))
        self._one_hot = one_hot_columns(label, first.schema.names)
        self._said: dict[str, list[str]] = {}

    def read(self, shard: _Shard, identifiers: Sequence[str]) -> None:
        """Take in the rows of a shard, whose images are called so."""
        if self._one_hot:
            columns = [[is_positive(_text(value)) for value in shard.column(name)] for name in self._one_hot]
            for identifier, row in zip(identifiers, zip(*columns, strict=True), strict=True):
                self._said[identifier] = [name for name, one in zip(self._one_hot, row, strict=True) if one]
        elif self.label:
            for identifier, value in zip(identifiers, shard.column(self.label), strict=True):
                self._said[identifier] = [text] if (text := self._class(value)) else []

    def _class(self, value: Any) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and self.names:
            return self.names[value] if 0 <= value < len(self.names) else ""  # -1 means unlabeled
        return clean_text(_text(value))

    def labels(self, answers: Mapping[str, str]) -> Labels:
        """One label for each image that has one."""
        if self._one_hot:
            return one_hot_labels(self._one_hot, self._said)
        return cell_labels(self.label, self._said, answers)


def _questions(
    found: Found, first: _Shard, guess: ColumnGuess, label: str, shards: Mapping[str, _Shard]
) -> tuple[Question, ...]:
    """Which column holds the labels, where more than one may."""
    keys = list(dict.fromkeys([label, *(c.column for c in guess.close)]))
    if found.columns.label == "" or len(keys) < 2 or len(guess.labels) < 2:
        return ()
    ways = []
    for key in keys:
        cells = _Cells(first, key)
        for name, shard in shards.items():
            cells.read(shard, [f"{name}/{row}" for row in range(shard.starts[-1])])
        title = column_title(key, first.schema.names)
        ways.append(Interpretation(key or NONE, title, cells.labels(found.answers).count, {"columns": {"label": key}}))
    text = f"It is not certain which column of {first.name} holds the labels."
    return (Question(LABEL_COLUMN, text, tuple(ways), ways[0].key, found.columns.label is not None),)


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
    """The split that a file's name says, such as train-00000-of-00002.parquet; else that of its folder; "" for none."""
    *folders, last = name.split("/")
    for part in (last.split(".")[0], *reversed(folders)):
        found = split_of(part)
        if found is not None and found[1] <= {"of"}:
            return found[0]
    return ""
