"""A table of what a network says of images: which of its columns are what, and its numbers, checked and in order.

A Parquet file with one row for each image: a column that names the image, and features, pseudo-labels or both, each as
one column of lists or as one column for each number. Columns that are none of these are left alone, so a label in the
table never becomes a feature.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DamagedFileError, InvalidInputError
from engine.files import storage_error
from engine.teachers.hub import Progress

IMAGE_COLUMNS = ("image_id", "image", "file_name", "filename", "file", "path", "name", "id")
FEATURE_COLUMNS = ("features", "feature", "embeddings", "embedding")
PSEUDO_LABEL_COLUMNS = ("pseudo_labels", "pseudo_label", "probabilities", "probs", "softmax")
FEATURE_NUMBER = re.compile(r"(?:f|feature|features|e|emb|embedding|dim)[_-]?[0-9]+", re.IGNORECASE)
PSEUDO_LABEL_NUMBER = re.compile(r"(?:p|prob|probability|pseudo_label)_(?P<name>.+)", re.IGNORECASE | re.DOTALL)
WIDEST = 16_384  # numbers of one kind for an image; ours: four times the widest of timm
LARGEST_TABLE = int(os.environ.get("WORKBENCH_LARGEST_OUTPUTS", str(8 * 2**30)))  # bytes when unpacked; ours
MOST_ROWS = 20_000_000  # ours: two hundred times the largest task that was tried
MOST_COLUMNS = 2 * WIDEST + 100
ROWS_AT_ONCE = 2_048


@dataclass(frozen=True)
class OutputColumns:
    """Which columns of a table are what, and which are left alone."""

    image: str
    features: tuple[str, ...]
    pseudo_labels: tuple[str, ...]
    ignored: tuple[str, ...]


def find_columns(schema: pa.Schema, file_name: str, image_column: str | None = None) -> OutputColumns:
    """Which columns name the image and hold features and pseudo-labels. Raises InvalidInputError if there are none."""
    names = list(schema.names)
    if len(names) > MOST_COLUMNS:
        raise InvalidInputError(f"{file_name} has {len(names):,} columns, more than the {MOST_COLUMNS:,} allowed.")
    if double := next((name for name, count in Counter(names).items() if count > 1), None):
        raise InvalidInputError(f"{file_name} has two columns named {double[:80]!r}: rename one of them.")
    image = _image_column(schema, file_name, image_column)
    lists = {name for name in names if _is_list(schema.field(name).type)}
    numbers = {name for name in names if _is_number(schema.field(name).type)}
    features = [name for name in names if name.lower() in FEATURE_COLUMNS and name in lists]
    features = features[:1] or [n for n in names if n in numbers and n != image and FEATURE_NUMBER.fullmatch(n)]
    labels = [name for name in names if name.lower() in PSEUDO_LABEL_COLUMNS and name in lists]
    labels = labels[:1] or [n for n in names if n in numbers and n != image and PSEUDO_LABEL_NUMBER.fullmatch(n)]
    if not features and not labels:
        shown = ", ".join(name[:40] for name in names[:8]) + (", …" if len(names) > 8 else "")
        raise InvalidInputError(
            f"{file_name} has the columns {shown}, and none of features or pseudo-labels: name a column of lists "
            "'features' or 'pseudo_labels', or number columns f0, f1, … or p_<class>."
        )
    used = {image, *features, *labels}
    return OutputColumns(image, tuple(features), tuple(labels), tuple(name for name in names if name not in used))


@dataclass
class OutputsTable:
    """A table in the order of the task's images. Arrays are `[images, numbers]`; rows not found are 0."""

    found: NDArray[np.bool_]
    features: NDArray[np.float32] | None
    pseudo_labels: NDArray[np.float32] | None
    unmatched: int


