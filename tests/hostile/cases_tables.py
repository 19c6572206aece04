"""Tables: CSV and Parquet."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from engine.intake import Columns
from tests.engine.intake import made_sources as made
from tests.hostile.making import FORMULAS, GOOD, MARKUP, as_file, flipped, random_of, zip_bytes
from tests.hostile.suite import Case


def tables() -> Iterator[Case]:
    """The cases of this module."""
    rows = [["file", "label"], *([name, name.split("/")[0]] for name in GOOD)]
    plain = made.table(rows)

    def beside(mechanism: str, name: str, content: bytes | str, file: str = "l.csv", **fields: object) -> Case:
        return Case(
            mechanism, f"{mechanism}: {name}", lambda folder: (made.put(folder, {**GOOD, file: content}) / file, fields)
        )

    def labeled(texts: list[str]) -> str:
        return made.table([["file", "label"], *([name, texts[i % len(texts)]] for i, name in enumerate(GOOD))])

    for i, text in enumerate(FORMULAS):
        yield beside("formulas in a table", text, labeled([text, "dog"]))
        yield beside("formulas in a table", f"path {i}", plain + f'"{text}",cat\n')
    for text in MARKUP:
        yield beside("markup in a table", text, labeled([text, "dog"]))
        yield beside("markup in a table", f"column {text}", made.table([["file", text], *rows[1:]]))
    for path in (
        "../../secret.jpg",
        "/etc/passwd",
        "C:\\x.jpg",
        "file:///etc/passwd",
        "http://localhost/x.jpg",
        "cat/../../../secret.jpg",
        "\\\\host\\x.jpg",
        "~/x.jpg",
        "cat/0.jpg\0.png",
        "." * 300,
    ):
        yield beside("path in a table", path[:20], plain + made.table([[path, "cat"]]))
        yield beside(
            "path in a table", "only " + path[:20], made.table([["file", "label"], [path, "cat"], [path, "dog"]])
        )
    wide = made.table([["file", "label", *map(str, range(3000))], *([*row, *["x"] * 3000] for row in rows[1:])])
    for name, content in {
        "empty": "",
        "header only": "file,label\n",
        "no header": "\n".join(plain.splitlines()[1:]),
        "nulls": plain.replace("cat\r", "c\0t\r"),
        "open quote": plain + '"cat/0.jpg,cat\n' + "x" * 30_000,
        "huge cell": plain + "cat/1.jpg," + "x" * 25_000 + "\n",
        "two columns of one name": plain.replace("file,label", "file,file"),
        "ragged": plain + "cat/1.jpg\ncat/1.jpg,cat,dog,bird\n,\n",
        "huge": plain + "x,y\n" * 100_000,
        "wide": wide,
        "one line": "x" * 100_000,
        "only commas": "," * 20_000,
        "carriage returns": plain.replace("\r\n", "\r"),
        "too many classes": made.table([["file", "label"], *([name, str(i)] for i, name in enumerate(GOOD))]) + "\n",
        "quotes": plain.replace("cat", '""cat""'),
        "spaces": plain.replace(",", " , "),
    }.items():
        yield beside("broken table", name, content)
    for name, content in {
        "UTF-16": plain.encode("utf-16"),
        "UTF-16 cut": plain.encode("utf-16")[:-3],
        "byte order mark": plain.encode("utf-8-sig"),
        "Latin-1": plain.replace("dog", "dög").encode("latin-1"),
        "UTF-32": plain.encode("utf-32"),
        "noise": random_of("table").bytes(5000),
        "an image": made.jpg(1),
        "a zip": zip_bytes(GOOD),
        "EBCDIC": plain.encode("cp500"),
    }.items():
        yield beside("table in another encoding", name, content)
    for i in range(10):
        yield beside("table with changed bytes", str(i), flipped(plain.encode(), random_of(f"csv {i}"), 1 + 3 * i))
    for column in ("nothing", "", "file", "<script>", "../label", "\0"):
        yield beside("hostile column", repr(column), plain, columns=Columns(label=column))
    yield from _parquets()


def _parquets() -> Iterator[Case]:
    images = [{"bytes": content, "path": name} for name, content in GOOD.items()]
    labels = [i // 3 for i in range(6)]

    def written(columns: dict[str, object], metadata: dict[str, str] | None = None) -> bytes:
        stream = io.BytesIO()
        table = pa.table(columns)
        pq.write_table(table.replace_schema_metadata(metadata) if metadata else table, stream)
        return stream.getvalue()

    whole = written({"image": images, "label": labels})
    for i in range(12):
        yield as_file(
            "Parquet with changed bytes", str(i), flipped(whole, random_of(f"parquet {i}"), 1 + 2 * i), "x.parquet"
        )
    for i, share in enumerate((0.1, 0.5, 0.99)):
        yield as_file("Parquet with changed bytes", f"cut {i}", whole[: int(len(whole) * share)], "x.parquet")
    features = {"huggingface": json.dumps({"info": {"features": {"label": {"names": ["a", "b"]}}}})}
    for name, content in {
        "no bytes": lambda: written({"image": [{"bytes": None, "path": "/etc/passwd"}] * 4, "label": [0, 1, 0, 1]}),
        "some bytes": lambda: written({"image": [*images, {"bytes": b"x", "path": "../x"}], "label": [*labels, 0]}),
        "labels beyond the classes": lambda: written({"image": images, "label": [9, -7, 0, 1, 0, 1]}, features),
        "labels of another kind": lambda: written({"image": images, "label": [{"x": 1}] * 6}, features),
        "labels that are no numbers": lambda: written({"image": images, "label": [float("nan"), 1.5, None, 2, 2, 1.5]}),
        "metadata that lies": lambda: written({"image": images, "label": labels}, {"huggingface": "{"}),
        "metadata of another kind": lambda: written({"image": images, "label": labels}, {"huggingface": '{"info": 7}'}),
        "no rows": lambda: (
            written({"image": images[:0], "label": labels[:0]})
            if False
            else written(
                {
                    "image": pa.array([], pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
                    "label": pa.array([], pa.int64()),
                }
            )
        ),
        "no label": lambda: written({"image": images}),
        "one path for all": lambda: written(
            {"image": [{**image, "path": "same.jpg"} for image in images], "label": labels}
        ),
        "climbing paths": lambda: written(
            {"image": [{**image, "path": f"../../{i}.jpg"} for i, image in enumerate(images)], "label": labels}
        ),
        "text as bytes": lambda: written({"image": [{"bytes": "x", "path": "a"}] * 6, "label": labels}),
        "no columns": lambda: written({"x": [1, 2]}),
        "deep": lambda: written({"image": [[[image]] for image in images], "label": labels}),
    }.items():
        yield as_file("hostile Parquet", name, content, "x.parquet")
