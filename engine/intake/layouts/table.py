"""Images as a table names them, with their labels, groups and split; or several tables that belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache

from engine.errors import InvalidInputError, UnknownNameError
from engine.intake.encodings import TABLE_ENCODING, Encoding
from engine.intake.inventory import Columns, Found, Inventory, Item, image_names, tree_inventory
from engine.intake.layouts.folder_arranging import Arranged, Arranging
from engine.intake.layouts.plain import folder_questions
from engine.intake.layouts.table_cells import (
    BOOLEANS,
    group_or_none,
    is_bare_flag,
    is_positive,
    is_split_column,
    note_on_empty_groups,
    split_words,
    tells_by_numbers,
)
from engine.intake.layouts.table_columns import FOLDERS, NO_COLUMN, ColumnGuess, guess_columns, one_hot_columns
from engine.intake.layouts.table_labels import Labels, cell_labels, one_hot_labels
from engine.intake.layouts.table_lookup import Lookup, Named, Resolved, folder_of, split_of_table
from engine.intake.sources import Skipped, Tree
from engine.intake.tables import Table, check_count, settle_validation
from engine.tasks.facts import LISTED
from engine.tasks.names import clean_text
from engine.tasks.questions import Interpretation, Question, answered

LABEL_COLUMN = "label-column"  # key of the question which column holds the labels


@dataclass(frozen=True)
class Part:
    """One table, and the split that its name says; "" where it says none."""

    name: str
    split: str = ""


def table_inventory(
    found: Found,
    parts: Sequence[Part],
    images: Tree | None = None,
    splits: Part | None = None,
    lookup: Lookup | None = None,
) -> Inventory:
    """Images as one table names them, or several that belong together. `images`: where they lie, if not beside it;
    `splits`: another table that says the split where these do not; `lookup`: of the images, if it is made already.

    Raises InvalidInputError if no column names images, or none of them is there; UnknownNameError for a column that is
    not there; DamagedFileError for a broken table.
    """
    where = images or found.tree
    return _Tables(found, parts, where, images is None, splits, lookup or Lookup(image_names(where))).inventory()


@dataclass(frozen=True, slots=True)
class _Row:
    """What one row says of an image."""

    file: str
    table_split: str  # that its table's name says
    cells: tuple[str, ...]  # of the columns that are read, in their order


@dataclass
class _Notes:
    """What is said of the import, and asked."""

    notes: list[str] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)


class _Tables:
    """Tables on their way to an inventory."""

    def __init__(
        self, found: Found, parts: Sequence[Part], where: Tree, beside: bool, splits: Part | None, lookup: Lookup
    ) -> None:
        self.found, self.parts, self.where, self.beside = found, parts, where, beside
        self.splits_in, self.lookup, self.names = splits, lookup, lookup.names
        encoding = found.answers.get(TABLE_ENCODING, "")
        self.tables = {
            part.name: Table(found.tree, part.name, found.settings, encoding, self.lookup.known) for part in parts
        }
        self.title = " and ".join(part.name for part in parts[:3]) + (
            f" and {len(parts) - 3} more" if parts[3:] else ""
        )
        self.columns = tuple(dict.fromkeys(c for table in self.tables.values() for c in table.columns))
        self.said = _Notes()
        self.read: dict[str, int] = {}  # columns that are read, and the place of each among a row's cells

    def inventory(self) -> Inventory:
        """All steps: which column is what, which rows mean which files, and what they say of them."""
        self._check_asked()
        guess = self._guess()
        label = self._label_source(guess)
        self.read = self._wanted(guess, label)
        rows, skipped, lost = self._rows(guess)
        if not rows:
            detail = f"{skipped[0].name[:80]!r} {skipped[0].reason}" if skipped else "it has no rows"
            raise InvalidInputError(
                f"{self.title}: none of the images it names is there ({detail}): bring the images and the table "
                "together, or choose another column."
            )
        by_file = _by_file(rows)
        self._say(by_file, rows)
        labels = self._labels(by_file, label)
        self._ask_label(guess, label, by_file)
        self.said.notes += labels.notes
        self.said.questions += labels.questions
        items = self._items(by_file, labels.of, guess, label)
        items, more = settle_validation(items)
        used = "" if label == FOLDERS else label
        return tree_inventory(
            Found(self.where, self.found.settings, self.found.columns),
            "table",
            f"a table ({self.title}) and images",
            items,
            notes=(*self.said.notes, *more),
            questions=tuple(self.said.questions),
            skipped=tuple(skipped),
            skipped_more=lost - len(skipped),
            columns=Columns(guess.path, used, guess.group, guess.split),
            texts=self._texts(),
            all_columns=(*self.columns, *([used] if used and used not in self.columns else [])),
        )

    def _texts(self) -> tuple[tuple[str, str, Encoding], ...]:
        """The encoding of the tables: of the first one that is not in UTF-8, since one choice is for all of them."""
        found = [(TABLE_ENCODING, name, table.encoding) for name, table in self.tables.items()]
        return tuple([one for one in found if one[2].words][:1] or found[:1])

    def _check_asked(self) -> None:
        asked = self.found.columns
        for column in (asked.path, asked.label, asked.group, asked.split):
            if column and column not in self.columns and not one_hot_columns(column, self.columns):
                raise UnknownNameError(f"column in {self.title}", column, self.columns)

    def _guess(self) -> ColumnGuess:
        sample = [
            {column: row.get(column, "") for column in self.columns} | {_TABLE: name}
            for name, table in self.tables.items()
            for row in table.sample()
        ]
        columns = list(self.columns)
        guess = guess_columns(columns, sample, self.lookup.known, self.found.columns, [""] * len(sample))
        if not guess.path:
            raise InvalidInputError(
                f"{self.title}: no column looks like names of images; its columns are "
                f"{', '.join(map(repr, self.columns[:12]))}. Name the one that holds them."
            )
        if self.folders is None:
            return guess
        named = [self._named(row[_TABLE], row[guess.path]) for row in sample]
        files = self.lookup.resolve(named).files
        of_file = {item.name: item.label or "" for item in self.folders.items}
        said = [of_file.get(files.get(one, ""), "") for one in named]
        return guess_columns(columns, sample, self.lookup.known, self.found.columns, said)

    @cached_property
    def folders(self) -> Arranged | None:
        """What the images' folders say; None where nothing lies in folders, or not beside the table."""
        if (
            not self.names
            or not any("/" in name for name in self.names)
            or len(self.names) > self.found.settings.images
        ):
            return None
        return self._arranging.arrange(self.found.answers)

    @cached_property
    def _arranging(self) -> Arranging:
        return Arranging(replace(self.found, tree=self.where, columns=Columns()), self.names)

    def _label_source(self, guess: ColumnGuess) -> str:
        asked = self.found.columns.label
        if asked is not None:
            return asked
        keys = [candidate.column for candidate in guess.labels]
        answer = self.found.answers.get(LABEL_COLUMN)
        return answer if answer in keys else keys[0]

    def _wanted(self, guess: ColumnGuess, label: str) -> dict[str, int]:
        """Columns to be read, each with its place: those in use, and those that may be asked about."""
        wanted = [guess.path, guess.group, guess.split]
        for candidate in (label, *(c.column for c in guess.close)):
            wanted += one_hot_columns(candidate, self.columns) or [candidate]
        known = [c for c in dict.fromkeys(wanted) if c and c in self.columns]
        return {column: place for place, column in enumerate(known)}

    def _rows(self, guess: ColumnGuess) -> tuple[list[_Row], list[Skipped], int]:
        """Rows whose image is there, some of the others with the reason, and how many others there are."""
        read: dict[tuple[Named, str, tuple[str, ...]], int] = {}  # rows, with how often each is there
        texts: dict[str, str] = {}  # one copy of each cell in memory
        for part in self.parts:
            table = self.tables[part.name]
            here = [c for c in self.read if c in table.columns]
            if guess.path not in here:
                continue
            places = [here.index(c) if c in here else -1 for c in self.read]
            path = self.read[guess.path]
            for row in table.rows(here):
                known = (*row, "")  # last, where a column that this table lacks has its place
                cells = tuple([texts.setdefault(known[p], known[p]) for p in places])
                key = (self._named(part.name, cells[path]), part.split, cells)
                read[key] = read.get(key, 0) + 1
                if len(read) > _ROWS_AN_IMAGE * self.found.settings.images:
                    raise InvalidInputError(
                        f"{self.title} has too many rows: import a part, or raise the setting images."
                    )
        resolved: Resolved = self.lookup.resolve(named for named, _, _ in read)
        self.said.notes += resolved.notes
        rows: list[_Row] = []
        skipped: list[Skipped] = []
        lost = 0
        for (named, split, cells), count in read.items():
            if (file := resolved.files.get(named)) is not None:
                rows += [_Row(file, split, cells)] * count
                continue
            lost += count
            if len(skipped) < LISTED:  # a table may name millions of them
                skipped.append(Skipped(_clean(named.cell) or "(an empty cell)", resolved.reasons[named]))
        check_count(len({row.file for row in rows}), self.found.settings)
        return rows, skipped, lost

    def _named(self, table: str, cell: str) -> Named:
        """A cell that names an image, which lies below the table's folder where its images lie beside it."""
        return Named(folder_of(table) if self.beside else "", cell, split_of_table(table))

    def _cell(self, row: _Row, column: str) -> str:
        place = self.read.get(column)
        return "" if place is None else row.cells[place]

    def _is_in(self, column: str, rows: Sequence[_Row]) -> bool:
        """Whether an image is of the class of a one-hot column."""
        return any(is_positive(self._cell(row, column)) for row in rows)

    def _say(self, by_file: Mapping[str, list[_Row]], rows: Sequence[_Row]) -> None:
        self.said.notes.insert(0, f"{self.title} names {len(by_file):,} of the images.")
        for name, table in self.tables.items():
            if not table.has_header:
                self.said.notes.append(f"{name} has no header: its first row names an image.")
        if len(rows) > len(by_file):
            self.said.notes.append(f"{len(rows) - len(by_file):,} rows name an image again.")

    def _labels(self, by_file: Mapping[str, list[_Row]], label: str) -> Labels:
        """The labels that a source of them says."""
        if label == NO_COLUMN:
            return Labels({})
        if label == FOLDERS:
            return Labels({item.name: item.label for item in self.folders.items} if self.folders else {})
        if one_hot := one_hot_columns(label, self.columns):
            positive = {file: [c for c in one_hot if self._is_in(c, rows)] for file, rows in by_file.items()}
            return one_hot_labels(one_hot, positive)
        cells = {
            file: list(dict.fromkeys(text for row in rows if (text := _clean(self._cell(row, label)))))
            for file, rows in by_file.items()
        }
        return cell_labels(label, cells, self.found.answers)

    def _ask_label(self, guess: ColumnGuess, label: str, by_file: Mapping[str, list[_Row]]) -> None:
        """Which column holds the labels, where more than one may."""
        asked = self.found.columns.label
        if asked == "":
            return
        keys = list(dict.fromkeys([label, *(c.column for c in guess.close)]))
        if len(keys) < 2:
            return
        ways = [
            Interpretation(
                key=key or NONE,
                title=column_title(key, self.columns),
                labeled_images=self._labels(by_file, key).count,
                changes=_changes(key),
            )
            for key in keys
        ]
        decided = asked is not None or self.found.answers.get(LABEL_COLUMN) == label
        text = f"It is not certain which column of {self.title} holds the labels."
        self.said.questions.append(Question(LABEL_COLUMN, text, tuple(ways), ways[0].key, decided))

    def _items(
        self, by_file: Mapping[str, list[_Row]], labels: Mapping[str, str | None], guess: ColumnGuess, label: str
    ) -> list[Item]:
        splits = self._splits(by_file, guess, labels)
        said = {file: _clean(self._cell(rows[0], guess.group)) for file, rows in by_file.items()}
        groups = {file: group_or_none(group) for file, group in said.items()}
        self._say_groups(groups, guess)
        self.said.notes += note_on_empty_groups(guess.group, said.values())
        if label == FOLDERS and self.folders is not None:
            self.said.notes += [note for note in self.folders.notes if note not in self.said.notes]
            self.said.questions += folder_questions(self.found, self._arranging, self.folders)
            return [
                Item(i.name, i.label, splits.get(i.name, i.split), groups.get(i.name) or i.group)
                for i in self.folders.items
            ]
        unnamed = len(self.names) - len(by_file)
        if unnamed > 0:
            self.said.notes.append(f"{unnamed:,} images are not in the table and are left out.")
        texts: dict[str, str] = {}
        return [
            Item(file, labels.get(file), splits.get(file), texts.setdefault(groups[file], groups[file]) or None)
            for file in by_file
        ]

    def _say_groups(self, groups: Mapping[str, str], guess: ColumnGuess) -> None:
        count = len({group for group in groups.values() if group})
        if guess.group:
            self.said.notes.append(
                f"The column {guess.group!r} names {count:,} groups: one is never both trained on and tested on."
            )
        if guess.other_groups:
            others = ", ".join(repr(column) for column in guess.other_groups[:3])
            self.said.notes.append(f"Groups may also be in: {others}.")

    def _splits(
        self, by_file: Mapping[str, list[_Row]], guess: ColumnGuess, labels: Mapping[str, str | None]
    ) -> dict[str, str | None]:
        """The split of each image: the table's where it says one, else that of the folders."""
        by_table = self._table_splits(by_file, guess) or self._other_splits()
        by_folder = self._folder_splits(by_file)
        if not by_table or not by_folder:
            return by_table or by_folder
        differing = sum(by_folder.get(file, split) != split for file, split in by_table.items() if split)
        either = {file: split or by_folder.get(file) for file, split in by_table.items()}
        if not differing:
            return either
        labeled = sum(label is not None for label in labels.values())
        titles = {"table": ("The table's split counts", labeled), "folders": ("The folders' split counts", labeled)}
        text = f"{differing:,} images lie in a folder of another split than {self.title} says."
        question = answered(self.found.answers, _SPLIT, text, titles, "table")
        self.said.questions.append(question)
        return either if question.chosen == "table" else {f: by_folder.get(f, s) for f, s in either.items()}

    def _other_splits(self) -> dict[str, str | None]:
        """What another table says of the split."""
        if self.splits_in is None:
            return {}
        asked = replace(self.found, columns=Columns(label=""))
        other = _Tables(asked, [self.splits_in], self.where, self.beside, None, self.lookup)
        guess = other._guess()
        other.read = other._wanted(guess, NO_COLUMN)
        by_file = _by_file(other._rows(guess)[0])
        said = other._table_splits(by_file, guess)
        self.said.notes += [f"{self.splits_in.name}: {note}" for note in other.said.notes]
        self.said.questions += other.said.questions
        return said

    def _table_splits(self, by_file: Mapping[str, list[_Row]], guess: ColumnGuess) -> dict[str, str | None]:
        if guess.split:
            cells = {file: self._cell(rows[0], guess.split) for file, rows in by_file.items()}
            values = {cell for cell in cells.values() if cell}
            said = split_words(guess.split, values)
            strange = sorted(_clean(value)[:40] for value in values if value not in said)
            if strange:
                self.said.notes.append(f"Not a name of a split, so left open: {', '.join(strange[:5])}.")
            self._say_split(guess.split, said, len(by_file))
            return {file: said.get(cell) for file, cell in cells.items()}
        unread = next((c for c in self.columns if is_split_column(c) and c not in (guess.path, guess.group)), "")
        if unread:
            self.said.notes.append(f"The column {unread!r} is called like a split, but names none: it is not used.")
        self.said.notes += guess.notes_on_splits
        named = {file: rows[0].table_split for file, rows in by_file.items()}
        return {file: split or None for file, split in named.items()} if any(named.values()) else {}

    def _say_split(self, column: str, said: Mapping[str, str], count: int) -> None:
        question = split_question(column, said, count, decided=self.found.columns.split is not None)
        if question is None:
            self.said.notes.append(f"The column {column!r} says which images train and which test.")
        else:
            self.said.questions.append(question)

    def _folder_splits(self, by_file: Mapping[str, list[_Row]]) -> dict[str, str | None]:
        """The splits that the images' folders say, where the named images lie on more than one side."""
        if self.folders is None:
            return {}
        there = {item.name: item.split for item in self.folders.items if item.name in by_file and item.split}
        return dict(there) if len(set(there.values())) > 1 else {}