def open_table(path: Path, file_name: str) -> pq.ParquetFile:
    """A table with one row or more, no larger than the limits. Raises InvalidInputError, DamagedFileError, StorageError
    for what is none.
    """
    try:
        table = pq.ParquetFile(path)
        size = sum(_unpacked(table.metadata.row_group(i)) for i in range(table.num_row_groups))
    except OSError as error:
        if error.errno:
            raise storage_error(error, path) from error
        raise _damaged(file_name, error) from error
    except Exception as error:  # another's parser of an unknown file
        raise _damaged(file_name, error) from error
    if size > LARGEST_TABLE:
        raise InvalidInputError(
            f"{file_name} unpacks to {size:,} bytes, more than the {LARGEST_TABLE:,} allowed: leave out images that "
            "the task does not have, or set WORKBENCH_LARGEST_OUTPUTS to more."
        )
    if table.metadata.num_rows > MOST_ROWS:
        raise InvalidInputError(
            f"{file_name} has {table.metadata.num_rows:,} rows, more than the {MOST_ROWS:,} allowed."
        )
    if not table.metadata.num_rows:
        raise InvalidInputError(f"{file_name} has no rows: it should have one for each image.")
    return table


def _unpacked(group: pq.RowGroupMetaData) -> int:
    """Bytes of one part of a table in memory: what it says, or what its numbers come to if it says less."""
    values = sum(group.column(i).num_values for i in range(group.num_columns))
    return max(int(group.total_byte_size), 4 * int(values))


def _damaged(file_name: str, error: Exception) -> DamagedFileError:
    reason = (next(iter(str(error).splitlines()), "") or type(error).__name__)[:160]
    return DamagedFileError(f"{file_name} is no readable Parquet file ({reason}): write it again.")


def _image_column(schema: pa.Schema, file_name: str, wanted: str | None) -> str:
    if wanted:
        if wanted not in schema.names:
            raise InvalidInputError(f"{file_name} has no column {wanted[:80]!r}: name the one that names the image.")
        return wanted
    texts = [name for name in schema.names if _is_text(schema.field(name).type)]
    for name in IMAGE_COLUMNS:
        if found := [text for text in texts if text.lower() == name]:
            return str(found[0])
    if len(texts) == 1:
        return str(texts[0])
    raise InvalidInputError(
        f"{file_name} has no column that names the image: call one of text 'image_id', with the image's id or file "
        "name."
    )


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType) -> bool:
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(lists and _is_number(kind.value_type))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def composed(name: object) -> str:
    """A name as it is compared: macOS writes letters and their marks apart."""
    return unicodedata.normalize("NFC", name) if isinstance(name, str) else ""


def read_table(
    table: pq.ParquetFile,
    columns: OutputColumns,
    rows_of: Mapping[str, int],
    images: int,
    file_name: str,
    progress: Progress,
) -> OutputsTable:
    """What a table says of the images that it names. rows_of: the row of each name, as `composed`, in a task of so many
    `images`; `progress` may raise to stop.

    Raises InvalidInputError if it names none of them or one twice, or if its numbers are missing, infinite, or not as
    many for each image; DamagedFileError.
    """
    read = OutputsTable(np.zeros(images, dtype=np.bool_), None, None, 0)
    wanted = [columns.image, *columns.features, *columns.pseudo_labels]
    total, done = table.metadata.num_rows, 0
    for batch in _batches(table, wanted, file_name):
        progress(done, total, "rows", "Reading the table")
        done += batch.num_rows
        try:
            names = batch.column(columns.image).to_pylist()
            rows = np.array([rows_of.get(composed(name), -1) for name in names], dtype=np.int64)
            known = rows >= 0
            read.unmatched += int((~known).sum())
            if not known.any():
                continue
            _refuse_doubles(read.found, rows[known], [n for n, k in zip(names, known, strict=True) if k], file_name)
            read.features = _placed(read.features, batch, columns.features, rows, images, "features", file_name)
            read.pseudo_labels = _placed(
                read.pseudo_labels, batch, columns.pseudo_labels, rows, images, "pseudo-labels", file_name
            )
            read.found[rows[known]] = True
        except (pa.ArrowException, UnicodeDecodeError, OverflowError, MemoryError) as error:
            raise _damaged(file_name, error) from error
    if not read.found.any():
        raise InvalidInputError(
            f"None of the {total:,} rows of {file_name} names an image of this task in its column {columns.image!r}: "
            f"write the image's id or file name there, such as {next(iter(rows_of), '')!r}."
        )
    return read


