"""A folder of this machine as a tree of files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import InvalidInputError
from engine.files import storage_error
from engine.tasks.settings import ImportSettings
from engine.tasks.sources.plain import open_file, open_folder
from engine.tasks.sources.tree import JUNK, Skipped, Tree


def allowed_root(path: Path, settings: ImportSettings) -> Path | None:
    """The allow-listed root that `path` really lies in, links followed; None if it lies in none."""
    real = Path(os.path.realpath(path))
    for root in settings.roots:
        real_root = Path(os.path.realpath(root))
        if real == real_root or real_root in real.parents:
            return real_root
    return None


class FolderTree(Tree):
    """Regular files below a folder. Links that lead out of it (and out of every allowed root), devices and pipes are
    skipped; links to folders are not followed.
    """

    def __init__(self, folder: Path, settings: ImportSettings) -> None:
        self.title = str(folder)
        self.folder = Path(os.path.realpath(folder))
        self.skipped = []
        self._settings = settings
        self._in_place = allowed_root(self.folder, settings) is not None
        self._led_to: dict[str, Path] = {}  # where allowed links lead, which nobody can change any more
        self.files = dict(sorted(self._walk()))

    def _walk(self) -> list[tuple[str, int]]:
        found: list[tuple[str, int]] = []
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            try:
                with _listed(self.folder / prefix) as entries:
                    for entry in entries:
                        if entry.name.startswith(".") or entry.name in JUNK:
                            continue
                        name = prefix + entry.name
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(name + "/")
                        elif (size := self._size(entry, name)) is not None:
                            found.append((name, size))
                        if len(found) > self._settings.archive_entries:
                            raise InvalidInputError(
                                f"{self.title} holds more than {self._settings.archive_entries:,} files: import a "
                                "smaller folder, or raise the setting archive_entries."
                            )
            except OSError as error:
                if not prefix:
                    raise storage_error(error, self.folder) from error
                self.skipped.append(Skipped(prefix.rstrip("/"), f"cannot be read ({error.strerror})"))
        return found

    def _size(self, entry: os.DirEntry[str], name: str) -> int | None:
        """Size of a regular file; None for what is none, which is noted."""
        try:
            about = entry.stat()
        except OSError as error:
            self.skipped.append(Skipped(name, f"cannot be read ({error.strerror})"))
            return None
        if entry.is_symlink():
            real = Path(os.path.realpath(self.folder / name))
            if self.folder not in real.parents and allowed_root(real, self._settings) is None:
                self.skipped.append(Skipped(name, "is a link that leads out of the folder"))
                return None
            if stat.S_ISDIR(about.st_mode):
                self.skipped.append(Skipped(name, "is a link to a folder"))
                return None
            self._led_to[name] = real
        if not stat.S_ISREG(about.st_mode):
            self.skipped.append(Skipped(name, "is no regular file"))
            return None
        return about.st_size

    def open(self, name: str) -> IO[bytes]:
        """One file. Raises StorageError if it cannot be opened."""
        if name not in self.files:
            raise KeyError(name)
        path = self._real(name)
        try:
            return os.fdopen(open_file(path), "rb")
        except OSError as error:
            raise storage_error(error, path) from error

    def path(self, name: str) -> Path | None:
        """The file's path, if its folder lies in an allow-listed root."""
        return self._real(name) if self._in_place else None

    def _real(self, name: str) -> Path:
        return self._led_to.get(name, self.folder / name)


@contextmanager
def _listed(folder: Path) -> Iterator[Iterator[os.DirEntry[str]]]:
    """What lies in a folder, which is listed itself and not what a link in its place leads to."""
    if os.scandir not in os.supports_fd:
        with os.scandir(folder) as entries:
            yield entries
        return
    descriptor = open_folder(folder)
    try:
        with os.scandir(descriptor) as entries:
            yield entries
    finally:
        os.close(descriptor)
