"""From folders to images with class, split and group: in the interpretation that was asked for, or the likeliest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from engine.intake.inventory import Found, Item
from engine.intake.layouts.folder_guesses import Levels, Masks, find_levels, find_masks
from engine.intake.layouts.folder_tree import FEW, Folder, Folders, Splits, find_splits
from engine.intake.layouts.folder_words import in_words, is_generic, is_labeled, is_unlabeled, tells_no_class
from engine.intake.layouts.lists import ListedSplits, listed_labels, listed_splits
from engine.intake.sources import Skipped
from engine.review.findings import counted
from engine.tasks.names import clean_text


@dataclass(frozen=True)
class OpenQuestion:
    """A question before it is asked: how an answer changes the numbers of labeled images is not known yet."""

    key: str
    text: str
    titles: Mapping[str, str]  # key of an interpretation -> in words, the likeliest one first
    default: str


@dataclass(frozen=True)
class Arranged:
    """The images of a tree in one interpretation."""

    items: list[Item]  # with "val" as the split of images to validate on
    structure: str  # "class", "split" or "labeled"
    left_out: tuple[Skipped, ...]
    notes: tuple[str, ...]
    guesses: tuple[OpenQuestion, ...]

    @property
    def labeled(self) -> int:
        """How many images have a label."""
        return sum(item.label is not None for item in self.items)


@dataclass(frozen=True)
class _Place:
    """What the position of a folder says of the images right in it."""

    split: str | None
    rest: Folder  # folders that may be classes or groups
    labeled: bool = True
    out: str = ""  # why they take no part


class Arranging:
    """The folders of a source, to be arranged in several interpretations."""

    def __init__(self, found: Found, names: Sequence[str]) -> None:
        self.found, self.names = found, names
        self.folder_of = {name: tuple(name.split("/")[:-1]) for name in names}
        self.files: dict[Folder, list[str]] = {}
        for name, folder in self.folder_of.items():
            self.files.setdefault(folder, []).append(name)

    @cached_property
    def masks(self) -> Masks:
        """Images that look like masks of the others."""
        return find_masks(Folders({folder: len(names) for folder, names in self.files.items()}), self.files)

    @cached_property
    def listed_splits(self) -> ListedSplits | None:
        """What lists such as train.txt say."""
        return listed_splits(self.found, self.names)

    def arrange(self, answers: Mapping[str, str]) -> Arranged:
        """The images as these answers, and the likeliest interpretations for the rest, have it."""
        return _One(self, answers).arranged()


class _One:
    """One interpretation in the making."""

    def __init__(self, source: Arranging, answers: Mapping[str, str]) -> None:
        self.source, self.found, self.answers = source, source.found, answers
        self.names, self.folder_of, self.files = source.names, source.folder_of, dict(source.files)
        self.classes = source.found.columns.label != ""
        self.notes: list[str] = []
        self.guesses: list[OpenQuestion] = []
        self.out: dict[str, str] = {}  # image -> why it takes no part

    def arranged(self) -> Arranged:
        """All steps, from the outermost folders inwards."""
        self._masks()
        tree = Folders({folder: len(names) for folder, names in self.files.items() if names})
        splits = self._beside_classes(tree, find_splits(tree))
        root = splits.root if splits.folders else tree.common()
        places = {folder: self._place(folder, splits, root) for folder in self.files}
        structure = "split" if splits.folders else "class"
        if not splits.folders:
            structure, places = self._labeled_folders(tree, root, places)
        else:
            self._beside(places)
        self._say_root(splits, root)
        labels, groups = self._levels(places)
        items = [
            Item(name, labels.get(folder) or None, places[folder].split, groups.get(folder))
            for name in self.names
            for folder in [self.folder_of[name]]
            if name not in self.out
        ]
        items = self._listed(items, splits) if splits.folders else self._listed_splits(items)
        items = self._without_lonely_class(items)
        left_out = tuple(Skipped(name, reason) for name, reason in self.out.items())
        return Arranged(items, structure, left_out, tuple(self.notes), tuple(self.guesses))

    def _choose(self, key: str, text: str, titles: Mapping[str, str], default: str) -> str:
        first = {default: titles[default], **titles}
        self.guesses.append(OpenQuestion(key, text, first, default))
        return self.answers.get(key, default)

    def _leave_out(self, names: Sequence[str], reason: str) -> None:
        gone = set(names)
        self.out.update(dict.fromkeys(names, reason))
        for folder in {self.folder_of[name] for name in gone}:
            self.files[folder] = [name for name in self.files[folder] if name not in gone]

    def _masks(self) -> None:
        masks = self.source.masks
        names = [n for folder, inside in self.files.items() if masks.hold(folder) for n in inside]
        names += sorted(masks.files)
        if not names or len(names) == len(self.names):
            return
        where = {folder[-1] for folder in masks.folders}
        called = f"in {in_words(where)}" if where else f"called like {names[0].rsplit('/', 1)[-1][:60]!r}"
        text = f"{len(names):,} images {called} look like masks or annotations of the others."
        titles = {"leave-out": "They are masks: leave them out", "use": "They are images like all others"}
        if self._choose("masks", text, titles, "leave-out") == "leave-out":
            self._leave_out(names, "looks like a mask or an annotation of another image")

    def _beside_classes(self, tree: Folders, splits: Splits) -> Splits:
        """The splits; a folder called test beside those of classes may also be one of them."""
        flat = [folder for folder, inner in splits.inner.items() if splits.others_train and tree.is_flat(inner)]
        if not flat:
            return splits
        text = f"The folder {in_words(f[-1] for f in flat)} lies beside those of the classes."
        titles = {"held-out": "Its images are held out, and have no label", "class": "It is a class like the others"}
        return Splits() if self._choose("test-folder", text, titles, "held-out") == "class" else splits

    def _place(self, folder: Folder, splits: Splits, root: Folder) -> _Place:
        if not splits.folders:
            return _Place(None, folder[len(root) :])
        of = splits.of(folder)
        if of is not None:
            rest = (*of[len(root) : -1], *folder[len(splits.inner[of]) :])
            return _Place(splits.folders[of], rest, labeled=bool(rest))
        beside = folder[len(root) :] if folder[: len(root)] == root else folder
        if any(map(is_unlabeled, beside)):
            return _Place("train", (), labeled=False)
        if splits.others_train and len(beside):
            return _Place("train", beside)
        return _Place(None, (), labeled=False, out="lies beside the folders of the split")

    def _beside(self, places: dict[Folder, _Place]) -> None:
        """Images in other folders than those of the split."""
        out = [folder for folder, place in places.items() if place.out and self.files[folder]]
        names = [name for folder in out for name in self.files[folder]]
        if not names:
            return
        where = in_words({"/".join(folder) or "the outermost folder" for folder in out})
        images, use = counted(len(names), "image", "images"), "leave-out"
        if len(names) > FEW * len(self.names):
            text = f"{images} not in the folders of the split, but in {where}."
            titles = {"leave-out": "They take no part", "unlabeled": "They are unlabeled images to train on"}
            use = self._choose("beside-split", text, titles, "leave-out")
        if use == "leave-out":
            self.notes.append(f"Left out: {images} beside the folders of the split, in {where}.")
            self._leave_out(names, "lies beside the folders of the split")
        for folder in out:
            places[folder] = _Place("train", (), labeled=False)

    def _labeled_folders(
        self, tree: Folders, root: Folder, places: dict[Folder, _Place]
    ) -> tuple[str, dict[Folder, _Place]]:
        """Folders called labeled and unlabeled, or one called unlabeled beside those of classes."""
        heads = {name for name in tree.children(root) if is_labeled(name) or is_unlabeled(name)}
        if not heads:
            return "class", places
        named = any(map(is_labeled, heads))
        if not (named and len(heads) == len(tree.children(root))):
            heads = set(filter(is_unlabeled, heads))
            titles = {"unlabeled": "Its images have no label", "class": "It is a class like the others"}
            text = f"The folder {in_words(heads)} lies beside those of the classes."
            if not heads or self._choose("unlabeled-folder", text, titles, "unlabeled") == "class":
                return "class", places
        changed = {}
        for folder, place in places.items():
            head = place.rest[0] if place.rest and place.rest[0] in heads else ""
            if head and is_unlabeled(head):
                place = _Place("train", (), labeled=False)
            elif head:
                place = _Place(None, place.rest[1:], labeled=len(place.rest) > 1)
            changed[folder] = place
        return "labeled" if named else "class", changed

    def _say_root(self, splits: Splits, root: Folder) -> None:
        if root:
            self.notes.append(f"The folder {'/'.join(root)!r} is around all images: it is no class.")
        wrappers = {"/".join(inner[len(of) - 1 :]) for of, inner in splits.inner.items() if inner != of}
        if wrappers:
            self.notes.append(f"Looked through: {in_words(wrappers)}.")

    def _levels(self, places: Mapping[Folder, _Place]) -> tuple[dict[Folder, str], dict[Folder, str]]:
        """Class and group of each folder's images."""
        inside = [folder for folder, place in places.items() if place.rest and place.labeled and self.files[folder]]
        places = dict(zip(inside, _squeezed([places[folder] for folder in inside]), strict=True))
        rests: dict[Folder, list[str]] = {}
        for folder, place in places.items():
            rests.setdefault(place.rest, []).extend(self.files[folder])
        levels = find_levels(rests)
        if not self.classes:
            return {}, self._groups_without_classes(places, rests)
        if levels is None and (way := self._ask_classes({rest[0] for rest in rests})) != "class":
            return {}, {folder: clean_text(place.rest[0]) for folder, place in places.items() if way == "groups"}
        way = "outer" if levels is None else self._ask_levels(levels, {rest[-1] for rest in rests if len(rest) > _TWO})
        level = int(way in ("inner", "one-variant"))
        deep = [rest for rest in rests if not all(map(is_generic, rest[1:]))]
        if levels is not None and way == "one-variant":
            others = [n for rest, names in rests.items() if rest[0] != levels.kept for n in names]
            self._leave_out(others, f"is a variant of what lies in {levels.kept!r}")
        if levels is None and deep:
            count = sum(len(rests[rest]) for rest in deep)
            self.notes.append(
                f"{count:,} images lie deeper than their class folder: the outermost folder is the class."
            )
        labels, groups = {}, {}
        for folder, place in places.items():
            if way == "innermost":
                labels[folder] = clean_text(place.rest[-1])
            elif len(place.rest) > level:
                labels[folder] = clean_text(place.rest[level])
            if way == "groups" and len(place.rest) > 1:
                groups[folder] = clean_text(place.rest[1])
        return labels, groups

    def _ask_classes(self, names: Collection[str]) -> str:
        """Whether folders with names of days, places or patients are classes after all."""
        if len(names) < 2 or not all(map(tells_no_class, names)):
            return "class"
        counted = all(any(map(str.isdigit, name)) for name in names)  # day and night may be what is to be told apart
        titles = {
            "class": "They are the classes",
            "groups": "They are no classes: each is a patient, a day or a site, which is never both trained on and "
            "tested on",
            "none": "They mean nothing",
        }
        text = f"The folders are called {in_words(names)}."
        return self._choose(FOLDER_CLASSES, text, titles, "groups" if counted else "class")

    def _ask_levels(self, levels: Levels, innermost: Collection[str]) -> str:
        """Which of several levels of folders are the classes; innermost: names of folders below the second level."""
        outer, inner = in_words(levels.outer), in_words(levels.inner)
        titles = {
            "outer": f"The outer folders are the classes: {outer}",
            "inner": f"The inner folders are the classes: {inner}",
        }
        if levels.kept:
            others = [name for name in levels.outer if name != levels.kept]
            text = f"Either {outer} or the folders in them are the classes, and they seem to hold the same pictures."
            titles["one-variant"] = (
                f"The inner folders are the classes, and {levels.kept!r} is used alone, without {in_words(others)}"
            )
        else:
            text = f"Folders lie in folders: {inner} in {outer}."
            titles["groups"] = (
                "The outer folders are the classes, and each inner one is a patient, a site or a video, which is never "
                "both trained on and tested on"
            )
        if len(innermost) > 1:
            titles["innermost"] = f"The innermost folders are the classes: {in_words(innermost)}"
        return self._choose("folder-levels", text, titles, levels.likeliest)

    def _groups_without_classes(
        self, places: Mapping[Folder, _Place], rests: Mapping[Folder, list[str]]
    ) -> dict[Folder, str]:
        """Folders that are no classes are patients, days or cameras: groups, where there are enough of them."""
        outer = {rest[0] for rest in rests}
        if len(outer) < 2:
            return {}
        titles = {
            "groups": "Each is a patient, a site or a video, which is never both trained on and tested on",
            "none": "They mean nothing",
        }
        text = f"The folders {in_words(outer)} are no classes."
        default = "groups" if len(outer) >= _ENOUGH_GROUPS else "none"
        if self._choose("folder-groups", text, titles, default) == "none":
            return {}
        return {folder: clean_text(place.rest[0]) for folder, place in places.items()}

    def _listed(self, items: list[Item], splits: Splits) -> list[Item]:
        """Items with the labels of lists that lie beside images without folders by class, as of Tiny ImageNet's val."""
        classes = {item.label for item in items if item.label is not None}
        if not classes:
            return items
        found: dict[str, str] = {}
        nameless: dict[Folder, list[str]] = {}
        for item in items:
            if item.label is None and (of := splits.of(self.folder_of[item.name])) is not None:
                nameless.setdefault(of, []).append(item.name)
        for of, inside in nameless.items():
            if (listed := listed_labels(self.found, of, inside, classes)) is not None:
                found.update(listed.labels)
                self.notes.append(f"The labels of {'/'.join(of)} are those of {listed.file}.")
        return [Item(i.name, found.get(i.name, i.label), i.split, i.group) for i in items] if found else items

    def _listed_splits(self, items: list[Item]) -> list[Item]:
        """Items with the splits of lists such as train.txt, where folders say none."""
        listed = self.source.listed_splits
        if listed is None:
            return items
        files = " and ".join(file.rsplit("/", 1)[-1] for file in listed.files[:3])
        self.notes.append(f"The split is that of {files}.")
        return [replace(item, split=listed.splits.get(item.name, item.split)) for item in items]

    def _without_lonely_class(self, items: list[Item]) -> list[Item]:
        """Items, without their label if all have the same one: nothing can be told apart by it."""
        labels = {item.label for item in items}
        if len(labels) != 1 or None in labels:
            return items
        self.notes.append(
            f"All images lie in the folder {str(labels.pop())!r}: one folder is no class, so they have no labels yet."
        )
        return [Item(i.name, None, i.split, i.group) for i in items]


def _squeezed(places: list[_Place]) -> list[_Place]:
    """Without levels of folders that have the same name everywhere, as long as there are more."""
    while places and all(len(place.rest) > 1 and place.rest[0] == places[0].rest[0] for place in places):
        places = [replace(place, rest=place.rest[1:]) for place in places]
    while places and all(len(place.rest) > _TWO and place.rest[1] == places[0].rest[1] for place in places):
        places = [replace(place, rest=(place.rest[0], *place.rest[2:])) for place in places]
    return places


_TWO = 2  # levels of folders that are looked at
FOLDER_CLASSES = "folder-classes"  # the question whether the folders are classes at all
_ENOUGH_GROUPS = 5  # folders; one of fewer would be most of the test
