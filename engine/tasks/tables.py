"""Tables of images: CSV, TSV and Parquet, read row by row, with a guess at which column is what."""

from __future__ import annotations

import csv
import io
import itertools
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import DamagedFileError, InvalidInputError, UnknownNameError
from engine.tasks.encodings import TABLE_ENCODING, UTF_8, encoding_of_text
from engine.tasks.facts import LISTED
from engine.tasks.inventory import (
    IMAGE_SUFFIXES,
    Columns,
    Found,
    Inventory,
    Item,
    first_line,
    image_names,
    tree_inventory,
)
from engine.tasks.names import clean_text
from engine.tasks.questions import Interpretation, Question
from engine.tasks.settings import ImportSettings
from engine.tasks.sources import Skipped, Tree

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet")
SAMPLE_ROWS = 200  # looked at for a guess
_LABEL_NAMES = re.compile(
    r"^(label|labels|class|classname|class_name|category|target|species|diagnosis|dx|y|tag|genus)$"
)
_GROUP_NAMES = re.compile(
    r"(^|[^a-z])(patient|subject|group|site|video|lesion|case|animal|person|slide|scene)s?([^a-z]|$)"
)
_SPLIT_NAMES = re.compile(r"^(split|set|subset|partition|fold|train_?test|usage)$")
SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trainval", "train_val", "trn", "dev_train"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation", "held_out", "held-out", "holdout"), "test"),
}


