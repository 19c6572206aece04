"""Which file a cell of a table means. An exact path always wins, and a label never comes from another folder."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from engine.intake.inventory import IMAGE_SUFFIXES
from engine.intake.layouts.folder_words import split_of

SEVERAL = "is the name of several images: write the folder too"
NOWHERE = "is named in the table, but is not there"


class Named(NamedTuple):
    """A cell that names an image."""

    folder: str  # of its table, with its slash, or "" at the top
    cell: str
    split: str = ""  # that the table's name says: of several images the cell means that of this split


@dataclass(frozen=True)
class Resolved:
    """The files that the cells of a table mean."""

    files: Mapping[Named, str]  # what is not here means no file
    reasons: Mapping[Named, str]  # why a cell means none
    notes: tuple[str, ...]  # where a path was not taken as it stands, a sentence each


def last_part(path: str) -> str:
    """The name of a file without its folders."""
    return path.replace("\\", "/").rsplit("/", 1)[-1]


def folder_of(path: str) -> str:
    """The folder of a file, with its slash; "" for one at the top."""
    return path.rpartition("/")[0] + "/" if "/" in path else ""


@lru_cache(maxsize=256)
def split_of_table(name: str) -> str:
    """The split that a table's name says, such as train.csv or labels_test.csv; "" for none."""
    found = split_of(last_part(name).rsplit(".", 1)[0])
    return found[0] if found is not None else ""


def _normal(path: str) -> str:
    """A path in one Unicode form, with "/" between its parts: macOS writes names in another form than tables have."""
    if path.isascii() and not _IRREGULAR.search(path):
        return path
    parts = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
    return "/".join(part for part in parts if part not in ("", "."))


_IRREGULAR = re.compile(r"\\|//|^/|/$|(^|/)\.(/|$)")


class Lookup:
    """Finds files by what cells say, among the files that are there. A cell is never opened as a path.

    A cell may leave out folders and the suffix of the image where only one file fits. A cell with more folders than
    are there is taken without the outermost ones, or by its name alone, only where that is unique for all rows, and
    never from a folder of one split to that of another.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self._exact: dict[str, list[str]] = {}
        self._by_path: dict[str, list[str]] = {}
        for name in names:
            plain = _normal(name)
            self._exact.setdefault(plain, []).append(name)
            _add(self._by_path, plain, name)
        self._common = _common_folder(list(self._exact))
        self._by_end: dict[int, dict[str, list[str]]] = {}  # number of last parts -> these parts -> files

    @cached_property
    def known(self) -> frozenset[str]:
        """Last parts and stems of all names."""
        return frozenset(self._ends(1))

    def _ends(self, count: int) -> dict[str, list[str]]:
        """Files by so many last parts of their paths, where there are as many. One look at all of them for each count:
        in data sets of patients every file may be called the same.
        """
        if count not in self._by_end:
            index = self._by_end[count] = {}
            for plain, names in self._exact.items():
                parts = plain.rsplit("/", count)[-count:]
                if len(parts) == count:
                    for name in names:
                        _add(index, "/".join(parts), name)
        return self._by_end[count]

    def named(self, path: str) -> str | None:
        """The one file with this path, or whose path ends so; None where there is none, or several."""
        fitting = self._as_it_stands(Named("", path))
        return fitting[0] if len(fitting) == 1 else None

    def resolve(self, cells: Iterable[Named]) -> Resolved:
        """The files of all cells of a table (or of tables that belong together)."""
        distinct = list(dict.fromkeys(cells))
        files: dict[Named, str] = {}
        reasons: dict[Named, str] = {}
        rest: list[Named] = []
        for named in distinct:
            fitting = self._as_it_stands(named)
            if len(fitting) == 1:
                files[named] = fitting[0]
            elif fitting:
                reasons[named] = SEVERAL
            else:
                rest.append(named)
        notes = []
        for short, words in ((self._shorter, "without its outermost folders"), (self._name_alone, "by its name alone")):
            found = {named: file for named in rest if (file := short(named)) is not None}
            everything = short == self._shorter or len(found) == len(rest)
            if found and everything and _is_unique(found, files):
                files.update(found)
                rest = [named for named in rest if named not in found]
                example = next(iter(found))
                notes.append(
                    f"{len(found):,} images lie elsewhere than the table says: {example.cell[:80]!r} is not there, and "
                    f"is taken {words} as {found[example][:80]!r}."
                )
        reasons.update(dict.fromkeys(rest, NOWHERE))
        return Resolved(files, reasons, tuple(notes))

    def _as_it_stands(self, named: Named) -> list[str]:
        """Files with exactly this path from the table's folder or from the top, else those whose path ends so."""
        base, cell, split = named
        wanted = _normal(cell)
        for index in (self._exact, self._by_path):
            for path in (_normal(base + cell), wanted):
                if path in index:
                    return index[path]
        if not wanted or ".." in wanted.split("/"):
            return []
        candidates = self._ends(wanted.count("/") + 1).get(wanted, [])
        candidates = [c for c in candidates if not _contradicts(base + wanted, c)]
        return [c for c in candidates if split in _splits(c)] or candidates

    def _shorter(self, named: Named) -> str | None:
        """The file that a path means without its outermost folders, from the top or from where all images lie."""
        base, cell, _ = named
        parts = _normal(cell).split("/")
        if ".." in parts:
            return None
        for start in range(1, len(parts)):
            ending = "/".join(parts[start:])
            for path in dict.fromkeys((base + ending, ending, self._common + ending)):
                found = self._by_path.get(_normal(path), [])
                if len(found) == 1:
                    return None if _contradicts(base + cell, found[0]) else found[0]
        return None

    def _name_alone(self, named: Named) -> str | None:
        base, cell, _ = named
        if ".." in _normal(cell).split("/"):
            return None
        found = self._ends(1).get(last_part(_normal(cell)), [])
        return found[0] if len(found) == 1 and not _contradicts(base + cell, found[0]) else None


def _is_unique(found: Mapping[Named, str], taken: Mapping[Named, str]) -> bool:
    """Whether no two cells mean one file, nor one that another cell names as it stands."""
    return len(set(found.values())) == len(found) and not set(found.values()) & set(taken.values())


def _add(index: dict[str, list[str]], path: str, name: str) -> None:
    """Under its path, and under that without the suffix of an image."""
    index.setdefault(path, []).append(name)
    if path.lower().endswith(IMAGE_SUFFIXES):
        index.setdefault(path.rsplit(".", 1)[0], []).append(name)


def _contradicts(path: str, file: str) -> bool:
    """Whether a path and a file lie in folders of different splits."""
    said, there = _splits(path), _splits(file)
    return bool(said and there) and not said & there


def _splits(path: str) -> frozenset[str]:
    return _said_by(folder_of(_normal(path)))


@lru_cache(maxsize=4096)
def _said_by(folders: str) -> frozenset[str]:
    return frozenset(found[0] for folder in folders.split("/") if (found := split_of(folder)) is not None)


def _common_folder(paths: Sequence[str]) -> str:
    """The folders that all files lie in, with their slash."""
    if not paths:
        return ""
    first, last = min(paths), max(paths)
    common = []
    for one, other in zip(first.split("/")[:-1], last.split("/")[:-1], strict=False):
        if one != other:
            break
        common.append(one + "/")
    return "".join(common)
