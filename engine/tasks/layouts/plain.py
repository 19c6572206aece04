"""Layouts that anybody may have: folders by class, with or without folders by split."""

from __future__ import annotations

from engine.errors import InvalidInputError
from engine.tasks.inventory import Found, Inventory, Item, image_names, is_text, tree_inventory
from engine.tasks.names import clean_text
from engine.tasks.sources import Skipped
from engine.tasks.tables import SPLIT_WORDS, settle_validation

LAYOUTS = {"class": "class-folders", "split": "split-folders", "labeled": "labeled-unlabeled"}
_LABELED = frozenset({"labeled", "labelled"})
_UNLABELED = frozenset({"unlabeled", "unlabelled", "unsorted", "unknown_class"})


def folders(found: Found) -> Inventory:
    """Images in folders: `class/image`, below `train`, `val`, `test`, `labeled` and `unlabeled` where these are there.

    Columns that say that there is no label say so of folders, too: they are then patients, days or cameras.
    Raises InvalidInputError if there is no image.
    """
    tree = found.tree
    names = image_names(tree)
    if not names:
        nested = [s.name for s in tree.skipped if "archive inside" in s.reason]
        hint = f" It holds the archive {nested[0][:60]!r}: unpack that one and import it." if nested else ""
        raise InvalidInputError(
            f"{tree.title} holds no image files: bring JPEG, PNG, WebP, TIFF, BMP, GIF or DICOM files, in folders, in "
            f"a ZIP, or with a table that names them.{hint}"
        )
    if len(names) > found.settings.images:
        raise InvalidInputError(
            f"{tree.title} holds more than {found.settings.images:,} images: import fewer, or raise the setting."
        )
    prefix = _common_folder(names)
    parts = {name: name[len(prefix) :].split("/")[:-1] for name in names}
    structure = _structure(parts)
    items, deep = [], 0
    classes = found.columns.label != ""
    for name, folders_of in parts.items():
        split, labeled, rest = _take_words(folders_of, structure)
        deep += classes and len(rest) > 1
        label = clean_text(rest[0]) if rest and labeled and classes else ""
        items.append(Item(name, label or None, split))
    items, lonely = _without_lonely_class(items)
    notes = [f"The folder's name {prefix.rstrip('/')!r} says nothing of classes."] if prefix else []
    if lonely:
        notes.append(f"All images lie in the folder {lonely!r}: one folder is no class, so they have no labels yet.")
    if deep:
        notes.append(f"{deep:,} images lie deeper than their class folder: the outermost folder is the class.")
    taken = set(names)
    others = [n for n in tree.files if n not in taken and not is_text(n)]
    skipped = tuple(Skipped(n, "is no image by its name") for n in others)
    items, more = settle_validation(items)
    title = {"class": "folders by class", "split": "folders by split and class", "labeled": "labeled and unlabeled"}
    unlabeled = all(item.label is None for item in items)
    structure_title = "images without classes" if unlabeled else title[structure]
    return tree_inventory(found, LAYOUTS[structure], structure_title, items, notes=tuple(notes + more), skipped=skipped)


def _without_lonely_class(items: list[Item]) -> tuple[list[Item], str]:
    """Items, without their label if all have the same one, and that label: nothing can be told apart by it."""
    labels = {item.label for item in items}
    if len(labels) != 1 or None in labels:
        return items, ""
    return [Item(i.name, None, i.split, i.group, i.place) for i in items], str(labels.pop())


def _common_folder(names: list[str]) -> str:
    """The folders that all images lie in, as long as there are folders below."""
    prefix = ""
    while True:
        heads = {name[len(prefix) :].split("/", 1)[0] for name in names}
        inner = [name[len(prefix) :] for name in names]
        if len(heads) != 1 or any("/" not in name for name in inner):
            return prefix
        head = next(iter(heads))
        below = [name[len(head) + 1 :] for name in inner]
        if all("/" not in name for name in below) or _is_word(head):
            return prefix  # the last folder is a class, or a split
        prefix += head + "/"


def _is_word(part: str) -> bool:
    word = part.lower()
    return word in SPLIT_WORDS or word in _LABELED or word in _UNLABELED


def _structure(parts: dict[str, list[str]]) -> str:
    """ "split" or "labeled" if the outermost folders are named so (loose files do not count), else "class"."""
    heads = {p[0].lower() for p in parts.values() if p}
    if not heads or not all(_is_word(head) for head in heads):
        return "class"
    if heads & (_LABELED | _UNLABELED):
        return "labeled"
    # A single folder "train" is a split only if there are classes below it.
    if len(heads) == 1 and not any(len(p) > 1 for p in parts.values()):
        return "class"
    return "split"


def _take_words(parts: list[str], structure: str) -> tuple[str | None, bool, list[str]]:
    """(split, whether labeled, what remains) of an image's folders."""
    split, labeled, rest = None, True, list(parts)
    while structure != "class" and rest and _is_word(rest[0]):
        word = rest[0].lower()
        split = SPLIT_WORDS.get(word, split)
        labeled = labeled and word not in _UNLABELED
        if word in _UNLABELED and split is None:
            split = "train"
        rest = rest[1:]
    if structure == "split" and not rest:
        labeled = False
    return split, labeled, rest
