"""Lists of labels that lie beside images whose folders name no class."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from engine.tasks.inventory import Found, read_lines
from engine.tasks.layouts.folder_tree import Folder
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
