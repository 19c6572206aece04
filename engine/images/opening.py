"""Opening what lies in a folder that others may change meanwhile: a link that was put there is not followed."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from engine.errors import StorageError
from engine.files import storage_error

LINK = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)  # how systems refuse a link; EMLINK on FreeBSD
_STEPWISE = os.open in os.supports_dir_fd  # not on Windows
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_STEP = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | _NO_LINK  # a folder, to go through only
_LIST = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | _NO_LINK
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | _NO_LINK  # a pipe must not hang


def open_file(path: Path) -> int:
    """A descriptor of a regular file at an absolute path whose parts are all no links.

    Each part is opened below the one before, so that nobody can put a link in its place between a look and the opening.
    Raises StorageError for a link, or for what is no regular file; FileNotFoundError.
    """
    try:
        descriptor = _open(path, _READ)
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in LINK:
            raise StorageError(
                f"{path} is reached by a link that was not there when it was listed: put the file itself there, or "
                "import the folder again."
            ) from error
        raise storage_error(error, path) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise StorageError(f"{path} is no regular file: remove it, or put the file there again.")
    return descriptor


def open_folder(path: Path) -> int:
    """A descriptor of a folder, to list it; raises OSError, in the way of `LINK` for a link."""
    return _open(path, _LIST)


def _open(path: Path, how: int) -> int:
    return _open_stepwise(path, how) if _STEPWISE else _open_and_look(path, how)


def _open_stepwise(path: Path, how: int) -> int:
    folder = os.open(path.anchor, _STEP)
    try:
        for part in path.parts[1:-1]:
            inner = os.open(part, _STEP, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(path.name or path.anchor, how, dir_fd=folder)
    finally:
        os.close(folder)


def _open_and_look(path: Path, how: int) -> int:
    """Where a system opens nothing below a folder: look for links afterwards, at what is open."""
    descriptor = os.open(path, how)
    if not os.path.samestat(os.fstat(descriptor), os.lstat(path)) or os.path.realpath(path) != os.path.abspath(path):
        os.close(descriptor)
        raise OSError(errno.ELOOP, "is reached by a link")
    return descriptor