def _batches(table: pq.ParquetFile, wanted: list[str], file_name: str) -> Iterator[pa.RecordBatch]:
    batches = table.iter_batches(ROWS_AT_ONCE, columns=wanted)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except Exception as error:  # another's parser of an unknown file
            raise _damaged(file_name, error) from error
        yield batch


def _refuse_doubles(found: NDArray[np.bool_], rows: NDArray[np.int64], names: list[str], file_name: str) -> None:
    order = np.argsort(rows, kind="stable")
    twice = np.flatnonzero(np.diff(rows[order]) == 0)
    if len(twice) or found[rows].any():
        place = int(order[twice[0] + 1]) if len(twice) else int(np.flatnonzero(found[rows])[0])
        raise InvalidInputError(
            f"{file_name} names the image {names[place][:120]!r} twice: keep one row for each image."
        )


def _placed(
    into: NDArray[np.float32] | None,
    batch: pa.RecordBatch,
    columns: tuple[str, ...],
    rows: NDArray[np.int64],
    images: int,
    kind: str,
    file_name: str,
) -> NDArray[np.float32] | None:
    """Put the numbers of a batch at the rows of their images."""
    if not columns:
        return None
    values = _matrix(batch, columns, kind, file_name)
    if into is None:
        if not 1 <= values.shape[1] <= WIDEST:
            raise InvalidInputError(
                f"{file_name} has {values.shape[1]:,} {kind} for an image: there should be 1 to {WIDEST:,}."
            )
        if images * values.shape[1] * 4 > LARGEST_TABLE:
            raise InvalidInputError(
                f"{images:,} images with {values.shape[1]:,} {kind} each take more than the {LARGEST_TABLE:,} bytes "
                "allowed: set WORKBENCH_LARGEST_OUTPUTS to more."
            )
        into = np.zeros((images, values.shape[1]), dtype=np.float32)
    if values.shape[1] != into.shape[1]:
        raise InvalidInputError(
            f"{file_name} has {into.shape[1]:,} {kind} for some images and {values.shape[1]:,} for others: give every "
            "image as many."
        )
    known = rows >= 0
    wrong = np.flatnonzero(~np.isfinite(values[known]).all(axis=1))
    if len(wrong):
        name = np.array(batch.column(0).to_pylist(), dtype=object)[known][wrong[0]]
        raise InvalidInputError(
            f"{file_name} holds {kind} that are missing, infinite or no number, first for the image "
            f"{str(name)[:120]!r}: compute them again."
        )
    into[rows[known]] = values[known]
    return into


def _matrix(batch: pa.RecordBatch, columns: tuple[str, ...], kind: str, file_name: str) -> NDArray[np.float32]:
    """Numbers of a batch, `[rows, numbers]`; what is missing becomes NaN."""
    with np.errstate(over="ignore", invalid="ignore"):
        first = batch.column(columns[0])
        if not _is_list(first.type):
            return np.stack(
                [batch.column(name).to_numpy(zero_copy_only=False).astype(np.float32) for name in columns], axis=1
            )
        if first.null_count:
            raise InvalidInputError(
                f"{file_name} has no {kind} for {first.null_count:,} of its rows: compute them, or leave these rows "
                "out."
            )
        lengths = first.value_lengths().to_numpy(zero_copy_only=False)
        if len(set(lengths.tolist())) > 1:
            raise InvalidInputError(
                f"{file_name} has {int(lengths.min()):,} {kind} for some images and {int(lengths.max()):,} for others: "
                "give every image as many."
            )
        flat: NDArray[np.float32] = first.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        return flat.reshape(batch.num_rows, int(lengths[0]))
