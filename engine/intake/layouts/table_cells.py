"""What the cells of a table say: no label, one label or several, and on which side of the split an image is."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from engine.intake.layouts.folder_words import split_of, words

# What programs write for an empty cell: pandas reads all of these as one. A class may be called so, too.
NO_LABEL_WORDS = frozenset({"na", "n/a", "#n/a", "#na", "nan", "-nan", "<na>", "null", "none", "nil"})
_YES = {"true": True, "yes": True, "t": True, "y": True, "1": True, "1.0": True}
_NO = {"false": False, "no": False, "f": False, "n": False, "0": False, "0.0": False}
BOOLEANS = {**_YES, **_NO}
_SPLIT_COLUMNS = frozenset(
    {
        "split",
        "set",
        "subset",
        "partition",
        "fold",
        "usage",
        "phase",
        "dataset",
        "datasplit",
        "traintest",
        "trainvaltest",
    }
)
_SPLIT_NUMBERS = {0: "train", 1: "val", 2: "test"}  # as CelebA's list_eval_partition and many others number them
_OF_SPLITS = frozenset({"public", "private", "official", "is"})


def is_no_label(text: str) -> bool:
    """Whether a cell says in words that there is nothing in it."""
    return text.casefold() in NO_LABEL_WORDS


def group_or_none(text: str) -> str:
    """The patient, site or other group that a cell names; "" for none, also where it says so in words: images without
    a known patient are not all of one.
    """
    return "" if is_no_label(text) else text


def note_on_empty_groups(column: str, cells: Iterable[str]) -> list[str]:
    """What is said of the cells of a column of groups, one for each image, that say in words that they are empty."""
    empty = [cell for cell in cells if is_no_label(cell)]
    if not empty:
        return []
    words = ", ".join(repr(word) for word in list(dict.fromkeys(empty))[:3])
    images = "1 image says" if len(empty) == 1 else f"{len(empty):,} images say"
    return [f"Of the groups in {column!r}, {images} {words}, as programs write for an empty cell: there is none."]


def is_number(text: str) -> bool:
    """Whether a cell is a number, as tables write it."""
    return re.fullmatch(r"[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?", text) is not None


def number_of(text: str) -> float:
    """The value of a cell that `is_number`."""
    return float(text.replace(",", "."))


def is_positive(text: str) -> bool:
    """Whether a cell of a one-hot column says that the image is of this class: 1, 1.0 or true."""
    return _YES.get(text.casefold(), False) or (is_number(text) and number_of(text) == 1)


def joined_name(column: str) -> str:
    """A column's name in small letters and digits alone.

    Example:
        >>> joined_name("Data set"), joined_name("isValid")
        ('dataset', 'isvalid')

    """
    return "".join(c for c in column.casefold() if c.isalnum())


def is_split_column(column: str) -> bool:
    """Whether a column is called like one that says which images train."""
    return joined_name(column) in _SPLIT_COLUMNS


def split_words(column: str, values: Collection[str]) -> Mapping[str, str]:
    """The split ("train", "val" or "test") that each of a column's values says; empty if the column tells no split.

    It may be one of words (train, PublicTest), of yes and no (is_valid), or of numbers where its name says so.
    """
    flag = _flag(column)
    if flag and values and all(value.casefold() in BOOLEANS for value in values):
        other = "test" if flag == "train" else "train"
        return {value: flag if BOOLEANS[value.casefold()] else other for value in values}
    said = {value: split for value in values if (split := _split_word(value))}
    if is_split_column(column):
        if 2 * len(said) > len(values):
            return said
        return _numbered(values) if joined_name(column) != "fold" else {}
    return said if len(said) == len(values) and len(set(said.values())) > 1 else {}


def _flag(column: str) -> str:
    """The split that a column of yes and no is about: is_valid, is_test, train."""
    return _split_word(column) if set(words(column)) - _OF_SPLITS else ""


def is_bare_flag(column: str) -> bool:
    """Whether a column of yes and no would be called by the word of a split alone, such as valid, test or train: it may
    as well say that a row is in order, or be a class.
    """
    return bool(_flag(column)) and "is" not in words(column)


def holds_most_out(column: str, cells: Sequence[str]) -> bool:
    """Whether a column that `is_bare_flag` would test on more images than it trains on: likely it is no split."""
    said = split_words(column, set(cells)) if is_bare_flag(column) else {}
    return bool(said) and 2 * sum(said.get(cell) != "train" for cell in cells) > len(cells)


def _split_word(value: str) -> str:
    found = split_of(value)
    return found[0] if found is not None and found[1] <= _OF_SPLITS else ""


def _numbered(values: Collection[str]) -> Mapping[str, str]:
    numbers = {value: number_of(value) for value in values if is_number(value)}
    if len(numbers) < len(values) or len(values) < 2 or not set(numbers.values()) <= set(_SPLIT_NUMBERS):
        return {}
    names = {**_SPLIT_NUMBERS, 1: "test"} if 2 not in numbers.values() else _SPLIT_NUMBERS
    return {value: names[int(number)] for value, number in numbers.items()}


def tells_by_numbers(column: str, said: Mapping[str, str]) -> bool:
    """Whether a split is told by numbers, whose meaning is a guess."""
    return bool(said) and not _flag(column) and all(is_number(value) for value in said)


def several_labels(values: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The values of a label column that are lists, with their labels: "cat|dog", "chair car", "[0, 1]", "['cat']".

    A sign or a space between words separates labels only where the other values bear it out: "air hockey" is one
    label, and so is "Sparrow, House".

    Example:
        >>> several_labels(["car", "chair", "car chair", "air hockey"])
        {'car chair': ('car', 'chair')}
        >>> several_labels(["[0, 1]", "[1]"])
        {'[0, 1]': ('0', '1'), '[1]': ('1',)}

    """
    known = list(dict.fromkeys(values))
    found: dict[str, tuple[str, ...]] = {}
    for value in known:
        if len(value) > 1 and value[0] == "[" and value[-1] == "]":
            found[value] = _parts(re.split(r"[,;\s]+(?=[^\s])", value[1:-1].strip()))
    for separator in ("|", ";", ",", " "):
        lists = {v: _parts(v.split(separator)) for v in known if separator in v and v not in found}
        found.update(_borne_out(separator, lists, [v for v in known if v not in found]))
    return found


