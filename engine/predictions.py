"""Predictions: what a student says of images, with a probability for each class, as a file that a table reader opens.

    image_id       string
    label          int16, the number of the class it is known to be of; null where it is not known
    classes        int16 [K], the numbers of the K likeliest classes, falling; absent where every class is kept
    probabilities  float16 [K]

The names of the classes are in the file's metadata. Half precision keeps three digits, and what is below 6e-8 is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from engine.errors import DamagedFileError
from engine.files import replacing, storage_error

PREDICTIONS = "predictions.parquet"  # of the test images, in the folder of a run
LARGEST_KEPT = 20  # probabilities of an image for which nobody knows the class
_NAMES = b"classes"


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a student says of n images. A row of probabilities sums to 1 but for rounding, if all classes are kept."""

    image_ids: tuple[str, ...]
    classes: tuple[str, ...]  # C names; a class number is an index into them
    labels: NDArray[np.int64]  # [n], class numbers; -1 where the class is not known
    probabilities: NDArray[np.float32]  # [n, K], 0..1
    columns: NDArray[np.int64] | None = None  # [n, K], the class of each probability, falling; None: K = C, as numbered

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The likeliest class of each image, `[n]`."""
        return self.probabilities.argmax(1) if self.columns is None else self.columns[:, 0]

    @property
    def confidence(self) -> NDArray[np.float32]:
        """The probability of the likeliest class of each image, `[n]`."""
        found: NDArray[np.float32] = self.probabilities.max(1)
        return found


def predictions_from(
    image_ids: Sequence[str], classes: Sequence[str], labels: NDArray[np.int64], probabilities: NDArray[np.float32]
) -> Predictions:
    """All probabilities, `[n, C]`, as they will be read again: rounded to half precision. The likeliest class stays
    the likeliest, also where the next one is as near as that.
    """
    rounded = probabilities.astype(np.float16)
    likeliest, images = probabilities.argmax(1), np.arange(len(probabilities))
    tied = rounded.argmax(1) != likeliest
    rounded[images[tied], likeliest[tied]] = np.nextafter(rounded[images[tied], likeliest[tied]], np.float16(2))
    return Predictions(tuple(image_ids), tuple(classes), labels, rounded.astype(np.float32))


def joined(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of one student for one part of the images after the other, as one."""
    first = parts[0]
    columns = (
        None if first.columns is None else np.concatenate([part.columns for part in parts if part.columns is not None])
    )
    return Predictions(
        tuple(image for part in parts for image in part.image_ids),
        first.classes,
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        columns,
    )


def largest(found: Predictions, count: int = LARGEST_KEPT) -> Predictions:
    """The `count` largest probabilities of each image; all of them, where there are no more classes."""
    if found.columns is not None or found.probabilities.shape[1] <= count:
        return found
    order = np.argsort(-found.probabilities, axis=1, kind="stable")[:, :count]
    kept = np.take_along_axis(found.probabilities, order, axis=1)
    return Predictions(found.image_ids, found.classes, found.labels, kept, order)


def write_predictions(path: Path, found: Predictions) -> None:
    """Write them atomically. Raises StorageError."""
    width = found.probabilities.shape[1]
    columns = {
        "image_id": pa.array(found.image_ids, pa.string()),
        "label": pa.array(found.labels, pa.int16(), mask=found.labels < 0),
    }
    if found.columns is not None:
        numbers = pa.array(found.columns.astype(np.int16).ravel())
        columns["classes"] = pa.FixedSizeListArray.from_arrays(numbers, width)
    values = pa.array(found.probabilities.astype(np.float16).ravel())
    columns["probabilities"] = pa.FixedSizeListArray.from_arrays(values, width)
    table = pa.table(columns).replace_schema_metadata({_NAMES: msgspec.json.encode(found.classes)})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_predictions(path: Path, way_out: str) -> Predictions | None:
    """The predictions in a file, or None if there is none. way_out: what to do about a damaged one.

    Raises DamagedFileError, StorageError.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        return _from_table(table)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno:
            raise storage_error(error, path) from error
        raise _damaged(path, error, way_out) from error
    except (pa.ArrowException, KeyError, TypeError, ValueError, msgspec.MsgspecError) as error:
        raise _damaged(path, error, way_out) from error


def _from_table(table: pa.Table) -> Predictions:
    """Raises KeyError, TypeError or ValueError for a table that holds no predictions."""
    classes = msgspec.json.decode(table.schema.metadata[_NAMES], type=tuple[str, ...])
    labels = table["label"].fill_null(-1).to_numpy().astype(np.int64)
    probabilities = _matrix(table["probabilities"]).astype(np.float32)
    columns = _matrix(table["classes"]).astype(np.int64) if "classes" in table.column_names else None
    if columns is None and probabilities.shape[1] != len(classes):
        raise ValueError("it has not one probability for each class")
    if any(
        len(found) and (found.min() < low or found.max() >= len(classes)) for found, low in _numbers(labels, columns)
    ):
        raise ValueError("it names classes that there are not")
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise ValueError("a probability is not between 0 and 1")
    return Predictions(tuple(table["image_id"].to_pylist()), classes, labels, probabilities, columns)


def _numbers(labels: NDArray[np.int64], columns: NDArray[np.int64] | None) -> list[tuple[NDArray[np.int64], int]]:
    return [(labels, -1)] if columns is None else [(labels, -1), (columns, 0)]


def _matrix(column: pa.ChunkedArray) -> NDArray[np.generic]:
    if column.null_count:
        raise ValueError("a value is missing")
    found = column.combine_chunks()
    flat = found.flatten()
    if flat.null_count:
        raise ValueError("a value is missing")
    return np.asarray(flat.to_numpy(zero_copy_only=False)).reshape(len(found), found.type.list_size)


def _damaged(path: Path, error: Exception, way_out: str) -> DamagedFileError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DamagedFileError(f"{path} is damaged ({reason}): {way_out}.")
