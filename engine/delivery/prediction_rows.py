"""What is said of predicted images, as rows of a table; and the files that hold them, CSV and Parquet.

file                the image, as its source names it
class, probability  the likeliest class; empty for an image that could not be read
unsure              whether that probability is below the threshold
second_class, second_probability
set                 the classes that hold the right one with the stated coverage; empty without a calibration
unlike              whether the image is farther from the task's training images than these are from each other
beside_class, beside_probability   what another student says, where one was asked
problem             why the image could not be read
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import InvalidInputError
from engine.files import replacing, storage_error
from engine.wording import spreadsheet_text

UNSURE = 0.6  # ours: below it an answer is "unsure", unless a threshold is chosen or known from held-out images
SET_SIGN = " | "  # between the classes of a set, in CSV

SCHEMA = pa.schema(
    [
        ("file", pa.string()),
        ("class", pa.string()),
        ("probability", pa.float32()),
        ("unsure", pa.bool_()),
        ("second_class", pa.string()),
        ("second_probability", pa.float32()),
        ("set", pa.list_(pa.string())),
        ("unlike", pa.bool_()),
        ("beside_class", pa.string()),
        ("beside_probability", pa.float32()),
        ("problem", pa.string()),
    ]
)


@dataclass(frozen=True)
class Answered:
    """What was found of some images; a row of one that could not be read means nothing but its problem."""

    files: Sequence[str]
    problems: Sequence[str]  # why an image could not be read, "" where it could
    probabilities: NDArray[np.float32]  # [n, K]
    sets: NDArray[np.bool_] | None = None  # [n, K]: which classes are in an image's set; None without a calibration
    unlike: NDArray[np.bool_] | None = None  # [n]; None where nothing is known of the training images
    beside: NDArray[np.float32] | None = None  # [n, K] of another student


def rows_of(found: Answered, classes: Sequence[str], unsure: float) -> pa.Table:
    """The rows of some images, of `SCHEMA`. unsure: a probability below it is so, 0 to 1."""
    names = np.array(classes, dtype=object)
    missing = np.array([bool(problem) for problem in found.problems], dtype=bool)
    first, second, high, low = _two_largest(found.probabilities)
    columns: dict[str, Any] = {
        "file": list(found.files),
        "class": pa.array(names[first], pa.string(), mask=missing),
        "probability": pa.array(high, pa.float32(), mask=missing),
        "unsure": pa.array(high < unsure, pa.bool_(), mask=missing),
        "problem": pa.array(found.problems, pa.string(), mask=~missing),
    }
    if len(classes) > 1:
        columns["second_class"] = pa.array(names[second], pa.string(), mask=missing)
        columns["second_probability"] = pa.array(low, pa.float32(), mask=missing)
    if found.sets is not None:
        sets = [None if gone else names[held].tolist() for gone, held in zip(missing, found.sets, strict=True)]
        columns["set"] = pa.array(sets, pa.list_(pa.string()))
    if found.unlike is not None:
        columns["unlike"] = pa.array(found.unlike, pa.bool_(), mask=missing)
    if found.beside is not None:
        columns["beside_class"] = pa.array(names[found.beside.argmax(1)], pa.string(), mask=missing)
        columns["beside_probability"] = pa.array(found.beside.max(1), pa.float32(), mask=missing)
    nothing = {field.name: pa.nulls(len(found.files), field.type) for field in SCHEMA}
    return pa.table({**nothing, **columns}, schema=SCHEMA)


def with_threshold(rows: pa.Table, unsure: float) -> pa.Table:
    """The same rows by another threshold of what is unsure, 0 to 1."""
    below = pc.less(rows["probability"], pa.scalar(unsure, pa.float32()))
    return rows.set_column(rows.schema.get_field_index("unsure"), SCHEMA.field("unsure"), below)


def _two_largest(
    probabilities: NDArray[np.float32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Classes and values of the largest and of the second largest of each row; of one class, twice the same."""
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2]
    first, second = order[:, 0], order[:, -1]
    rows = np.arange(len(probabilities))
    return first, second, probabilities[rows, first], probabilities[rows, second]


@contextmanager
def written_to(csv_path: Path | None, parquet_path: Path | None) -> Iterator[Callable[[pa.Table], None]]:
    """A function that appends rows to the files that are named, which appear whole at the end of the body, or not.

    A file that was there under such a name is replaced then, and stays if the body raises. Raises StorageError if the
    disk refuses, InvalidInputError for a name that cannot be a file's.
    """
    for path in filter(None, (csv_path, parquet_path)):
        if path.is_dir() or path.name in ("", ".", ".."):
            raise InvalidInputError(f"{path} is a folder: name a file, such as {path / 'predictions.csv'}.")
    if csv_path and parquet_path and csv_path.absolute() == parquet_path.absolute():
        raise InvalidInputError(f"{csv_path} cannot be CSV and Parquet at once: name two files.")
    with ExitStack() as stack:
        writers: list[tuple[Path, Callable[[pa.Table], None]]] = []
        if csv_path:
            place = stack.enter_context(replacing(csv_path))
            file = stack.enter_context(place.open("w", encoding="utf-8", newline=""))
            writers.append((csv_path, csv_writer(file)))
        if parquet_path:
            place = stack.enter_context(replacing(parquet_path))
            writer = stack.enter_context(pq.ParquetWriter(place, SCHEMA, compression="zstd"))
            writers.append((parquet_path, writer.write_table))

        def append(rows: pa.Table) -> None:
            for path, write in writers:
                try:
                    write(rows)
                except OSError as error:  # of which file it is, is known here alone
                    raise storage_error(error, path) from error

        yield append


def csv_writer(file: IO[str]) -> Callable[[pa.Table], None]:
    """A function that appends rows to an open CSV file, which begins with the names of the columns.

    Text that a spreadsheet would compute gets an apostrophe before it; probabilities have four decimals.
    """
    out = csv.writer(file, lineterminator="\n")
    out.writerow(SCHEMA.names)

    def append(rows: pa.Table) -> None:
        out.writerows([_cell(value) for value in row.values()] for row in rows.to_pylist())
        file.flush()  # a full disk shows now, and not when the file is closed

    return append


def rows_as_csv(rows: pa.Table) -> bytes:
    """Rows as one CSV file, as `csv_writer` writes it, UTF-8."""
    text = io.StringIO(newline="")
    csv_writer(text)(rows)
    return text.getvalue().encode()


def rows_as_parquet(rows: pa.Table) -> bytes:
    """Rows as one Parquet file."""
    content = io.BytesIO()
    pq.write_table(rows, content, compression="zstd")
    return content.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.4f}"
    return spreadsheet_text(SET_SIGN.join(value) if isinstance(value, list) else value)
