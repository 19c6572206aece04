"""Which of a source's tables name its images and their classes: one, or several that belong together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from engine.tasks.encodings import TABLE_ENCODING
from engine.tasks.inventory import Found, Inventory, image_names
from engine.tasks.layouts.folder_words import is_split_word, split_of, words
from engine.tasks.layouts.plain import folders
from engine.tasks.layouts.table import Part, names_images, table_inventory
from engine.tasks.layouts.table_columns import FOLDERS
from engine.tasks.layouts.table_lookup import Lookup
from engine.tasks.questions import Interpretation, Question
from engine.tasks.tables import Table

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")
_MOST = 64  # tables of one depth that are looked at: one for each image is none of labels
_LIKELIEST = 4  # tables that are offered
WHICH = "table"  # key of the question which table counts


def tables_inventory(found: Found) -> Inventory | None:
    """Images as the outermost tables name them; None if none does, so that folders speak. Tables in folders by class
    are lists of boxes or the like, and a sample of a submission holds no labels.
    """
    tables = [name for name in found.tree.files if name.lower().endswith(SUFFIXES) and not _is_submission(name)]
    naming = _outermost(found, tables)
    if len(naming) <= 1:
        return table_inventory(found, [Part(naming[0])]) if naming else None
    if len({_folder(name) for name in naming}) == len(naming):
        return _one_a_folder(found, naming)
    parts = [Part(name, _split_of_name(name)) for name in naming]
    if all(part.split for part in parts) and len({part.split for part in parts}) == len(parts):
        return table_inventory(found, parts)
    return _ask_which(found, naming)


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _stem(name: str) -> str:
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _is_submission(name: str) -> bool:
    return re.search(r"submi(t|ssion)", _stem(name).casefold()) is not None


def _split_of_name(name: str) -> str:
    """The split that a table's name says, such as train.csv or labels_test.csv."""
    found = split_of(_stem(name))
    return found[0] if found is not None else ""


def _outermost(found: Found, tables: Sequence[str]) -> list[str]:
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
    known = Lookup(image_names(found.tree)).known if tables else frozenset[str]()
    for depth in depths:
        level = [name for name in tables if name.count("/") == depth][:_MOST]
        naming = [
            name for name in level if names_images(Table(found.tree, name, found.settings, encoding, known), known)
        ]
        if naming:
            return naming
    return []


def _one_a_folder(found: Found, naming: Sequence[str]) -> Inventory | None:
    """Tables that each lie in a folder of their own: of a split (as Roboflow writes them), or of a class."""
    if all(is_split_word(_folder(name).rsplit("/", 1)[-1]) for name in naming):
        return table_inventory(found, [Part(name) for name in naming])
    inventory = folders(found)
    note = f"{len(naming):,} tables lie in folders of their own, such as {naming[0]}: they are not read, folders count."
    return replace(inventory, notes=(*inventory.notes, note))


def _ask_which(found: Found, naming: Sequence[str]) -> Inventory:
    """The table that says most, and the others as alternatives."""
    found_by = {name: table_inventory(found, [Part(name)]) for name in naming[:_LIKELIEST]}
    labeled = {name: sum(item.label is not None for item in of.items) for name, of in found_by.items()}

    def rank(name: str) -> tuple[bool, bool, int]:
        of = found_by[name]
        guessed = any(question.key == "label-column" and question.chosen == FOLDERS for question in of.questions)
        test = "label" in " ".join(words(_stem(name)))
        return labeled[name] > 0 and not guessed, test, labeled[name]

    best = max(found_by, key=rank)
    chosen = found.answers.get(WHICH, best)
    if chosen not in found_by:
        chosen = best
    ways = [Interpretation(name, f"The table {name}", labeled[name], {"answers": {WHICH: name}}) for name in found_by]
    text = f"{len(naming)} tables name the images."
    question = Question(WHICH, text, tuple(ways), chosen, WHICH in found.answers)
    return replace(found_by[chosen], questions=(question, *found_by[chosen].questions))
