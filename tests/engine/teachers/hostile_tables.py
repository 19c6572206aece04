"""Hostile tables of features and pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.tasks import Task
from engine.teachers import TeacherRecord
from tests.engine.teachers.hostile_making import Case, changed_columns, fuzzed, good_bytes, good_columns, outputs, table


def table_cases() -> Iterator[Case]:
    """All cases of tables."""
    yield from _tables()
    yield from _probabilities()
    yield from _image_names()
    yield from _table_files()


def _tables() -> Iterator[Case]:
    def put(column: str, value: Callable[[int], Any], found: dict[str, Any]) -> None:
        found[column] = value(len(found["image_id"]))

    ones: dict[str, Callable[[int], Any]] = {
        "text": lambda n: ["many"] * n,
        "lists of text": lambda n: [["a", "b"]] * n,
        "lists of lists": lambda n: [[[0.1], [0.2]]] * n,
        "records": lambda n: [{"a": 0.1}] * n,
        "nothing": lambda n: pa.nulls(n),
        "moments": lambda n: pa.array([0] * n, pa.timestamp("us")),
        "empty lists": lambda n: pa.array([[]] * n, pa.list_(pa.float32())),
        "ragged lists": lambda n: [[0.1] * (1 + i % 2) for i in range(n)],
        "lists in part missing": lambda n: [None, *([[0.1, 0.2]] * (n - 1))],
        "numbers in part missing": lambda n: [[None, 0.2], *([[0.1, 0.2]] * (n - 1))],
        "whole numbers": lambda n: [[i, i + 1] for i in range(n)],
        "fixed lists": lambda n: pa.FixedSizeListArray.from_arrays(pa.array(np.arange(2.0 * n)), 2),
        "half precision": lambda n: pa.array([[np.float16(i % 7)] * 2 for i in range(n)], pa.list_(pa.float16())),
    }
    for name, value in ones.items():
        yield Case("type of features", name, partial(table, partial(changed_columns, partial(put, "features", value))))
    numbers: dict[str, Callable[[int], Any]] = {
        "NaN": lambda n: [[np.nan, 1.0], *([[0.1, 0.2]] * (n - 1))],
        "infinite": lambda n: [[0.1, 0.2]] * (n - 1) + [[np.inf, 1.0]],
        "too large to keep": lambda n: [[1e5 * i, 1.0] for i in range(n)],
        "too large for anything": lambda n: [[1e300 * (i + 1), 1.0] for i in range(n)],
        "all the same": lambda n: [[0.1, 0.2]] * n,
        "too wide": lambda n: [np.zeros(20_000, dtype=np.float32)] + [np.zeros(20_000, dtype=np.float32)] * (n - 1),
    }
    for name, value in numbers.items():
        yield Case(
            "numbers of features", name, partial(table, partial(changed_columns, partial(put, "features", value)))
        )

    def columns_of(names: list[str], task: Task) -> dict[str, Any]:
        random = np.random.default_rng(0)
        ids = list(task.images.image_ids)
        return {"image_id": ids, **{name: random.random(len(ids)).astype(np.float32) for name in names}}

    layouts = {
        "only other columns": ["label", "age"],
        "one feature and a label": ["f0", "label"],
        "columns in disorder": ["f2", "f0", "f1"],
        "names in five scripts": ["f0", "p_каша", "p_粥", "p_خبز"],
        "a class called __proto__": ["f0", "p___proto__", "p_constructor"],
        "no columns of numbers": [],
    }
    for name, names in layouts.items():
        yield Case("columns", name, partial(table, partial(columns_of, names)))


def _probabilities() -> Iterator[Case]:
    kinds: dict[str, Callable[[int], Any]] = {
        "logits": lambda n: [[3.0, -2.0, 0.5]] * n,
        "percent": lambda n: [[30.0, 20.0, 50.0]] * n,
        "sum to zero": lambda n: [[0.0, 0.0, 0.0]] * n,
        "negative": lambda n: [[-0.5, 0.5, 1.0]] * n,
        "a little off": lambda n: [[0.33, 0.33, 0.33]] * n,
        "one class": lambda n: [[1.0]] * n,
        "NaN": lambda n: [[np.nan, 0.5, 0.5]] * n,
        "one image wrong": lambda n: [[0.2, 0.3, 0.5]] * (n - 1) + [[0.2, 0.3, 0.6]],
        "whole numbers": lambda n: [[1, 0, 0]] * n,
    }

    def put(value: Callable[[int], Any], found: dict[str, Any]) -> None:
        found["pseudo_labels"] = value(len(found["image_id"]))

    for name, value in kinds.items():
        yield Case("probabilities", name, partial(table, partial(changed_columns, partial(put, value))))
    for classes in (("a", "b"), ("a", "b", "b"), ("a", "b", "<b>c</b>")):
        yield Case("probabilities", f"classes {classes}", partial(table, good_columns, classes=classes))


def _image_names() -> Iterator[Case]:
    def ids(change: Callable[[list[Any]], list[Any]], found: dict[str, Any]) -> None:
        found["image_id"] = change(found["image_id"])

    def without(count: int, found: dict[str, Any]) -> None:
        for name in found:
            found[name] = found[name][count:]

    def doubled(found: dict[str, Any]) -> None:
        for name in found:
            found[name] = found[name] + found[name][:3]

    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "none is known": partial(ids, lambda found: [f"../../{name}" for name in found]),
        "paths before them": partial(ids, lambda found: [f"/data/{name}" for name in found]),
        "one is unknown": partial(ids, lambda found: ["<b>nobody</b>", *found[1:]]),
        "one is missing": partial(ids, lambda found: [None, *found[1:]]),
        "one twice": partial(ids, lambda found: [found[1], *found[1:]]),
        "all the same": partial(ids, lambda found: found[:1] * len(found)),
        "numbers": partial(ids, lambda found: list(range(len(found)))),
        "bytes": partial(ids, lambda found: pa.array([name.encode() for name in found], pa.binary())),
        "of another case": partial(ids, lambda found: [name.upper() for name in found]),
        "as a dictionary": partial(ids, lambda found: pa.array(found).dictionary_encode()),
        "half of them": partial(without, 400),
        "some twice at the end": doubled,
    }
    for name, change in changes.items():
        yield Case("names of images", name, partial(table, partial(changed_columns, change)))
    for column in ("features", "no such column", "../x"):
        yield Case("names of images", f"column {column!r}", partial(table, good_columns, image_column=column))


def _table_files() -> Iterator[Case]:
    def written(change: Callable[[bytes], bytes], folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        pq.write_table(pa.table(good_columns(task)), path)
        path.write_bytes(change(path.read_bytes()))
        return outputs(path, folder, task)

    for cut in (0, 4, 100, -1, -4, -100):
        yield Case("truncated table", f"{cut} bytes", partial(written, lambda content, c=cut: content[:c]))
    for seed in range(16):
        yield Case("fuzzed table", f"seed {seed}", partial(written, lambda c, s=seed: fuzzed(c, s, 4, None, 40)))
    for seed in range(8):
        footer = partial(written, lambda c, s=seed: fuzzed(c, s, len(c) - 900, len(c) - 8, 2))
        yield Case("fuzzed table", f"footer, seed {seed}", footer)

    def many_rows(folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        count = 20_000_001  # one value, a few hundred bytes on disk
        array = pa.DictionaryArray.from_arrays(pa.array(np.zeros(count, dtype=np.int8)), pa.array(["a"]))
        pq.write_table(pa.table({"image_id": array}), path)
        return outputs(path, folder, task)

    def long_lists(folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        values = pa.array(np.zeros(2_000_000, dtype=np.float32))
        array = pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
        pq.write_table(pa.table({"image_id": list(task.images.image_ids[:1]), "features": array}), path)
        return outputs(path, folder, task)

    def many_columns(folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        pq.write_table(pa.table({"image_id": ["a"], **{f"f{i}": [0.5] for i in range(6_000)}}), path)
        return outputs(path, folder, task)

    def same_columns(folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        arrays = [pa.array(["a"]), pa.array([[0.1, 0.2]]), pa.array([[0.1, 0.2]])]
        pq.write_table(pa.Table.from_arrays(arrays, names=["image_id", "features", "features"]), path)
        return outputs(path, folder, task)

    def other(content: bytes, folder: Path, task: Task) -> TeacherRecord:
        path = folder / "table.parquet"
        path.write_bytes(content)
        return outputs(path, folder, task)

    yield Case("table as a bomb", "20 million rows", many_rows)
    yield Case("table as a bomb", "a list of 2 million numbers", long_lists)
    yield Case("table as a bomb", "6,000 columns", many_columns)
    yield Case("table as a bomb", "a column twice", same_columns)
    yield Case("another format as a table", "CSV", partial(other, b"image_id,f0\na,0.5\n"))
    yield Case("another format as a table", "weights", partial(other, good_bytes()))
    yield Case("another format as a table", "encrypted", partial(other, b"PARE" + bytes(100) + b"PARE"))
    yield Case(
        "another format as a table", "no rows", partial(table, lambda task: {"image_id": pa.array([], pa.string())})
    )