class Table:
    """A table as rows of text. Nothing in a cell is ever computed: a formula is the text it is."""

    def __init__(self, tree: Tree, name: str, settings: ImportSettings, encoding: str = "") -> None:
        self.name, self._tree, self._settings = name, tree, settings
        self.encoding = UTF_8
        self.columns: tuple[str, ...] = ()
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
            with self._text() as lines:
                self.columns = tuple(cell.strip() for cell in next(self._cells(lines), []))
        self._check_columns()

    @property
    def _is_parquet(self) -> bool:
        return self.name.lower().endswith(".parquet")

    def _check_columns(self) -> None:
        if len(self.columns) < 1 or not any(self.columns):
            raise InvalidInputError(f"{self.name} has no header row: write the columns' names in its first line.")
        doubled = {c for c in self.columns if c and self.columns.count(c) > 1}
        if doubled:
            raise InvalidInputError(f"{self.name} has two columns named {sorted(doubled)[0][:60]!r}: rename one.")

    def rows(self, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The cells of the named columns, row by row; an empty text where a cell is missing.

        Raises DamagedFileError or InvalidInputError naming the row.
        """
        if self._is_parquet:
            yield from self._parquet_rows(columns)
            return
        places = [self.columns.index(column) for column in columns]
        with self._text() as lines:
            for cells in itertools.islice(self._cells(lines), 1, None):
                if any(cells):
                    yield tuple(cells[place].strip() if place < len(cells) else "" for place in places)

    def sample(self) -> list[dict[str, str]]:
        """The first rows, by column."""
        rows = itertools.islice(self.rows(self.columns), SAMPLE_ROWS)
        return [dict(zip(self.columns, row, strict=True)) for row in rows]

    @contextmanager
    def _text(self) -> Iterator[IO[str]]:
        with self._tree.open(self.name) as raw, io.BufferedReader(raw, 1 << 16) as buffered:  # type: ignore[type-var]  # an archive's entry lacks a method that is not called
            yield io.TextIOWrapper(buffered, encoding=self.encoding.name, newline="")

    def _cells(self, lines: IO[str]) -> Iterator[list[str]]:
        first = lines.readline(self._settings.cell_characters)
        delimiter = _delimiter(first, self.name)
        csv.field_size_limit(self._settings.cell_characters)
        reader = csv.reader(
            itertools.chain([first], _bounded(lines, self._settings.cell_characters)), delimiter=delimiter
        )
        while True:
            try:
                yield next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DamagedFileError(
                    f"{self.name} line {reader.line_num} cannot be read as a table ({error}): mend or remove that line."
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
                    yield tuple("" if value is None or value != value else str(value).strip() for value in row)


def check_rows(name: str, rows: int, settings: ImportSettings) -> None:
    """Raises InvalidInputError for a Parquet file of more rows than images: few bytes may hold billions."""
    if rows > settings.images:
        raise InvalidInputError(
            f"{name} has {rows:,} rows, more than the {settings.images:,} images allowed: split it, or raise the "
            "setting images."
        )


def _bounded(lines: IO[str], limit: int) -> Iterator[str]:
    """Lines, none longer than `limit` in memory: a longer one comes in pieces, and the reader refuses its cell."""
    while line := lines.readline(limit + 2):
        yield line


def _delimiter(header: str, name: str) -> str:
    if name.lower().endswith(".tsv"):
        return "\t"
    return max(",;\t|", key=lambda d: (header.count(d), -",;\t|".index(d)))


def guess_columns(table: Table, sample: Sequence[dict[str, str]], known: frozenset[str]) -> Columns:
    """Which columns hold path, label, group and split, by their names and first values; "" where none does.

    known: names and stems of the images that lie beside the table.
    """
    filled = {c: [row[c] for row in sample if row[c]] for c in table.columns}

    def share(column: str, test: Any) -> float:
        return float(sum(map(test, filled[column])) / max(1, len(sample)))

    path = max(table.columns, key=lambda c: (share(c, lambda v: _looks_like_image(v, known)), -table.columns.index(c)))
    if share(path, lambda v: _looks_like_image(v, known)) < 0.5:
        path = ""
    rest = [c for c in table.columns if c != path and c]
    split = next((c for c in rest if _SPLIT_NAMES.match(c.lower()) and share(c, _is_split_word) > 0.5), "")
    rest = [c for c in rest if c != split]
    group = next((c for c in rest if _GROUP_NAMES.search(c.lower()) and len(set(filled[c])) > 1), "")
    rest = [c for c in rest if c != group]
    label = next(iter(_label_candidates(rest, filled)), "")
    return Columns(path=path, label=label, group=group, split=split)


def _label_candidates(rest: Sequence[str], filled: Mapping[str, Sequence[str]]) -> list[str]:
    """Columns that may hold labels, the likeliest first: by name, else by few values."""
    named = [c for c in rest if _LABEL_NAMES.match(c.lower().replace(" ", "_"))]
    if named:
        return named
    few = {c: len(set(filled[c])) for c in rest if len(set(filled[c])) >= 2}
    few = {c: n for c, n in few.items() if n <= max(2, len(filled[c]) // 2)}
    return sorted(few, key=lambda c: (few[c] > 100, not _is_wordy(filled[c]), rest.index(c)))


def _label_question(table: Table, asked: Columns, used: Columns) -> tuple[Question, ...]:
    """Which column holds the labels, where more than one may."""
    sample = table.sample()
    filled = {c: [row[c] for row in sample if row[c]] for c in table.columns}
    taken = (used.path, used.group, used.split)
    candidates = _label_candidates([c for c in table.columns if c and c not in taken], filled)[:LIKELIEST]
    if asked.label == "" or not used.label or len({*candidates, used.label}) < 2:
        return ()
    candidates = [used.label, *(c for c in candidates if c != used.label)]
    counts = dict.fromkeys(candidates, 0)
    for row in table.rows(candidates):
        for column, cell in zip(candidates, row, strict=True):
            counts[column] += bool(cell)
    ways = [
        Interpretation(c, f"The column {c!r} holds the labels", counts[c], {"columns": {"label": c}}) for c in counts
    ]
    text = f"Several columns of {table.name} may hold the labels."
    return (Question("label-column", text, tuple(ways), used.label, asked.label is not None),)


LIKELIEST = 4  # interpretations that are offered


def names_images(table: Table, known: frozenset[str]) -> bool:
    """Whether most of a table's first rows name images that are there (`known`, as for `guess_columns`)."""
    sample = table.sample()
    path = guess_columns(table, sample, known).path
    there = sum(_last(row[path]) in known or _stem(row[path]) in known for row in sample) if path else 0
    return there > 0 and there >= len(sample) / 2


def _is_wordy(values: Sequence[str]) -> bool:
    """Whether values are words: a measure has numbers."""
    return not all(re.fullmatch(r"[-+0-9.eE]+", value) for value in values)


def _looks_like_image(value: str, known: frozenset[str]) -> bool:
    return value.lower().endswith(IMAGE_SUFFIXES) or _last(value) in known


def _is_split_word(value: str) -> bool:
    return value.strip().lower() in SPLIT_WORDS


def _last(path: str) -> str:
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def _stem(name: str) -> str:
    last = _last(name)
    return last.rsplit(".", 1)[0] if last.lower().endswith(IMAGE_SUFFIXES) else last


def chosen_columns(table: Table, asked: Columns, known: frozenset[str]) -> Columns:
    """What was asked for, and a guess for the rest. Raises UnknownNameError, or InvalidInputError without a path."""
    sample = table.sample()
    guess = guess_columns(table, sample, known)
    for column in (asked.path, asked.label, asked.group, asked.split):
        if column and column not in table.columns:
            raise UnknownNameError(f"column in {table.name}", column, table.columns)
    used = {c for c in (asked.path, asked.label, asked.group, asked.split) if c}

    def pick(wish: str | None, guessed: str | None) -> str:
        return wish if wish is not None else ("" if guessed in used else guessed or "")

    columns = Columns(
        path=pick(asked.path, guess.path),
        label=pick(asked.label, guess.label),
        group=pick(asked.group, guess.group),
        split=pick(asked.split, guess.split),
    )
    if not columns.path:
        raise InvalidInputError(
            f"{table.name}: no column looks like names of images; its columns are "
            f"{', '.join(map(repr, table.columns[:12]))}. Name the one that holds them."
        )
    return columns


class Lookup:
    """Finds the file that a cell means, among the files that are there: by name, by its end, or by its stem.

    A cell is never opened as a path; one that means no file, or several, finds nothing.
    """

    def __init__(self, names: Sequence[str], base: str) -> None:
        self._names = frozenset(names)
        self._base = base
        self._by_last: dict[str, list[str]] = {}
        for name in names:
            self._by_last.setdefault(_last(name), []).append(name)
            if (stem := _stem(name)) != _last(name):
                self._by_last.setdefault(stem, []).append(name)

    @property
    def known(self) -> frozenset[str]:
        """Last parts and stems of all names."""
        return frozenset(self._by_last)

    def find(self, cell: str) -> str | None:
        """The file's name, or None."""
        cell = unicodedata.normalize("NFC", cell)  # as trees have their names
        wanted = "/".join(part for part in cell.replace("\\", "/").split("/") if part not in ("", "."))
        for name in (self._base + wanted, wanted):
            if name in self._names:
                return name
        if ".." in wanted.split("/"):
            return None
        candidates = self._by_last.get(_last(wanted), [])
        if len(candidates) > 1:  # the longest common ending decides
            parts = wanted.split("/")
            for count in range(len(parts), 1, -1):
                ending = "/".join(parts[-count:])
                fitting = [c for c in candidates if c == ending or c.endswith("/" + ending)]
                if len(fitting) == 1:
                    return fitting[0]
        return candidates[0] if len(candidates) == 1 else None


def table_inventory(found: Found, name: str, images: Tree | None = None) -> Inventory:
    """Images as a table names them. `images`: where they lie, if not beside the table.

    Raises InvalidInputError if no column names images, or none of them is there; DamagedFileError for a broken table.
    """
    table = Table(found.tree, name, found.settings, found.answers.get(TABLE_ENCODING, ""))
    where = images or found.tree
    base = name.rsplit("/", 1)[0] + "/" if "/" in name and images is None else ""
    lookup = Lookup(image_names(where), base)
    columns = chosen_columns(table, found.columns, lookup.known)
    used = [c for c in (columns.path, columns.label, columns.group, columns.split) if c]
    items: dict[str, Item] = {}
    missing: list[Skipped] = []
    strange: set[str] = set()
    repeated = conflicting = lost = 0
    texts: dict[str, str] = {}  # one copy of each label in memory
    for row in table.rows(list(dict.fromkeys(used))):
        cells = dict(zip(dict.fromkeys(used), row, strict=True))
        cell = cells[columns.path or ""]
        file = lookup.find(cell)
        if file is None:
            lost += 1
            if len(missing) < LISTED:  # a table may name millions of them
                missing.append(
                    Skipped(clean_text(cell) or "(an empty cell)", "is named in the table, but is not there")
                )
            continue
        label = clean_text(cells[columns.label]) if columns.label else ""
        label = texts.setdefault(label, label)
        word = cells[columns.split].lower() if columns.split else ""
        split = SPLIT_WORDS.get(word)
        if word and split is None:
            strange.add(clean_text(word)[:40])
        group = clean_text(cells[columns.group]) if columns.group else ""
        item = Item(file, label or None, split, texts.setdefault(group, group) or None)
        if file in items:
            repeated += 1
            conflicting += items[file].label != item.label
            continue
        items[file] = item
        _check_count(len(items), found.settings)
    if not items:
        detail = f"such as {missing[0].name[:80]!r}" if missing else "since it has no rows"
        raise InvalidInputError(
            f"{name}: none of the images it names is there ({detail}): bring the images and the table together, or "
            "choose another column."
        )
    notes = [f"The table {name} names {len(items):,} images that are there."]
    if repeated:
        notes.append(
            f"{repeated:,} rows name an image again, {conflicting:,} of them with another label: the first row counts."
        )
    if strange:
        notes.append(f"Not a name of a split, so left open: {', '.join(sorted(strange)[:5])}.")
    unnamed = len(lookup._names) - len(items)
    if unnamed > 0:
        notes.append(f"{unnamed:,} images are not in the table and are left out.")
    settled, more = settle_validation(list(items.values()))
    return tree_inventory(
        Found(where, found.settings, found.columns),
        "table",
        f"a table ({name}) and images",
        settled,
        notes=tuple(notes + more),
        skipped=tuple(missing),
        skipped_more=lost - len(missing),
        columns=columns,
        all_columns=table.columns,
        questions=_label_question(table, found.columns, columns),
        texts=((TABLE_ENCODING, name, table.encoding),),
    )


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


def _check_count(count: int, settings: ImportSettings) -> None:
    if count > settings.images:
        raise InvalidInputError(
            f"There are more than {settings.images:,} images: import a part, or raise the setting images."
        )