_clean = lru_cache(maxsize=65_536)(clean_text)  # cells repeat themselves
_TABLE = "\0table"  # key of a sampled row's table among its cells
_ROWS_AN_IMAGE = 5  # different rows for each image that is allowed: they are held in memory
_SPLIT = "split-source"  # key of the question whether the table's split counts, or that of the folders
NONE = "(none)"  # key of the interpretation that nothing says the classes


def _by_file(rows: Sequence[_Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.file, []).append(row)
    return found


def split_question(column: str, said: Mapping[str, str], count: int, *, decided: bool) -> Question | None:
    """Whether a column is a split, where its numbers or its name may mean something else. said: the split by value;
    count: labeled images, whatever it is.
    """
    if tells_by_numbers(column, said):
        text = f"The column {column!r} has numbers, which may say which images train."
    elif is_bare_flag(column) and all(value.casefold() in BOOLEANS for value in said):
        text = f"The column {column!r} says yes or no, which may say which images train, or something else."
    else:
        return None
    meaning = ", ".join(f"{value} is {split}" for value, split in sorted(said.items()))
    ways = (
        Interpretation(column, f"It is a split: {meaning}", count, {"columns": {"split": column}}),
        Interpretation("none", "It is none", count, {"columns": {"split": ""}}),
    )
    return Question("split-column", text, ways, column, decided)


def _changes(label: str) -> dict[str, dict[str, str | None]]:
    """What chooses a source of labels; an earlier choice of a column is taken back."""
    if label == FOLDERS:
        return {"columns": {"label": None}, "answers": {LABEL_COLUMN: FOLDERS}}
    return {"columns": {"label": label}}


def column_title(label: str, columns: Sequence[str]) -> str:
    """A source of labels as a question calls it."""
    if label in (FOLDERS, NO_COLUMN):
        return "The folders are the classes" if label else "Nothing says the classes"
    one_hot = one_hot_columns(label, columns)
    if one_hot:
        shown = ", ".join(one_hot[:3]) + (" ..." if len(one_hot) > 3 else "")
        return f"Each of {len(one_hot)} columns is a class ({shown})"
    return f"The column {label!r} holds the labels"
