"""A tree of named files, whatever it lies in."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import IO

from engine.errors import InvalidInputError
from engine.intake.encodings import UTF_8, Encoding


@dataclass(frozen=True)
class Skipped:
    """A file that takes no part, and why."""

    name: str
    reason: str


class Tree(ABC):
    """Files by name. Names have "/" between their parts, as `PurePosixPath` has, and no part is ".." or empty. They are
    composed (Unicode's NFC), however the source has them, so that they compare with the names in a table.
    """

    title: str  # what a message calls it
    files: Mapping[str, int]  # size in bytes of each file, in the order of the source
    skipped: list[Skipped]
    encoding: Encoding = UTF_8  # of the names in the source
    notes: tuple[str, ...] = ()  # what was found about the files, a sentence each

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Of files whose names say nothing, as far as they were looked at, the kind of image by content; "" = none."""
        return {}

    @abstractmethod
    def open(self, name: str) -> IO[bytes]:
        """One file, to be read from its start. Raises DamagedFileError if it cannot be read."""

    def path(self, name: str) -> Path | None:
        """The file's path on this machine, if it has one that may be read in place."""
        return None

    def read(self, name: str, limit: int) -> bytes:
        """The content of a file. Raises InvalidInputError if it has more than `limit` bytes, DamagedFileError."""
        if self.files[name] > limit:
            raise InvalidInputError(
                f"{name} has {self.files[name]:,} bytes, more than the {limit:,} allowed: make it smaller."
            )
        with self.open(name) as file:
            content = file.read(limit + 1)
        if len(content) > limit:  # an archive may lie about sizes
            raise InvalidInputError(f"{name} has more than the {limit:,} bytes allowed: make it smaller.")
        return content

    def changed(self, name: str) -> int:
        """A number that tells a file from what had its name and size before: when it was changed, or a checksum."""
        return 0

    def is_there(self) -> bool:
        """Whether the source is still where it was found, so that what cannot be read is a matter of one file."""
        return True

    def fingerprint(self) -> str:
        """A hash of names, sizes and changes: an import is taken up again only on the same files."""
        digest = hashlib.sha256()
        for name, size in self.files.items():
            digest.update(f"{name}\0{size}\0{self.changed(name)}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()[:16]

    def close(self) -> None:
        """Let go of what is open."""
        return

    def __enter__(self) -> Tree:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


JUNK = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN"})


def is_junk(name: str) -> bool:
    """Whether a name is one that operating systems leave behind: hidden, or known to be junk."""
    return any(part.startswith(".") or part in JUNK for part in name.split("/"))
