"""What folders may mean besides classes: masks of the other pictures, variants of the same ones, patients and sites."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from engine.intake.layouts.folder_tree import Folder, Folders
from engine.intake.layouts.folder_words import (
    is_generic,
    is_mask_folder,
    is_pictures,
    named_splits,
    tells_no_class,
    variant_rank,
)

_MOST = 0.9  # share of names that makes a rule of something
_ENOUGH = 3  # masks; fewer may be called so by chance
_MASK_FILE = re.compile(
    r"(?P<picture>.+?)[ _.-]+(masks?|gt|seg|segmentation|ground_?truth|annotations?)([ _-]?\d+)?", re.IGNORECASE
)
_MADE_FROM = re.compile(
    r"([ _.-]+(final|masked|mask|gr[ae]y(scale)?|colou?r|seg|segmented|marked|gt|groundtruth|label|labels))+$",
    re.IGNORECASE,
)

_COUNTED = re.compile(r"\D{0,8}\d{1,5}")  # names that only count


@dataclass(frozen=True)
class Masks:
    """Pictures that only say where things are on other pictures."""

    folders: frozenset[Folder] = frozenset()
    files: frozenset[str] = frozenset()  # beside the pictures that they belong to

    def hold(self, folder: Folder) -> bool:
        """Whether a folder is one of masks, or lies in one."""
        return any(folder[:depth] in self.folders for depth in range(1, len(folder) + 1))


def find_masks(tree: Folders, files: Mapping[Folder, Sequence[str]]) -> Masks:
    """Folders of masks, and masks beside their pictures, by their names and by those of the pictures.

    A folder counts if its name says masks, and if beside it there is one that says pictures, or a split, or if its
    files are named as those beside it. files: full names of the images right in each folder.
    """
    folders: set[Folder] = set()
    ordered = sorted(files)
    for parent, children in tree.below.items():
        called = [name for name in children if is_mask_folder(name)]
        others = [name for name in children if name not in called]
        if not called or not (others or tree.own.get(parent)):
            continue
        splits = named_splits(others)
        if any(is_pictures(name) or variant_rank(name) is not None or name in splits for name in others):
            folders.update((*parent, name) for name in called)
            continue
        pictures = [file for name in others for file in _within((*parent, name), files, ordered)] + [
            *files.get(parent, ())
        ]
        folders.update(
            (*parent, name) for name in called if _are_masks_of(_within((*parent, name), files, ordered), pictures)
        )
    return Masks(frozenset(folders), frozenset(_mask_files(files)))


def _are_masks_of(names: Sequence[str], pictures: Sequence[str]) -> bool:
    """Whether files are named as pictures are, one each. Names that only count say it if their suffix is another."""
    stems = list(map(_stem, names))
    if len(stems) < _ENOUGH or len(stems) > len(set(stems)) or _share(stems, set(map(_stem, pictures))) < _MOST:
        return False
    return not any(map(_COUNTED.fullmatch, stems)) or not _suffixes(names) & _suffixes(pictures)


def _suffixes(names: Sequence[str]) -> set[str]:
    return {name.rsplit(".", 1)[-1].lower() for name in names}


def _mask_files(files: Mapping[Folder, Sequence[str]]) -> list[str]:
    found = []
    for names in files.values():
        masks = {name: match["picture"] for name in names if (match := _MASK_FILE.fullmatch(_bare(name)))}
        if len(masks) < _ENOUGH or len(masks) == len(names):
            continue
        pictures = {_bare(name) for name in names if name not in masks}
        if _share(list(masks.values()), pictures) >= _MOST:
            found += list(masks)
    return found


def _within(folder: Folder, files: Mapping[Folder, Sequence[str]], ordered: Sequence[Folder]) -> list[str]:
    """The images in a folder at any depth; ordered: all folders, sorted, so that those within stand together."""
    found: list[str] = []
    for place in range(bisect_left(ordered, folder), len(ordered)):
        inner = ordered[place]
        if inner[: len(folder)] != folder:
            break
        found += files[inner]
    return found


def _bare(name: str) -> str:
    """A file's name without its folders and its suffix."""
    return name.rsplit("/", 1)[-1].rsplit(".", 1)[0]


