"""Tables of images: CSV, TSV, JSON lines and Parquet, read row by row."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DamagedFileError, InvalidInputError
from engine.intake.encodings import UTF_8, encoding_of_text
from engine.intake.inventory import IMAGE_SUFFIXES, Item, first_line
from engine.intake.sources import Tree
from engine.settings import ImportSettings

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".jsonl", ".parquet")
_SAMPLE_ROWS = 400  # looked at for a guess, from all over a table: one that is sorted begins with one class
_SAMPLED_ROWS, _SAMPLED_CELLS = 100_000, 2_000_000  # the first ones, of which they are taken
_SPARSE, _SPARSE_ROWS = 4, 40  # a column with fewer than a quarter of its cells filled is looked at where it is filled
_KEY_ROWS = 1000  # of JSON lines, whose keys are the columns
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trainval", "train_val", "trn", "dev_train"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "held_out", "held-out", "holdout"), "test"),
}


class Table:
    """A table as rows of text. Nothing in a cell is ever computed: a formula is the text it is.

    encoding: what the user says it is, "" for the likeliest; known: names and stems of images that are there, so that
    a first row that names one is seen to be no header.
    """

    def __init__(
        self,
        tree: Tree,
        name: str,
        settings: ImportSettings,
        encoding: str = "",
        known: frozenset[str] = frozenset(),
    ) -> None:
        self.name, self._tree, self._settings = name, tree, settings
        self.encoding = UTF_8
        self.columns: tuple[str, ...] = ()
        self.has_header = True
        if self._is_parquet:
            with self._parquet() as file:
                check_rows(name, file.metadata.num_rows, settings)
                self.columns = tuple(file.schema_arrow.names)
        else:
            if tree.files[name] > settings.table_bytes:
                raise InvalidInputError(
                    f"{name} has {tree.files[name]:,} bytes, more than the {settings.table_bytes:,} allowed: split it, "
                    "or raise the setting table_bytes."
                )
            self.encoding = encoding_of_text(lambda: tree.open(name), name, encoding)
            self.columns = self._json_keys() if self._is_json else self._header(known)
        self._check_columns()

    @property
    def _is_parquet(self) -> bool:
        return self.name.lower().endswith(".parquet")

    @property
    def _is_json(self) -> bool:
        return self.name.lower().endswith(".jsonl")

    def _header(self, known: frozenset[str]) -> tuple[str, ...]:
        with self._text() as lines:
            first, *more = [cells for _, cells in itertools.islice(self._cells(lines, strict=False), 2)] or [[]]
        if _is_header(first, more[0] if more else [], known):
            return tuple(map(_composed, first))
        self.has_header = False
        return tuple(f"column {number}" for number in range(1, len(first) + 1))

    def _json_keys(self) -> tuple[str, ...]:
        keys: dict[str, None] = {}
        for row in itertools.islice(self._json_rows(), _KEY_ROWS):
            keys.update(dict.fromkeys(row))
        return tuple(keys)

    def _json_rows(self) -> Iterator[dict[str, Any]]:
        """The objects of JSON lines. Raises DamagedFileError naming the line."""
        limit = self._settings.cell_characters
        with self._text() as lines:
            for number, line in enumerate(iter(lambda: lines.readline(limit + 2), ""), 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    raise DamagedFileError(
                        f"{self.name} line {number} is no JSON ({first_line(error)}): mend or remove that line."
                    ) from error
                if not isinstance(row, dict):
                    raise DamagedFileError(f"{self.name} line {number} is no JSON object: write one a line.")
                yield row

    def _check_columns(self) -> None:
        if len(self.columns) < 1 or not any(self.columns):
            raise InvalidInputError(f"{self.name} has no header row: write the columns' names in its first line.")
        doubled = {c for c in self.columns if c and self.columns.count(c) > 1}
        if doubled:
            raise InvalidInputError(f"{self.name} has two columns named {sorted(doubled)[0][:60]!r}: rename one.")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of the named columns, row by row; an empty text where a cell is missing.

        Raises DamagedFileError naming the line, also of a row with more cells than there are columns and of a quotation
        mark that stays open, so that no text is cut off and no row is lost.
        """
        yield from self._rows(columns, strict=True)

    def _rows(self, columns: Sequence[str], *, strict: bool) -> Iterator[tuple[str, ...]]:
        if self._is_parquet:
            yield from self._parquet_rows(columns)
            return
        if self._is_json:
            for row in self._json_rows():
                yield tuple(_json_cell(row.get(column)) for column in columns)
            return
        places = [self.columns.index(column) for column in columns]
        with self._text() as lines:
            for line, cells in itertools.islice(self._cells(lines, strict=strict), int(self.has_header), None):
                if any(cells):
                    if strict and len(cells) > len(self.columns):
                        self._check_width(line, cells)
                    cells += [""] * (len(self.columns) - len(cells))
                    yield tuple([_composed(cells[place]) for place in places])

    def _check_width(self, line: int, cells: Sequence[str]) -> None:
        """Raises DamagedFileError for a row of more cells than columns; empty ones at its end do not count."""
        filled = max((place for place, cell in enumerate(cells, 1) if cell.strip()), default=0)
        if filled > len(self.columns):
            columns = f"{'header' if self.has_header else 'first row'} has {len(self.columns):,}"
            raise DamagedFileError(
                f"{self.name} line {line:,} has {filled:,} cells, while the {columns}: put the text in quotes if it "
                "holds the sign that parts the cells, or mend that line."
            )

    def sample(self, *, strict: bool = True) -> list[dict[str, str]]:
        """Some rows from all over the table, by column, and some with a cell of each column that is mostly empty.

        strict: whether to raise as `rows` does, instead of making something of broken rows.
        """
        most = min(_SAMPLED_ROWS, _SAMPLED_CELLS // len(self.columns))
        rows = list(itertools.islice(self._rows(self.columns, strict=strict), max(_SAMPLE_ROWS, most)))
        chosen = set(_spread(range(len(rows)), _SAMPLE_ROWS))
        for place in range(min(len(self.columns), _SAMPLE_ROWS)):
            filled = [number for number, row in enumerate(rows) if row[place]]
            if _SPARSE * len(filled) < len(rows):
                chosen.update(_spread(filled, _SPARSE_ROWS))
        return [dict(zip(self.columns, rows[number], strict=True)) for number in sorted(chosen)]

    @contextmanager
    def _text(self) -> Iterator[IO[str]]:
        with self._tree.open(self.name) as raw, io.BufferedReader(raw, 1 << 16) as buffered:  # type: ignore[type-var]  # an archive's entry lacks a method that is not called
            yield io.TextIOWrapper(buffered, encoding=self.encoding.name, newline="")

    def _cells(self, lines: IO[str], *, strict: bool) -> Iterator[tuple[int, list[str]]]:
        """The line on which each row begins, and its cells."""
        first = lines.readline(self._settings.cell_characters)
        delimiter = _delimiter(first, self.name)
        csv.field_size_limit(self._settings.cell_characters)
        raw = _Lines(itertools.chain([first], _bounded(lines, self._settings.cell_characters)))
        reader = csv.reader(raw, delimiter=delimiter, strict=strict)
        while True:
            begins = reader.line_num + 1
            try:
                yield begins, next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if _STRAY in str(error) and begins == reader.line_num:  # within a line nothing is swallowed by it
                    cells = _loosely(raw.last, delimiter)
                    if cells is not None:
                        yield begins, cells
                        continue
                reason = _broken(error, begins, reader.line_num)
                raise DamagedFileError(
                    f"{self.name} line {begins:,} cannot be read as a table ({reason}): mend or remove that line."
                ) from error

    @contextmanager
    def _parquet(self) -> Iterator[pq.ParquetFile]:
        try:
            with self._tree.open(self.name) as raw:
                yield pq.ParquetFile(raw)
        except (pa.ArrowException, OSError, ValueError, KeyError) as error:
            raise DamagedFileError(f"{self.name} is no readable Parquet file ({first_line(error)}).") from error

    def _parquet_rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        with self._parquet() as file:
            for batch in file.iter_batches(4096, columns=list(columns)):
                values = [batch.column(batch.schema.names.index(column)).to_pylist() for column in columns]
                for row in zip(*values, strict=True):
                    yield tuple("" if value is None or value != value else _composed(str(value)) for value in row)


def check_rows(name: str, rows: int, settings: ImportSettings) -> None:
    """Raises InvalidInputError for a Parquet file of more rows than images: few bytes may hold billions."""
    if rows > settings.images:
        raise InvalidInputError(
            f"{name} has {rows:,} rows, more than the {settings.images:,} images allowed: split it, or raise the "
            "setting images."
        )


_STRAY = "expected after"  # what `csv` says of text behind a closing quotation mark, as in "cat" ,3


def _loosely(line: str, delimiter: str) -> list[str] | None:
    """The cells of one line with text behind a closing quotation mark; None where they do not end with the line, or a
    cell is too long.
    """
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error:
        return None
    return None if cells[-1].endswith(("\n", "\r")) else cells


def _broken(error: csv.Error, begins: int, ends: int) -> str:
    """What is wrong with a row, which goes on over lines where a quotation mark is open."""
    if "unexpected end of data" in str(error):
        return "a quotation mark in it is not closed"
    return str(error) if ends <= begins else f"a quotation mark in it is open until line {ends:,}, where {error}"


def _spread(numbers: Sequence[int], count: int) -> Sequence[int]:
    """At most `count` of some numbers, at random: tables repeat themselves, so that every tenth row may be alike."""
    return random.Random(0).sample(numbers, count) if len(numbers) > count else numbers


class _Lines:
    """Lines, with the last one that was taken."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines, self.last = lines, ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        return self.last


def _bounded(lines: IO[str], limit: int) -> Iterator[str]:
    """Lines, none longer than `limit` in memory: a longer one comes in pieces, and the reader refuses its cell."""
    while line := lines.readline(limit + 2):
        yield line


def _delimiter(header: str, name: str) -> str:
    if name.lower().endswith(".tsv"):
        return "\t"
    return max(",;\t|", key=lambda d: (header.count(d), -",;\t|".index(d)))


def _is_header(first: Sequence[str], second: Sequence[str], known: frozenset[str]) -> bool:
    """Whether a table's first row names its columns: it does not if it names an image."""

    def names_one(cell: str) -> bool:
        return cell.replace("\\", "/").rsplit("/", 1)[-1].strip() in known

    for cell, below in itertools.zip_longest(first, second, fillvalue=""):
        plain = cell.strip().lower()
        if plain.endswith(IMAGE_SUFFIXES) and len(plain) > 4:
            return False
        if names_one(cell) and names_one(below) and plain not in _HEADER_WORDS:
            return False
    return True


_HEADER_WORDS = frozenset({"image", "images", "img", "file", "filename", "file_name", "name", "id", "path", "label"})


def _json_cell(value: Any) -> str:
    """A value of JSON lines as a cell: lists and objects as they were written."""
    if value is None or value != value:
        return ""
    return _composed(json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value))


