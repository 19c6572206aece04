"""Lists that lie beside images: of labels where folders name no class, and of splits where folders name none."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.intake.inventory import Found, read_lines
from engine.intake.layouts.folder_tree import Folder
from engine.intake.layouts.folder_words import split_of
from engine.intake.layouts.table_lookup import Lookup
from engine.tasks.names import clean_text

_LOOKED_AT = 4  # lists of a folder
_MOST = 0.9  # share of the images that a list has to name


@dataclass(frozen=True)
class Listed:
    """What a list says."""

    file: str
    labels: dict[str, str]  # image -> class


def listed_labels(found: Found, folder: Folder, names: Sequence[str], classes: Collection[str]) -> Listed | None:
    """The labels of images in `folder` by a text file there with a line for each: its name, its class, anything else.

    It counts if it names most of the images, with classes that are known from elsewhere. None where there is none.
    Raises InvalidInputError for a list that is too long, DamagedFileError for one that cannot be read.
    """
    start = "/".join(folder) + "/"
    files = [name for name in found.tree.files if name.startswith(start) and name.lower().endswith(".txt")]
    by_last: dict[str, list[str]] = {}
    for name in names:
        by_last.setdefault(name.rsplit("/", 1)[-1], []).append(name)
    for file in files[:_LOOKED_AT]:
        labels = {}
        for line in read_lines(found, file):
            cells = line.split("\t") if "\t" in line else line.replace(",", " ").split()
            label = clean_text(cells[1]) if len(cells) > 1 else ""
            named = by_last.get(cells[0].rsplit("/", 1)[-1], []) if label in classes else []
            if len(named) == 1:
                labels[named[0]] = label
        if len(labels) >= _MOST * len(names):
            return Listed(file, labels)
    return None


@dataclass(frozen=True)
class ListedSplits:
    """What the lists of a folder say."""

    files: tuple[str, ...]
    splits: dict[str, str]  # image -> "train", "val" or "test"


def listed_splits(found: Found, names: Sequence[str]) -> ListedSplits | None:
    """The splits of images by text files such as train.txt and test.txt, with a line for each image: its path or the
    end of it, with or without its suffix. None where there are none that name images, two splits at least.

    Numbered lists (train1.txt, of one of several splits) are left alone.
    """
    by_folder: dict[str, dict[str, str]] = {}  # folder -> list -> split
    for file in found.tree.files:
        stem = file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
        said = split_of(stem) if file.lower().endswith(".txt") and not any(map(str.isdigit, stem)) else None
        if said is not None and said[1] <= _LIST_WORDS and found.tree.files[file] <= found.settings.list_bytes:
            by_folder.setdefault(file.rpartition("/")[0], {})[file] = said[0]
    by_folder = {folder: lists for folder, lists in by_folder.items() if {"train"} < set(lists.values())}
    if not by_folder:
        return None
    lookup = Lookup(names)
    read = [_read_splits(found, lists, lookup) for lists in by_folder.values()]
    return max(filter(None, read), key=lambda one: len(one.splits), default=None)


_LIST_WORDS = frozenset({"list", "lists", "names", "filenames", "ids", "paths"})


def _read_splits(found: Found, lists: dict[str, str], lookup: Lookup) -> ListedSplits | None:
    splits: dict[str, str] = {}
    # Those of train and val together come last, for what the others left.
    for file, split in sorted(lists.items(), key=lambda one: (one[1] == "train", len(one[0]))):
        lines = read_lines(found, file)
        meant = [_meant(line, lookup) for line in lines]
        images = [name for name in meant if name is not None]
        if not lines or len(images) < _MOST * len(lines):
            return None
        if split != "train" and any(name in splits for name in images):
            return None  # they contradict each other
        for name in images:
            splits.setdefault(name, split)
    return ListedSplits(tuple(sorted(lists)), splits)


def _meant(line: str, lookup: Lookup) -> str | None:
    """The image that a line names, if it is one only."""
    cells = dict.fromkeys((line.strip(), *line.replace(",", " ").split()[:1]))
    return next((file for cell in cells if (file := lookup.named(cell)) is not None), None)
