"""A folder of this machine as a tree of files."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from engine.errors import InvalidInputError, StorageError
from engine.files import storage_error
from engine.images.opening import open_file, open_folder
from engine.intake.encodings import decoded_names
from engine.intake.sources.tree import JUNK, Skipped, Tree
from engine.settings import ImportSettings, allowed_root
from engine.tasks.facts import LINK_AS_TEXT, LINK_OUT, LINK_TO_FOLDER

_SHORTEST_LINK, _LONGEST_LINK = 4, 255  # bytes of a file that may be one


class FolderTree(Tree):
    """Regular files below a folder. Links that lead out of it (and out of every allowed root), devices and pipes are
    skipped; links to folders are not followed.
    """

    def __init__(self, folder: Path, settings: ImportSettings, encoding: str = "") -> None:
        self.title = str(folder)
        self.folder = Path(os.path.realpath(folder))
        self.skipped = []
        self._settings = settings
        self._in_place = allowed_root(self.folder, settings) is not None
        self._led_to: dict[str, Path] = {}  # where allowed links lead, which nobody can change any more
        self._modified: dict[str, int] = {}  # when each file was changed, ns, by the file system's name
        self._identity = self._stamp()
        found = self._without_written_links(self._without_blobs(self._walk()))
        self._real = self._composed([name for name, _ in found], encoding)
        self._shown = {real: shown for shown, real in self._real.items()}
        self.files = dict(sorted((self._shown.get(name, name), size) for name, size in found))

    def shown(self, name: str) -> str:
        """The name in `files` of a file that the file system calls `name`."""
        return self._shown.get(name, name)

    def _composed(self, names: list[str], encoding: str) -> dict[str, str]:
        """Names as they are shown, with the file system's, where these differ: bytes that are no UTF-8, or letters
        whose marks stand apart, as macOS writes them. Two files never get one name.
        """
        strange = [name for name in names if not _is_text(name)]
        texts, self.encoding = decoded_names([os.fsencode(name) for name in strange], self.title, encoding)
        text_of = dict(zip(strange, texts, strict=True))
        taken, real = set(names), {}
        for name in names:
            shown = unicodedata.normalize("NFC", text_of.get(name, name))
            if shown != name and shown not in taken:
                taken.add(shown)
                real[shown] = name
        return real

    def _without_written_links(self, found: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Without files that hold nothing but where a link led to ("../store/cat"), which are noted."""
        kept = []
        for name, size in found:
            if _SHORTEST_LINK <= size <= _LONGEST_LINK and re.fullmatch(rb"(\.\./)+[^\0\r\n]+\n?", self._content(name)):
                self.skipped.append(Skipped(name, LINK_AS_TEXT))
            else:
                kept.append((name, size))
        return kept

    def _content(self, name: str) -> bytes:
        try:
            with self._open(name) as file:
                return file.read(_LONGEST_LINK + 1)
        except StorageError:  # whoever reads it tells what is wrong with it
            return b""

    def _without_blobs(self, found: list[tuple[str, int]]) -> list[tuple[str, int]]:
        """Without what a hub's cache keeps under hashes, and shows once more as links under the files' own names."""
        heads = {name.split("/", 1)[0] for name, _ in found if "/" in name}
        return [(n, size) for n, size in found if not n.startswith("blobs/")] if heads >= _HUB_CACHE else found

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
                self.skipped.append(Skipped(name, LINK_OUT))
                return None
            if stat.S_ISDIR(about.st_mode):
                self.skipped.append(Skipped(name, LINK_TO_FOLDER))
                return None
            self._led_to[name] = real
        if not stat.S_ISREG(about.st_mode):
            self.skipped.append(Skipped(name, "is no regular file"))
            return None
        self._modified[name] = about.st_mtime_ns
        return about.st_size

    def changed(self, name: str) -> int:
        """When it was changed, ns since 1970."""
        return self._modified.get(self._real.get(name, name), 0)

    def is_there(self) -> bool:
        """Whether the same folder is at its path: not after it was moved, or the disk or share that holds it went."""
        return self._identity is None or self._stamp() == self._identity

    def _stamp(self) -> tuple[int, int] | None:
        try:
            about = os.stat(self.folder)
        except OSError:
            return None
        return about.st_dev, about.st_ino

    def open(self, name: str) -> IO[bytes]:
        """One file. Raises StorageError if it cannot be opened."""
        if name not in self.files:
            raise KeyError(name)
        return self._open(self._real.get(name, name))

    def _open(self, real: str) -> IO[bytes]:
        path = self._place(real)
        try:
            return os.fdopen(open_file(path), "rb")
        except OSError as error:
            raise storage_error(error, path) from error

    def path(self, name: str) -> Path | None:
        """The file's path, if its folder lies in an allow-listed root."""
        return self._place(self._real.get(name, name)) if self._in_place else None

    def _place(self, real: str) -> Path:
        return self._led_to.get(real, self.folder / real)


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


_HUB_CACHE = frozenset({"blobs", "snapshots", "refs"})  # the folders of one data set there


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8, as Python carries them in names
        return False
    return True
