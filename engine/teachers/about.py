"""What a user says of a teacher, checked: title, name, collections, classes, size and normalization."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from engine.errors import InvalidInputError
from engine.files import canonical_hash
from engine.teachers.catalogue import check_name

SIZES = (16, 1024)  # pixels that a teacher may be run at; ours
LONGEST_TITLE, LONGEST_CLASS, MOST_CLASSES = 200, 300, 100_000


@dataclass(frozen=True)
class TeacherDescription:
    """What a user says of a teacher. Empty fields are filled where that is possible."""

    title: str = ""
    name: str = ""  # made from the title if empty
    collection: str = ""  # where its training images come from: it may not teach a task whose images come from there
    further_collections: tuple[str, ...] = ()
    license: str = ""


def description_from(value: Mapping[str, Any]) -> TeacherDescription:
    """What a job's spec says of a teacher."""
    return TeacherDescription(**{**value, "further_collections": tuple(value["further_collections"])})


def completed(
    about: TeacherDescription, *, title: str, collections: Sequence[str] = (), license: str = "not stated"
) -> TeacherDescription:
    """`about` with a name, a license and what else is known where it says nothing, its words checked.

    Raises InvalidInputError for words that cannot be shown, or if no collection is known.
    """
    title = checked_text("title", about.title or title, LONGEST_TITLE)
    if not title:
        raise InvalidInputError("A teacher needs a title: say in a few words what it knows.")
    given = [c for c in (about.collection, *about.further_collections) if c.strip()] or list(collections)
    found = tuple(dict.fromkeys(checked_text("collection", name, LONGEST_TITLE) for name in given))
    if not found:
        raise InvalidInputError(
            "Say from which collection the teacher's training images come: it may not teach a task whose images come "
            "from there, because what it knows of them would leak into the result."
        )
    name = about.name.strip() or name_from(title)
    check_name(name)
    return TeacherDescription(
        title=title,
        name=name,
        collection=found[0],
        further_collections=found[1:],
        license=checked_text("license", about.license or license, LONGEST_TITLE),
    )


def name_from(title: str) -> str:
    """A name for a teacher called `title`: its Latin letters and digits, or, where it has none, a hash of it."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:48].strip("-")
    if name and not hasattr(nn.ModuleDict, name):
        return name
    return f"teacher-{canonical_hash(title, 6)}"


def checked_classes(classes: Sequence[str]) -> tuple[str, ...]:
    """Class names without surrounding blanks. Raises InvalidInputError for one name alone, empty or double ones."""
    names = tuple(checked_text("class name", str(name), LONGEST_CLASS) for name in classes)
    if len(names) > MOST_CLASSES:
        raise InvalidInputError(f"There are {len(names):,} class names, more than the {MOST_CLASSES:,} allowed.")
    if len(names) == 1:
        raise InvalidInputError("There is one class name alone: give one for each output of the network, or none.")
    seen: set[str] = set()
    for number, name in enumerate(names, 1):
        if not name:
            raise InvalidInputError(f"Class name {number} is empty: give one name for each output of the network.")
        if name in seen:
            raise InvalidInputError(f"The class name {name!r} is there twice: write them so that they differ.")
        seen.add(name)
    return names


def checked_size(size: int) -> int:
    """An input size in pixels. Raises InvalidInputError outside of `SIZES`."""
    if not (isinstance(size, int) and SIZES[0] <= size <= SIZES[1]):
        raise InvalidInputError(f"{size} is no input size: choose {SIZES[0]} to {SIZES[1]} pixels.")
    return size


def checked_normalization(mean: Sequence[float], std: Sequence[float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of a normalization. Raises InvalidInputError unless they are for pixels in 0..1."""
    try:
        found = three_numbers(mean), three_numbers(std)
    except (TypeError, ValueError):
        raise InvalidInputError(
            "Mean and standard deviation are three numbers each, for red, green and blue in 0..1, such as "
            "0.485,0.456,0.406 and 0.229,0.224,0.225."
        ) from None
    if not all(math.isfinite(m) and -1 <= m <= 2 for m in found[0]) or not all(1e-3 <= s <= 10 for s in found[1]):
        raise InvalidInputError(
            f"The mean {found[0]} or standard deviation {found[1]} is not for pixels in 0..1: divide both by 255."
        )
    return found


def three_numbers(values: Any) -> tuple[float, ...]:
    """One number for each of red, green and blue. Raises ValueError or TypeError."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 3:
        raise ValueError(f"{len(numbers)} channels")
    return numbers


def checked_text(what: str, text: str, longest: int) -> str:
    """One line of text without surrounding blanks. What looks like HTML or a formula stays what it is: text."""
    text = unicodedata.normalize("NFC", text).strip()
    if len(text) > longest:
        raise InvalidInputError(f"The {what} {text[:40]!r}… has {len(text):,} characters: use at most {longest}.")
    if wrong := next((c for c in text if unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp")), None):
        raise InvalidInputError(f"The {what} {text[:40]!r} holds the character U+{ord(wrong):04X}: take it out.")
    return text
