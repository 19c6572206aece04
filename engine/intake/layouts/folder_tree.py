"""Folders as a tree, and where in it the folders of a split are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from engine.intake.layouts.folder_words import (
    is_generic,
    is_labeled,
    is_split_word,
    is_unlabeled,
    named_splits,
    split_of,
)

Folder = tuple[str, ...]  # its names, from the outermost one on


class Folders:
    """Folders that hold images, themselves or in folders below.

    counts: how many images lie right in each folder.
    """

    def __init__(self, counts: Mapping[Folder, int]) -> None:
        self.own = dict(counts)
        self.below: dict[Folder, dict[str, int]] = {}  # folder -> folders right in it -> images in each, at any depth
        for folder, count in counts.items():
            for depth in range(len(folder)):
                children = self.below.setdefault(folder[:depth], {})
                children[folder[depth]] = children.get(folder[depth], 0) + count

    def children(self, folder: Folder) -> dict[str, int]:
        """The folders right in a folder, with how many images each holds."""
        return self.below.get(folder, {})

    def is_flat(self, folder: Folder) -> bool:
        """Whether a folder holds no folders."""
        return folder not in self.below

    def count(self, folder: Folder) -> int:
        """How many images a folder holds, at any depth."""
        return self.own.get(folder, 0) + sum(self.children(folder).values())

    def common(self) -> Folder:
        """The folders that all images lie in, as long as there are folders below and none is a split."""
        folder: Folder = ()
        while len(children := self.children(folder)) == 1 and not self.own.get(folder):
            name = next(iter(children))
            if self.is_flat((*folder, name)) or is_split_word(name) or is_labeled(name) or is_unlabeled(name):
                break  # the last folder is a class, or a split
            folder = (*folder, name)
        return folder


@dataclass(frozen=True)
class Splits:
    """Where the folders of a split are. Empty `folders`: nowhere."""

    folders: Mapping[Folder, str] = field(default_factory=dict)  # folder -> "train", "val" or "test"
    inner: Mapping[Folder, Folder] = field(default_factory=dict)  # folder of a split -> the one that its classes lie in
    root: Folder = ()  # the folder that holds them, or holds what holds them
    others_train: bool = False  # whether the folders beside them are classes to be trained on

    def of(self, folder: Folder) -> Folder | None:
        """The folder of a split that a folder is, or lies in."""
        for depth in range(len(self.root) + 1, len(folder) + 1):
            if folder[:depth] in self.folders:
                return folder[:depth]
        return None


def find_splits(tree: Folders) -> Splits:
    """The outermost folders that name a split: two of a kind at least (train and test), or a single one with classes.

    Where several folders of one depth have their own (cat/train, dog/train), all of them.
    """
    parents: dict[Folder, dict[str, str]] = {}
    splits: dict[Folder, str] = {}
    for parent in sorted(tree.below, key=lambda folder: (len(folder), folder)):
        if any(parent[:depth] in splits for depth in range(1, len(parent) + 1)):
            continue  # below a split a class may be called train or test
        named = _with_others(tree, parent, named_splits(tree.children(parent)))
        if _is_split(tree, parent, named):
            parents[parent] = named
            splits.update({(*parent, name): split for name, split in named.items()})
    if not parents:
        return _single(tree)
    depth = min(map(len, parents))
    folders = {folder: split for folder, split in splits.items() if len(folder) == depth + 1}
    roots = [parent for parent in parents if len(parent) == depth]
    root = roots[0] if len(roots) == 1 else _shared(roots)
    return Splits(folders, {folder: _inner(tree, folder, folders) for folder in folders}, root)


def _with_others(tree: Folders, parent: Folder, named: dict[str, str]) -> dict[str, str]:
    """With folders that count as a split only because of what is beside them: one called labeled beside test, and
    PublicTest beside Training where both have the same classes.
    """
    if not named:
        return named
    children = tree.children(parent)
    if "train" not in named.values():
        named = {**named, **{name: "train" for name in children if is_labeled(name)}}
    classes = {inner for name in named for inner in tree.children((*parent, name))}
    said = {name: found[0] for name in children if name not in named and (found := split_of(name)) is not None}
    alike = {n: split for n, split in said.items() if len(classes & set(tree.children((*parent, n)))) > 1}
    return {**named, **alike}


def _is_split(tree: Folders, parent: Folder, named: Mapping[str, str]) -> bool:
    if len(set(named.values())) < 2:
        return False
    others = [count for name, count in tree.children(parent).items() if name not in named]
    if not others:
        return True
    if "train" not in named.values():
        return False
    if all(tree.is_flat((*parent, name)) for name in named):  # they may be classes, like the others
        return sum(others) <= FEW * tree.count(parent)
    return True


FEW = 0.1  # share of images that lie elsewhere without making a difference


def _single(tree: Folders) -> Splits:
    """One folder that names a split: with classes in it and hardly anything beside it, or of test images, beside
    classes.
    """
    root = tree.common()
    children = tree.children(root)
    for name, count in children.items():
        if not is_split_word(name):
            continue
        folder, others = (*root, name), [(*root, other) for other in children if other != name]
        split = named_splits([name])[name]
        alone = count >= (1 - FEW) * tree.count(root) and all(map(tree.is_flat, others))
        if alone and not tree.is_flat(folder):
            return Splits({folder: split}, {folder: _inner(tree, folder, [folder])}, root)
        inner = _inner(tree, folder, [folder])
        classes = {other[-1] for other in others}
        known = tree.is_flat(inner) or len(classes & set(tree.children(inner))) > 1
        if split != "train" and len(others) > 1 and known:
            return Splits({folder: split}, {folder: inner}, root, others_train=True)
    return Splits()


def _shared(folders: Sequence[Folder]) -> Folder:
    shared = folders[0]
    for folder in folders[1:]:
        while folder[: len(shared)] != shared:
            shared = shared[:-1]
    return shared


def _inner(tree: Folders, folder: Folder, splits: Iterable[Folder]) -> Folder:
    """The folder that the classes of a split lie in: one that only repeats its name, or says nothing, is no class."""
    siblings = [tree.children(other) for other in splits if other != folder]
    classes = {name for children in siblings if len(children) > 1 for name in children}
    while len(children := tree.children(folder)) == 1 and not tree.own.get(folder):
        name = next(iter(children))
        repeats = split_of(name) is not None and split_of(name) == split_of(folder[-1])
        if name in classes or not (repeats or is_generic(name)):
            break
        folder = (*folder, name)
    return folder
