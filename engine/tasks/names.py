"""Names that come from outside: never a path, never markup, and safe to store and to show."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection

from engine.errors import InvalidInputError
from engine.files import canonical_hash

LONGEST_TEXT = 200  # characters of a class name, a group or a title
LONGEST_NAME = 48  # characters of a task's name, which becomes a part of folder and job names
_TASK_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
# Direction overrides let a name read differently from what it is; the joiners that scripts need stay.
_OVERRIDES = {ord(c): None for c in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff"}


def clean_text(value: object) -> str:
    """A label, group or title as it is stored: composed (NFC), on one line, without control characters or direction
    overrides, trimmed, at most 200 characters. Everything else stays: markup and formulas are text.
    """
    text = str(value).encode("utf-8", "replace").decode("utf-8")  # lone surrogates cannot be stored
    text = unicodedata.normalize("NFC", text).translate(_OVERRIDES)
    text = "".join(" " if unicodedata.category(c) == "Cc" else c for c in text)
    return " ".join(text.split())[:LONGEST_TEXT].rstrip()


def clean_identifier(name: str) -> str:
    """An image's name as it is stored: as it is, but with "\ufffd" for what is no text or ends a line."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)


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