def _composed(cell: str) -> str:
    """A cell without space around it, in the form that trees have their names in: letters and their marks together."""
    cell = cell.strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def settle_validation(items: list[Item]) -> tuple[list[Item], list[str]]:
    """Items whose split is "train", "test" or None. Validation images train where there are labeled test images, and
    test where there are none: a public test set often hides its labels.
    """
    validation = sum(item.split == "val" for item in items)
    hidden = sum(item.split == "test" and item.label is None for item in items)
    tested = any(item.split == "test" and item.label is not None for item in items)
    notes = []
    if validation:
        reason = "belong to the training images" if tested else "are the test images, as no others have labels"
        if not tested and not hidden:
            reason = "are the test images, as there are no others"
        notes.append(f"The {validation:,} validation images {reason}.")
    if hidden and any(item.label is not None for item in items):
        notes.append(f"Of the source's test images {hidden:,} have no label: they take no part.")
    becomes = "train" if tested else "test"
    settled = [Item(i.name, i.label, becomes, i.group, i.place) if i.split == "val" else i for i in items]
    return settled, notes


def check_count(count: int, settings: ImportSettings) -> None:
    """Raises InvalidInputError for more images than the settings allow."""
    if count > settings.images:
        raise InvalidInputError(
            f"There are more than {settings.images:,} images: import a part, or raise the setting images."
        )