def _stem(name: str) -> str:
    """The same without words that say what was made of a picture."""
    return _MADE_FROM.sub("", _bare(name))


def _share(values: Sequence[str], of: Iterable[str]) -> float:
    known = set(of)
    return sum(value in known for value in values) / max(1, len(values))


@dataclass(frozen=True)
class Levels:
    """Folders within folders, of which the outer or the inner ones may be the classes."""

    outer: tuple[str, ...]  # their names
    inner: tuple[str, ...]
    likeliest: str  # "outer", "inner", "groups" (outer classes, inner groups), or "one-variant" (inner, of one outer)
    kept: str = ""  # where outer folders hold the same pictures: the one that is used alone


_COME_AGAIN = 0.6  # mean share of all inner folders that an outer one has


def find_levels(files: Mapping[Folder, Sequence[str]]) -> Levels | None:
    """What two levels of folders may be; None where there is one level, or the inner one says nothing.

    files: full names of the images by folder, without the folders that all share or that are splits.
    """
    deep = {folder: names for folder, names in files.items() if len(folder) > 1 and not is_generic(folder[1])}
    if sum(map(len, deep.values())) < _MOST * sum(len(names) for folder, names in files.items() if folder):
        return None
    by_outer: dict[str, set[str]] = {}
    for name, within, *_ in deep:
        by_outer.setdefault(name, set()).add(within)
    outer, inner = tuple(sorted(by_outer)), tuple(sorted(set().union(*by_outer.values())))
    if len(inner) < 2 or len(outer) < 2:
        return None
    share = sum(map(len, by_outer.values())) / len(outer) / len(inner)
    if share < _COME_AGAIN:
        if min(map(len, by_outer.values())) < 2:
            return None
        return Levels(outer, inner, "groups" if _numbered(inner) else "outer")
    if _same_pictures(deep):
        counts = {name: sum(len(names) for folder, names in deep.items() if folder[0] == name) for name in outer}
        ranks = {name: rank if (rank := variant_rank(name)) is not None else 1000 for name in outer}
        kept = min(outer, key=lambda name: (ranks[name], -counts[name], name))
        return Levels(outer, inner, "one-variant", kept)
    return Levels(outer, inner, _likelier(outer, inner))


def _likelier(outer: Sequence[str], inner: Sequence[str]) -> str:
    """Which of two levels are the classes, where the inner names come again in each outer folder."""
    if all(map(tells_no_class, outer)):
        return "inner"
    if all(map(tells_no_class, inner)):
        return "outer"
    if _numbered(inner):
        return "groups"
    if _numbered(outer):
        return "inner"
    return "inner" if len(inner) > 2 * len(outer) else "outer"  # there are more classes than variants


def _numbered(names: Sequence[str]) -> bool:
    return sum(any(map(str.isdigit, name)) for name in names) >= _MOST * len(names)


def _same_pictures(files: Mapping[Folder, Sequence[str]]) -> bool:
    """Whether outer folders hold the same pictures: all are called variants, or the files have the same names.

    Names that only count (1.jpg, 2.jpg) are the same anywhere, and say nothing.
    """
    outer = sorted({folder[0] for folder in files})
    if all(variant_rank(name) is not None for name in outer):
        return True
    stems: dict[str, set[Folder]] = {name: set() for name in outer}
    for folder, names in files.items():
        stems[folder[0]].update((*folder[1:], _stem(name)) for name in names)
    if any(_COUNTED.fullmatch(stem[-1]) for stem in list(stems[outer[0]])[:_LOOKED_AT]):
        return False
    return len(set.intersection(*stems.values())) >= _COME_AGAIN * min(map(len, stems.values()))


_LOOKED_AT = 20  # names that show whether files are counted only
