"""Which of a source's tables name its images and their classes: one, or several that belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.errors import DamagedFileError
from engine.intake.encodings import TABLE_ENCODING
from engine.intake.inventory import IMAGE_SUFFIXES, Columns, Found, Inventory, image_names
from engine.intake.layouts.folder_words import is_split_word
from engine.intake.layouts.plain import folders
from engine.intake.layouts.table import Part, table_inventory
from engine.intake.layouts.table_columns import path_column
from engine.intake.layouts.table_lookup import Lookup, Named, folder_of, split_of_table
from engine.intake.tables import Table
from engine.tasks.questions import Interpretation, Question

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_MOST = 64  # tables of one depth that are looked at: one for each image is none of labels
_LIKELIEST = 4  # tables that are offered
WHICH = "table"  # key of the question which table counts


def tables_inventory(found: Found) -> Inventory | None:
    """Images as the outermost tables name them; None if none does, so that folders speak. Tables in folders by class
    are lists of boxes or the like, and a sample of a submission holds no labels.
    """
    tables = [name for name in found.tree.files if name.lower().endswith(SUFFIXES) and not _is_submission(name)]
    lookup = Lookup(image_names(found.tree)) if tables else Lookup(())
    naming = _outermost(found, tables, lookup)
    if len(naming) > 1 and len({folder_of(name) for name in naming}) == len(naming):
        return _one_a_folder(found, naming, lookup)
    ways = _together(naming)
    if len(ways) > 1:
        return _ask_which(found, ways, lookup)
    return table_inventory(found, ways[0], lookup=lookup) if ways else None


def _together(naming: Sequence[str]) -> list[list[Part]]:
    """The tables that may count: those of different splits (train.csv, test.csv) together, every other one alone."""
    said = [Part(name, split_of_table(name)) for name in naming]
    of_splits = [part for part in said if part.split]
    splits = {part.split for part in of_splits}
    if len(splits) < 2 or len(splits) < len(of_splits):
        return [[Part(name)] for name in naming]
    return [of_splits, *([part] for part in said if not part.split)]


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _is_submission(name: str) -> bool:
    return re.search(r"submi(t|ssion)", _stem(name).casefold()) is not None


def _outermost(found: Found, tables: Sequence[str], lookup: Lookup) -> list[str]:
    """The tables that name images, of the smallest depth where one does. A single one counts whatever it holds, where
    its columns were asked for.
    """
    asked = bool(found.columns.label or found.columns.path)
    encoding = found.answers.get(TABLE_ENCODING, "")
    depths = sorted({name.count("/") for name in tables})
    if asked and depths:
        first = [name for name in tables if name.count("/") == depths[0]]
        if len(first) == 1:
            return first
    for depth in depths:
        level = [name for name in tables if name.count("/") == depth][:_MOST]
        naming = [
            name
            for name in level
            if _names_images(Table(found.tree, name, found.settings, encoding, lookup.known), lookup)
        ]
        if naming:
            return naming
    return []


def _names_images(table: Table, lookup: Lookup) -> bool:
    """Whether most of a table's rows name images that are there."""
    try:
        sample = table.sample()
    except DamagedFileError:
        if _mentions_images(table, lookup):
            raise
        return False  # whatever it is, it is none of labels of these images
    path = path_column(table.columns, sample, lookup.known)
    base, split = folder_of(table.name), split_of_table(table.name)
    there = len(lookup.resolve(Named(base, row[path], split) for row in sample).files) if path else 0
    return there > 0 and there >= len({row[path] for row in sample}) / 2


def _mentions_images(table: Table, lookup: Lookup) -> bool:
    """Whether cells of a broken table, or parts of lines within a cell, are called like images that are there."""
    lines = (line for row in table.sample(strict=False) for cell in row.values() for line in cell.splitlines())
    parts = (part.strip() for line in lines for part in re.split(r'[,;\t|"]', line))
    base, split = folder_of(table.name), split_of_table(table.name)
    named = [Named(base, part, split) for part in parts if part.lower().endswith(IMAGE_SUFFIXES)]
    return len(lookup.resolve(named).files) > 0


def _one_a_folder(found: Found, naming: Sequence[str], lookup: Lookup) -> Inventory:
    """Tables that each lie in a folder of their own: of a split (as Roboflow writes them), or of a class."""
    if all(is_split_word(folder_of(name).rstrip("/").rsplit("/", 1)[-1]) for name in naming):
        return table_inventory(found, [Part(name) for name in naming], lookup=lookup)
    inventory = folders(found)
    note = f"{len(naming):,} tables lie in folders of their own, such as {naming[0]}: they are not read, folders count."
    return replace(inventory, notes=(*inventory.notes, note))


def _ask_which(found: Found, ways: Sequence[Sequence[Part]], lookup: Lookup) -> Inventory:
    """The tables that label most. Others that label about as many are alternatives; one may say the split alone."""
    by_key = {" + ".join(part.name for part in parts): parts for parts in ways[:_LIKELIEST]}
    found_by = {key: table_inventory(found, parts, lookup=lookup) for key, parts in by_key.items()}
    labeled = {key: sum(item.label is not None for item in of.items) for key, of in found_by.items()}

    def columns(key: str) -> Columns:
        return found_by[key].columns or Columns()

    def rank(key: str) -> tuple[bool, bool, int]:
        return bool(columns(key).label and labeled[key]), "label" in key.casefold(), labeled[key]

    best = max(found_by, key=rank)
    chosen = found.answers.get(WHICH, "")
    if chosen not in found_by:
        chosen = best
    of_splits = next((key for key in by_key if key != chosen and columns(key).split and not columns(key).label), "")
    inventory = found_by[chosen]
    if of_splits and not columns(chosen).split:
        inventory = table_inventory(found, by_key[chosen], splits=by_key[of_splits][0], lookup=lookup)
    rivals = [key for key in found_by if key in (best, chosen) or _RIVAL * labeled[key] > labeled[best]]
    rest = [key for key in found_by if key not in (*rivals, of_splits)]
    notes = [*inventory.notes, *([f"Not used: {', '.join(rest)}."] if rest else [])]
    if len(rivals) < 2:
        return replace(inventory, notes=tuple(notes))
    offered = [Interpretation(key, f"{key} counts", labeled[key], {"answers": {WHICH: key}}) for key in rivals]
    text = f"Several tables name the images: {', '.join(rivals)}."
    question = Question(WHICH, text, tuple(offered), chosen, found.answers.get(WHICH) == chosen)
    return replace(inventory, notes=tuple(notes), questions=(question, *inventory.questions))


_RIVAL = 5  # a table that labels fewer than a fifth of what another one does is no alternative
