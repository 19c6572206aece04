"""Names that come from outside: never a path, never markup, and safe to store and to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from engine.errors import InvalidInputError
from engine.files import canonical_hash

LONGEST_TEXT = 200  # characters of a class name, a group or a title
LONGEST_NAME = 48  # characters of a task's name, which becomes a part of folder and job names
_TASK_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?", re.ASCII)
# Direction overrides let a name read differently from what it is; the joiners that scripts need stay.
_OVERRIDES = {ord(c): None for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"}


def clean_text(value: object) -> str:
    """A label, group or title as it is stored: composed (NFC), on one line, without control characters or direction
    overrides, trimmed, at most 200 characters. Everything else stays: markup and formulas are text.

    Texts that differ in more than that stay different: a longer one ends in a hash of the whole, and bytes that are no
    text are written as numbers.
    """
    text = unicodedata.normalize("NFC", _without_surrogates(str(value))).translate(_OVERRIDES)
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    text = " ".join(text.split())
    if len(text) <= LONGEST_TEXT:
        return text
    mark = f"… {canonical_hash(text, 8)}"
    return text[: LONGEST_TEXT - len(mark)] + mark


def clean_identifier(name: str) -> str:
    r"""An image's name as it is stored: as it is, but with numbers for what is no text or ends a line.

    Example:
        >>> clean_identifier("two\nlines.png"), clean_identifier("caf\udce9.png")
        ('two%0Alines.png', 'caf%E9.png')

    """
    lines = ("Cc", "Zl", "Zp")
    return "".join(_escaped(c) if unicodedata.category(c) in lines else c for c in _without_surrogates(name))


def _without_surrogates(text: str) -> str:
    """Lone surrogates, which stand for bytes of a name that are no text, cannot be stored."""
    return "".join(_escaped(c) if unicodedata.category(c) == "Cs" else c for c in text)


def _escaped(character: str) -> str:
    """As in an address: no name may get a slash or back-slash by it."""
    code = ord(character)
    return f"%{code - 0xDC00:02X}" if 0xDC80 <= code <= 0xDCFF else f"%{code:02X}"


def spelling(name: str) -> str:
    """What two names share that are likely one name in two spellings: they differ in case, or in spaces, hyphens and
    underscores between letters. Signs, digits, decimal points and combining marks always tell names apart (HPV+ and
    HPV-, 1.5 and 15), and so does everything in names of fewer than three letters (A and a, C and C++).

    Example:
        >>> spelling("Golden_retriever") == spelling("golden retriever")
        True
        >>> spelling("grade 1") == spelling("grade -1")
        False

    """
    text = unicodedata.normalize("NFC", name).strip()
    if sum(c.isalpha() for c in text) < 3:
        return text
    text = re.sub(r"(?<=[^\W\d_])[\s_-]+(?=[^\W\d_])", "", text)
    return re.sub(r"[\s_]+", " ", text).lower()


def natural_order(names: Iterable[str]) -> list[str]:
    """Names in the order that people expect: numbers by their value ("2" before "10", also inside of names), letters
    whatever their case. It depends on the names alone: what else is equal is ordered by its characters.

    Example:
        >>> natural_order({"img10", "img2", "B", "a", "A"})
        ['A', 'a', 'B', 'img2', 'img10']
        >>> natural_order({"1", "-1", "0.5"})
        ['-1', '0.5', '1']

    """
    known = list(names)
    if all(_NUMBER.fullmatch(name) for name in known):
        return sorted(known, key=lambda name: (float(name), name))
    return sorted(known, key=lambda name: (_by_numbers(name), name))


def _by_numbers(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(p), "") if p.isascii() and p.isdigit() else (1, 0, p) for p in parts]


def task_name(title: str) -> str:
    """A task's name from its title: small letters, digits and hyphens; a hash where nothing of it can be written so.

    Example:
        >>> task_name("My Köln pictures, 2026")
        'my-koln-pictures-2026'
        >>> task_name("猫")
        'task-cfa55181'

    """
    ascii_only = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    name = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-")[:LONGEST_NAME].rstrip("-")
    return name or f"task-{canonical_hash(clean_text(title), 8)}"


def check_task_name(name: str, taken: Collection[str]) -> None:
    """Raises InvalidInputError for a name that is no plain one, or that another task has."""
    if not _TASK_NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise InvalidInputError(
            f"{name!r} cannot name a task: use up to {LONGEST_NAME} small letters, digits and hyphens, such as "
            f"{task_name(name)!r}."
        )
    if name in taken:
        raise InvalidInputError(f"There is a task named {name!r} already: choose another name; nothing is overwritten.")