def are_names(values: Iterable[str], lists: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether values that may be lists are likelier names of several words: nothing but spaces parts any of them, of
    none is each word a label by itself, and there are at most two for each word. lists: of `several_labels`.

    Example:
        >>> parts = ["left hand", "right hand", "left foot", "right foot", "left lower leg", "right lower leg", "skull"]
        >>> are_names(parts, several_labels(parts))
        True
        >>> are_names(["car", "chair", "car chair"], several_labels(["car", "chair", "car chair"]))
        False

    """
    alone = set(values) - set(lists)
    several = {value: parts for value, parts in lists.items() if len(parts) > 1}
    words = {part for parts in several.values() for part in parts}
    return 0 < len(several) <= 2 * len(words) and all(
        parts == _parts(value.split(" ")) and not alone.issuperset(parts) for value, parts in several.items()
    )


def _parts(pieces: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for piece in pieces if (part := piece.strip(" \t'\"")) and not is_no_label(part)))


def _borne_out(separator: str, lists: dict[str, tuple[str, ...]], known: list[str]) -> dict[str, tuple[str, ...]]:
    """Those values that are lists, by what the other values are."""
    alone = set(known) - set(lists)
    if separator == "|":
        return lists
    counts: dict[str, int] = {}
    for parts in lists.values():
        for part in parts:
            counts[part] = counts.get(part, 0) + 1
    if separator == " ":
        lengths = {len(parts) for parts in lists.values()}
        again = sum(counts[part] > 1 or part in alone for part in counts)
        if len(lists) >= _MANY and len(lengths) > 1 and 3 * again >= 2 * len(counts):
            return lists  # tags, such as "haze primary water" beside "haze primary": few words, many combinations
        if not any(len(parts) > 1 and alone.issuperset(parts) for parts in lists.values()):
            return {}
        return {value: parts for value, parts in lists.items() if len(parts) > 1 and alone & set(parts)}
    return {
        value: parts
        for value, parts in lists.items()
        if len(parts) > 1 and all(part in alone or counts[part] > 1 for part in parts)
    }


_MANY = 5  # different values that show how labels are combined
